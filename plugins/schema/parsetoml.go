package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

func parseTOML(text []byte) ([]document, *fault) {
	var all map[string]any
	err := toml.Unmarshal(text, &all)
	if wrong := (*toml.DecodeError)(nil); errors.As(err, &wrong) {
		line, col := wrong.Position()
		return nil, &fault{line: line, col: col, rule: "syntax", message: wrong.Error()}
	}
	if err != nil {
		return nil, &fault{rule: "syntax", message: err.Error()}
	}
	r := &tomlReader{places: map[string]place{"": {}}, counts: map[string]int{}}
	r.read(text)
	v, err := r.plain(all, nil)
	if s := (*stop)(nil); errors.As(err, &s) {
		return nil, &s.fault
	}
	return []document{{v, r.places}}, nil
}

// tomlReader records the positions of the values that the decoder has read.
type tomlReader struct {
	parser unstable.Parser
	places map[string]place
	counts map[string]int // elements of arrays of tables so far
	table  []string       // the table that keys belong to
}

func (r *tomlReader) read(text []byte) {
	r.parser.Reset(text)
	for r.parser.NextExpression() {
		e := r.parser.Expression()
		switch e.Kind {
		case unstable.Table:
			r.table = r.header(e, false)
		case unstable.ArrayTable:
			r.table = r.header(e, true)
		case unstable.KeyValue:
			r.keyValue(e, r.table)
		}
	}
}

// header follows [a.b] and [[a.b]]; a name of an array of tables means its
// last element.
func (r *tomlReader) header(e *unstable.Node, array bool) []string {
	var parts []string
	at := 0
	for it := e.Key(); it.Next(); {
		at = int(it.Node().Raw.Offset)
		parts = append(parts, string(it.Node().Data))
		r.note(parts, at, at)
		if n := r.counts[key(parts)]; n > 0 && !(array && it.IsLast()) {
			parts = append(parts, strconv.Itoa(n-1))
		}
	}
	if array {
		n := r.counts[key(parts)]
		r.counts[key(parts)] = n + 1
		parts = append(parts, strconv.Itoa(n))
		r.note(parts, at, at)
	}
	return parts
}

// note keeps the first place of a value: a table may be opened twice.
func (r *tomlReader) note(parts []string, key0, value int) {
	if _, have := r.places[key(parts)]; !have {
		r.places[key(parts)] = place{key: key0, value: value}
	}
}

func (r *tomlReader) keyValue(e *unstable.Node, table []string) {
	parts := slices.Clone(table)
	at := 0
	for it := e.Key(); it.Next(); {
		at = int(it.Node().Raw.Offset)
		parts = append(parts, string(it.Node().Data))
		if !it.IsLast() {
			r.note(parts, at, at)
		}
	}
	r.value(e.Value(), parts, at, at)
}

// value notes a value: by its own place where the parser knows it, else by
// that of its key.
func (r *tomlReader) value(n *unstable.Node, parts []string, key0, around int) {
	at := around
	if n.Raw.Length > 0 {
		at = int(n.Raw.Offset)
	}
	r.note(parts, key0, at)
	switch n.Kind {
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); i++ {
			r.value(it.Node(), append(slices.Clip(parts), strconv.Itoa(i)), at, at)
		}
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			r.keyValue(it.Node(), parts)
		}
	}
}

// plain turns the decoder's values into what JSON knows; times are strings.
func (r *tomlReader) plain(v any, parts []string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			var err error
			if v[name], err = r.plain(item, append(slices.Clip(parts), name)); err != nil {
				return nil, err
			}
		}
		return v, nil
	case []any:
		for i, item := range v {
			var err error
			if v[i], err = r.plain(item, append(slices.Clip(parts), strconv.Itoa(i))); err != nil {
				return nil, err
			}
		}
		return v, nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case fmt.Stringer: // local dates and times
		return v.String(), nil
	}
	return number(v, document{places: r.places}.place(parts).value)
}
