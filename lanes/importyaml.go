package lanes

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
)

// node is a value of another tool's file, YAML or TOML, read leniently: what
// is not of the shape asked for is empty, and the caller writes a note of
// whatever it did not ask for.
type node struct{ v any }

type entry struct {
	key   string
	value node
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

func readYAML(source string, data []byte) (node, error) {
	var doc yaml.MapSlice
	err := yaml.Unmarshal(data, &doc)
	if err == nil {
		return node{doc}, nil
	}
	f := &FormatError{File: source}
	text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	if wrong := (*yaml.TypeError)(nil); errors.As(err, &wrong) {
		text = "the file is no mapping of keys to values"
	}
	f.Msg = "broken YAML: " + text
	return node{}, f
}

// entries are the pairs of a mapping, in file order where the format keeps one.
func (n node) entries() []entry {
	var list []entry
	switch v := n.v.(type) {
	case yaml.MapSlice:
		for _, item := range v {
			list = append(list, entry{fmt.Sprint(item.Key), node{item.Value}})
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			list = append(list, entry{key, node{v[key]}})
		}
	}
	return list
}

func (n node) get(key string) node {
	for _, e := range n.entries() {
		if e.key == key {
			return e.value
		}
	}
	return node{}
}

func (n node) text() string {
	s, _ := n.v.(string)
	return s
}

func (n node) items() []node {
	list, _ := n.v.([]any)
	out := make([]node, len(list))
	for i, v := range list {
		out[i] = node{v}
	}
	return out
}

// texts is a list of strings, or one string as a list of one.
func (n node) texts() []string {
	if s := n.text(); s != "" {
		return []string{s}
	}
	var out []string
	for _, item := range n.items() {
		out = append(out, fmt.Sprint(item.v))
	}
	return out
}

func (n node) is(b bool) bool { v, ok := n.v.(bool); return ok && v == b }

func (n node) String() string { return strings.Join(strings.Fields(fmt.Sprint(n.v)), " ") }
