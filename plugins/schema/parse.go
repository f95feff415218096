package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth is how deep values may nest.
	maxDepth = 500
	// maxAliased is how many values a file's aliases may make.
	maxAliased = 100_000
)

// formatOf says by its name how a file is read; "" where it is not known.
func formatOf(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		return "JSON"
	case ".yaml", ".yml":
		return "YAML"
	case ".toml":
		return "TOML"
	}
	return ""
}

// parse reads the documents of a file: one, or in YAML any number.
func parse(name string, text []byte) ([]document, *fault) {
	if at := badUTF8(text); at >= 0 {
		return nil, &fault{offset: at, rule: "syntax", message: "the text is not UTF-8"}
	}
	switch formatOf(name) {
	case "JSON":
		return parseJSON(text)
	case "YAML":
		return parseYAML(text)
	case "TOML":
		return parseTOML(text)
	}
	return nil, &fault{rule: "schema",
		message: "neither .json nor .yaml, .yml or .toml: narrow the globs in the lane's settings"}
}

func badUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// lineCol turns an offset into line and column, both from 1.
func lineCol(text []byte, offset int) (int, int) {
	before := text[:min(max(offset, 0), len(text))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

func sorted(entries []fs.DirEntry) []fs.DirEntry {
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries
}

// stop is a fault on its way up through a recursion.
type stop struct{ fault }

func (s *stop) Error() string { return s.message }

func syntax(offset int, words string) error {
	return &stop{fault{offset: offset, rule: "syntax", message: words}}
}

// jsonReader walks JSON's tokens, since the decoder alone tells no places.
type jsonReader struct {
	text   []byte
	dec    *json.Decoder
	places map[string]place
}

func parseJSON(text []byte) ([]document, *fault) {
	r := &jsonReader{text: text, dec: json.NewDecoder(bytes.NewReader(text)), places: map[string]place{}}
	r.dec.UseNumber()
	v, err := r.value(nil, r.start(), 0)
	if err == nil {
		if at := r.start(); at < len(text) {
			err = syntax(at, "more after the end of the value")
		}
	}
	if err != nil {
		return nil, r.fault(err)
	}
	return []document{{v, r.places}}, nil
}

// fault words the decoder's errors.
func (r *jsonReader) fault(err error) *fault {
	var s *stop
	var wrong *json.SyntaxError
	switch {
	case errors.As(err, &s):
		return &s.fault
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &fault{offset: len(r.text), rule: "syntax", message: "the file ends within a value"}
	case errors.As(err, &wrong):
		return &fault{offset: max(int(wrong.Offset)-1, 0), rule: "syntax", message: wrong.Error()}
	}
	return &fault{offset: int(r.dec.InputOffset()), rule: "syntax", message: err.Error()}
}

// start is where the next token begins.
func (r *jsonReader) start() int {
	at := int(r.dec.InputOffset())
	for at < len(r.text) && bytes.IndexByte([]byte(" \t\r\n,:"), r.text[at]) >= 0 {
		at++
	}
	return at
}

func (r *jsonReader) value(parts []string, key0 int, depth int) (any, error) {
	at := r.start()
	r.places[key(parts)] = place{key: key0, value: at}
	if depth > maxDepth {
		return nil, syntax(at, "values nest deeper than "+strconv.Itoa(maxDepth))
	}
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return r.object(parts, depth)
	case json.Delim('['):
		return r.array(parts, depth)
	}
	return token, nil
}

func (r *jsonReader) object(parts []string, depth int) (any, error) {
	all := map[string]any{}
	for r.dec.More() {
		at := r.start()
		token, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, syntax(at, "want a key in quotes")
		}
		if _, twice := all[name]; twice {
			return nil, syntax(at, "the key "+strconv.Quote(name)+" comes twice")
		}
		if all[name], err = r.value(append(slices.Clip(parts), name), at, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.Token()
	return all, err
}

func (r *jsonReader) array(parts []string, depth int) (any, error) {
	all := []any{}
	for r.dec.More() {
		v, err := r.value(append(slices.Clip(parts), strconv.Itoa(len(all))), r.start(), depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	_, err := r.dec.Token()
	return all, err
}
