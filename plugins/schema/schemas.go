package main

import (
	"errors"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pushlane/pushlane/sdk"
)

// top is where the tree's top lies for the compiler. No file is opened by it.
const top = "file:///"

// schemas are the repository's schemas, compiled when first asked for.
type schemas struct {
	run     *sdk.Run
	formats bool
	known   map[string]*jsonschema.Schema // nil: it cannot be used, and that was said
	reads   map[string][]string           // by schema: the files it was made of
}

func newSchemas(run *sdk.Run, formats bool) *schemas {
	return &schemas{run: run, formats: formats, known: map[string]*jsonschema.Schema{}, reads: map[string][]string{}}
}

// get returns a schema by its path; nil where it cannot be used.
func (s *schemas) get(name string) *jsonschema.Schema {
	if known, ok := s.known[name]; ok {
		return known
	}
	l := &loader{run: s.run}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(l)
	if s.formats {
		compiler.AssertFormat()
	}
	compiled, err := compiler.Compile(top + escape(name))
	if err != nil {
		compiled = nil
		s.run.Report(sdk.Finding{Path: name, Rule: "schema", Message: "cannot use the schema: " + schemaTrouble(err)})
	}
	s.known[name], s.reads[name] = compiled, l.read
	return compiled
}

// changed reports whether a schema, or one that it refers to, was changed.
func (s *schemas) changed(name string) bool {
	s.get(name)
	return slices.ContainsFunc(s.run.Changes, func(c sdk.Change) bool {
		return c.Path == name || slices.Contains(s.reads[name], c.Path)
	})
}

func escape(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// loader reads schemas out of the tree and nothing else.
type loader struct {
	run  *sdk.Run
	read []string
}

func (l *loader) Load(address string) (any, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "file" || u.Host != "" {
		return nil, errors.New("remote schemas are not fetched: copy it into the repository and refer to it by a relative path")
	}
	name := path.Clean(strings.TrimPrefix(u.Path, "/"))
	if !inside(name) {
		return nil, errors.New("it is outside the repository")
	}
	l.read = append(l.read, name)
	text, err := l.run.Read(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("there is no such file in the pushed tree")
	}
	if err != nil {
		return nil, err
	}
	docs, fault := parse(name, text)
	if fault != nil {
		line, _ := lineCol(text, fault.offset)
		return nil, errors.New("line " + strconv.Itoa(max(line, fault.line)) + ": " + fault.message)
	}
	if len(docs) != 1 {
		return nil, errors.New("want one document, found " + strconv.Itoa(len(docs)))
	}
	return docs[0].value, nil
}

// schemaTrouble says in one line why a schema cannot be used.
func schemaTrouble(err error) string {
	var load *jsonschema.LoadURLError
	var invalid *jsonschema.SchemaValidationError
	var wrong *jsonschema.ValidationError
	switch {
	case errors.As(err, &load):
		return plain(load.URL) + ": " + load.Err.Error()
	case errors.As(err, &invalid) && errors.As(invalid.Err, &wrong):
		leaf := closest(wrong)[0]
		return "at " + pointer(leaf.InstanceLocation) + ": " + words(leaf)
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(err.Error()), " "), top, "")
}

// plain is an address as its author would write it.
func plain(address string) string {
	if name, ok := strings.CutPrefix(address, top); ok {
		if plain, err := url.PathUnescape(name); err == nil {
			return plain
		}
	}
	return address
}
