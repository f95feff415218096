package lanes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	tomlv2 "github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// node is a value of another tool's file, YAML or TOML, read leniently: what
// is not of the shape asked for is empty, and the caller says so of whatever
// it did not ask for. v is nil, a string, a bool, a number, []node or mapping.
type node struct{ v any }

// mapping is in file order where the format has one.
type mapping []entry

type entry struct {
	key   string
	value node
}

const (
	maxNodes = 100_000 // of one file, aliases written out
	maxNest  = 64      // of mappings and lists in each other
)

// yamlLine finds the place of a syntax error, which the library has in its
// words alone.
var yamlLine = regexp.MustCompile(`line (\d+): `)

// readYAML reads one document whose top is a mapping. Aliases and merge keys
// are followed.
func readYAML(source string, data []byte) (node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return node{}, brokenYAML(source, err)
	}
	if doc.Kind == 0 {
		return node{mapping{}}, nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return node{}, &FormatError{File: source, Line: second.Line, Msg: "the file has a second document"}
	} else if !errors.Is(err, io.EOF) {
		return node{}, brokenYAML(source, err)
	}
	r := yamlReader{source: source}
	top, err := r.read(doc.Content[0], 0)
	if err != nil {
		return node{}, err
	}
	switch top.v.(type) {
	case mapping:
		return top, nil
	case nil:
		return node{mapping{}}, nil
	}
	return node{}, r.fault(doc.Content[0], "broken YAML: the file is not a mapping of keys to values")
}

func brokenYAML(source string, err error) error {
	f := &FormatError{File: source}
	text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	f.Msg = "broken YAML: " + text
	return f
}

// yamlReader turns YAML's nodes into ours. It counts them: a few aliases of
// aliases are a billion nodes.
type yamlReader struct {
	source string
	count  int
}

func (r *yamlReader) fault(n *yaml.Node, format string, args ...any) error {
	return &FormatError{File: r.source, Line: n.Line, Msg: fmt.Sprintf(format, args...)}
}

func (r *yamlReader) read(n *yaml.Node, depth int) (node, error) {
	if r.count++; r.count > maxNodes {
		return node{}, r.fault(n, "the file has more than %d values, its aliases written out", maxNodes)
	}
	if depth > maxNest {
		return node{}, r.fault(n, "mappings and lists are nested more than %d deep", maxNest)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.read(n.Alias, depth+1)
	case yaml.MappingNode:
		return r.mapping(n, depth)
	case yaml.SequenceNode:
		list := make([]node, len(n.Content))
		for i, item := range n.Content {
			var err error
			if list[i], err = r.read(item, depth+1); err != nil {
				return node{}, err
			}
		}
		return node{list}, nil
	}
	return scalar(n), nil
}

func scalar(n *yaml.Node) node {
	var v any
	switch n.Tag {
	case "!!null":
		return node{}
	case "!!bool", "!!int", "!!float":
		if n.Decode(&v) == nil {
			return node{v}
		}
	}
	return node{n.Value}
}

// mapping reads pairs. A direct pair has precedence over one from a merge key, and
// the first merged one over later ones.
func (r *yamlReader) mapping(n *yaml.Node, depth int) (node, error) {
	var own, merged mapping
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		v, err := r.read(value, depth+1)
		if err != nil {
			return node{}, err
		}
		if key.Tag == "!!merge" {
			more, ok := merges(v)
			if !ok {
				return node{}, r.fault(key, "broken YAML: a merge key takes a mapping or a list of them")
			}
			merged = append(merged, more...)
			continue
		}
		k, err := r.read(key, depth+1)
		if err != nil {
			return node{}, err
		}
		name := k.String()
		if s, ok := k.v.(string); ok {
			name = s
		}
		if own.has(name) {
			return node{}, r.fault(key, "broken YAML: the key %s is there twice", Quoted(name))
		}
		own = append(own, entry{name, v})
	}
	for _, e := range merged {
		if r.count++; !own.has(e.key) {
			own = append(own, e)
		}
	}
	return node{own}, nil
}

func merges(v node) (mapping, bool) {
	switch m := v.v.(type) {
	case mapping:
		return m, true
	case []node:
		var all mapping
		for _, item := range m {
			more, ok := item.v.(mapping)
			if !ok {
				return nil, false
			}
			all = append(all, more...)
		}
		return all, true
	}
	return nil, v.v == nil
}

// readTOML reads a TOML file; its tables have no order.
func readTOML(source string, data []byte) (node, error) {
	if bracketsTooDeep(data) {
		return node{}, &FormatError{File: source, Msg: "brackets are nested too deep"}
	}
	var doc map[string]any
	if err := tomlv2.Unmarshal(data, &doc); err != nil {
		return node{}, &FormatError{File: source, Msg: "broken TOML: " + tomlCause(err)}
	}
	return fromTOML(doc), nil
}

func fromTOML(v any) node {
	switch v := v.(type) {
	case map[string]any:
		m := mapping{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m = append(m, entry{key, fromTOML(v[key])})
		}
		return node{m}
	case []any:
		list := make([]node, len(v))
		for i, item := range v {
			list[i] = fromTOML(item)
		}
		return node{list}
	}
	return node{v}
}

func (m mapping) has(key string) bool {
	return slices.ContainsFunc(m, func(e entry) bool { return e.key == key })
}

// entries are the pairs of a mapping.
func (n node) entries() []entry {
	m, _ := n.v.(mapping)
	return m
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
	list, _ := n.v.([]node)
	return list
}

// texts is a list of strings, or one string as a list of one.
func (n node) texts() []string {
	if s := n.text(); s != "" {
		return []string{s}
	}
	var out []string
	for _, item := range n.items() {
		out = append(out, item.plain())
	}
	return out
}

// is compares with a truth value. Python's YAML takes yes and on for true.
func (n node) is(b bool) bool {
	if v, ok := n.v.(bool); ok {
		return v == b
	}
	words := []string{"no", "off", "false"}
	if b {
		words = []string{"yes", "on", "true"}
	}
	return slices.Contains(words, strings.ToLower(n.text()))
}

// plain is a scalar as it is written.
func (n node) plain() string {
	if n.v == nil {
		return ""
	}
	if s, ok := n.v.(string); ok {
		return s
	}
	return n.String()
}

// String writes a value on one line, for a comment.
func (n node) String() string {
	var all []string
	switch v := n.v.(type) {
	case mapping:
		for _, e := range v {
			all = append(all, e.key+": "+e.value.String())
		}
		return "{" + strings.Join(all, ", ") + "}"
	case []node:
		for _, item := range v {
			all = append(all, item.String())
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	return strings.Join(strings.Fields(fmt.Sprint(n.v)), " ")
}
