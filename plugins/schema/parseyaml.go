package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlReader converts YAML's nodes to JSON values, and records their positions.
type yamlReader struct {
	lines  []int // offset of each line
	text   []byte
	places map[string]place
	values int          // that aliases made
	within []*yaml.Node // aliases that are being written out
}

func parseYAML(text []byte) ([]document, *fault) {
	var docs []document
	lines := lineStarts(text)
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, yamlFault(err)
		}
		r := &yamlReader{lines: lines, text: text, places: map[string]place{}}
		v, err := r.value(&node, nil, r.offset(&node), 0)
		if s := (*stop)(nil); errors.As(err, &s) {
			return nil, &s.fault
		}
		docs = append(docs, document{v, r.places})
	}
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// yamlFault takes the line out of the library's words.
func yamlFault(err error) *fault {
	text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	f := &fault{line: 1, rule: "syntax"}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		f.line, _ = strconv.Atoi(m[1])
		text = strings.TrimPrefix(text, m[0])
	}
	if slices.Contains(countedFromZero(), strings.TrimPrefix(text, "did not find expected ")) {
		f.line++
	}
	f.message = text
	return f
}

// countedFromZero are what the library's parser, unlike its scanner, finds
// missing: it counts lines from 0.
func countedFromZero() []string {
	return []string{"',' or ']'", "',' or '}'", "key", "'-' indicator", "node content", "<document start>"}
}

func lineStarts(text []byte) []int {
	all := []int{0}
	for i, c := range text {
		if c == '\n' {
			all = append(all, i+1)
		}
	}
	return all
}

// offset is the position of a node: YAML counts characters, we count bytes.
func (r *yamlReader) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(r.lines) {
		return 0
	}
	at := r.lines[n.Line-1]
	skipped := 1
	for i := range string(r.text[at:]) {
		if skipped >= n.Column {
			return at + i
		}
		skipped++
	}
	return at
}

func (r *yamlReader) value(n *yaml.Node, parts []string, key0, depth int) (any, error) {
	if len(r.within) == 0 {
		r.places[key(parts)] = place{key: key0, value: r.offset(n)}
	} else {
		r.values++
	}
	if depth > maxDepth {
		return nil, syntax(r.offset(n), "values nest deeper than "+strconv.Itoa(maxDepth))
	}
	if r.values > maxAliased {
		return nil, syntax(r.offset(r.within[0]), "aliases make more than "+strconv.Itoa(maxAliased)+" values")
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return r.value(n.Content[0], parts, r.offset(n.Content[0]), depth)
	case yaml.AliasNode:
		return r.alias(n, parts, depth)
	case yaml.MappingNode:
		return r.mapping(n, parts, depth)
	case yaml.SequenceNode:
		return r.sequence(n, parts, depth)
	}
	return r.scalar(n)
}

func (r *yamlReader) alias(n *yaml.Node, parts []string, depth int) (any, error) {
	if slices.Contains(r.within, n.Alias) {
		return nil, syntax(r.offset(n), "the anchor "+strconv.Quote(n.Value)+" contains itself")
	}
	r.within = append(r.within, n.Alias)
	v, err := r.value(n.Alias, parts, r.offset(n), depth+1)
	r.within = r.within[:len(r.within)-1]
	return v, err
}

func (r *yamlReader) sequence(n *yaml.Node, parts []string, depth int) (any, error) {
	all := make([]any, len(n.Content))
	for i, item := range n.Content {
		v, err := r.value(item, append(slices.Clip(parts), strconv.Itoa(i)), r.offset(item), depth+1)
		if err != nil {
			return nil, err
		}
		all[i] = v
	}
	return all, nil
}

func (r *yamlReader) mapping(n *yaml.Node, parts []string, depth int) (any, error) {
	all := map[string]any{}
	var merged []map[string]any
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if name.Kind == yaml.AliasNode {
			name = name.Alias
		}
		if name.Kind != yaml.ScalarNode {
			return nil, syntax(r.offset(n.Content[i]), "the key is not a plain word, and JSON has no others")
		}
		if _, twice := all[name.Value]; twice {
			return nil, syntax(r.offset(n.Content[i]), "the key "+strconv.Quote(name.Value)+" comes twice")
		}
		v, err := r.value(value, append(slices.Clip(parts), name.Value), r.offset(n.Content[i]), depth+1)
		if err != nil {
			return nil, err
		}
		if name.ShortTag() == "!!merge" {
			merged = append(merged, mappings(v)...)
			continue
		}
		all[name.Value] = v
	}
	merge(all, merged)
	return all, nil
}

// mappings are what a merge key names: one mapping, or several.
func mappings(v any) []map[string]any {
	if one, ok := v.(map[string]any); ok {
		return []map[string]any{one}
	}
	var all []map[string]any
	list, _ := v.([]any)
	for _, item := range list {
		all = append(all, mappings(item)...)
	}
	return all
}

// merge adds what is not there yet; what is named first wins.
func merge(all map[string]any, merged []map[string]any) {
	for _, m := range merged {
		for name, v := range m {
			if _, have := all[name]; !have {
				all[name] = v
			}
		}
	}
}

func (r *yamlReader) scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, syntax(r.offset(n), yamlFault(err).message)
		}
		return number(v, r.offset(n))
	}
	return n.Value, nil
}

// number keeps to what JSON can say.
func number(v any, at int) (any, error) {
	if f, ok := v.(float64); ok {
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, syntax(at, "infinity and not-a-number are not values that a schema can describe")
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	return v, nil
}
