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
	named   []string                      // files that the settings name
	ids     []identified                  // what of them says what it is called; nil: not looked for yet
	known   map[string]*jsonschema.Schema // nil: it cannot be used, and this was reported
	reads   map[string][]string           // by schema: the files it was made of
}

func newSchemas(run *sdk.Run, formats bool, rules []rule) *schemas {
	var named []string
	for _, r := range rules {
		if !slices.Contains(named, r.schema) {
			named = append(named, r.schema)
		}
	}
	return &schemas{run: run, formats: formats, named: named, known: map[string]*jsonschema.Schema{},
		reads: map[string][]string{}}
}

// get returns a schema by its path; nil where it cannot be used.
func (s *schemas) get(name string) *jsonschema.Schema {
	if known, ok := s.known[name]; ok {
		return known
	}
	l := &loader{run: s.run, schemas: s}
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
	names := append([]string{name}, s.reads[name]...)
	for part := range slices.Chunk(names, sdk.MaxGlobs) {
		globs := make([]string, len(part))
		for i, one := range part {
			globs[i] = literal(one)
		}
		for range s.run.Changed(globs...) {
			return true
		}
		for range s.run.Deleted(globs...) {
			return true
		}
	}
	return false
}

// literal is a glob that matches one path.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

func escape(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// identified is a file that says what address it has.
type identified struct{ file, id string }

// loader reads schemas out of the tree and nothing else.
type loader struct {
	run     *sdk.Run
	schemas *schemas
	read    []string
	ids     []identified // of what was read
}

func (l *loader) Load(address string) (any, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "file" && u.Host == "" {
		return l.file(path.Clean(strings.TrimPrefix(u.Path, "/")))
	}
	for _, name := range l.places(address) {
		v, err := l.file(name)
		if err == nil && fits(v, address) {
			return v, nil
		}
	}
	return nil, errors.New("remote schemas are not fetched: copy it into the repository " +
		"and refer to it by a relative path")
}

// places are the files that an address may mean: one that says it is that, or
// the one that is as far from a schema's file as the address is from its id.
func (l *loader) places(address string) (all []string) {
	address, _, _ = strings.Cut(address, "#")
	known := append(slices.Clone(l.ids), l.schemas.identified()...)
	for _, one := range known {
		if one.id == address {
			all = append(all, one.file)
		}
	}
	for _, one := range known {
		if name, ok := near(one, address); ok {
			all = append(all, name)
		}
	}
	return slices.Compact(all)
}

// near is the file that is to a schema's file what an address is to its id.
func near(one identified, address string) (string, bool) {
	from, err := url.Parse(one.id)
	to, wrong := url.Parse(address)
	if err != nil || wrong != nil || from.Scheme != to.Scheme || from.Host != to.Host || from.Path == "" {
		return "", false
	}
	up := strings.Split(path.Dir(from.Path), "/")
	down := strings.Split(path.Clean("/"+to.Path), "/")
	for len(up) > 0 && len(down) > 1 && up[0] == down[0] {
		up, down = up[1:], down[1:]
	}
	if len(up) == 1 && up[0] == "" {
		up = nil
	}
	name := path.Join(path.Dir(one.file), strings.Repeat("../", len(up)), strings.Join(down, "/"))
	return name, inside(name)
}

// fits reports whether what a file holds may have an address: it says so, or
// says nothing.
func fits(v any, address string) bool {
	address, _, _ = strings.Cut(address, "#")
	id := idOf(v)
	return id == "" || id == address || !scheme.MatchString(id)
}

// idOf is the address that a schema says it has.
func idOf(v any) string {
	top, _ := v.(map[string]any)
	for _, key := range []string{"$id", "id"} {
		if id, ok := top[key].(string); ok {
			id, _, _ = strings.Cut(id, "#")
			return id
		}
	}
	return ""
}

// identified are the schemas of the settings that have an address ($id). An
// unreadable schema is reported where it is used.
func (s *schemas) identified() []identified {
	if s.ids == nil {
		s.ids = []identified{}
		for _, name := range s.named {
			l := &loader{run: s.run, schemas: s}
			if _, err := l.file(name); err == nil {
				s.ids = append(s.ids, l.ids...)
			}
		}
	}
	return s.ids
}

// file reads a schema of the tree.
func (l *loader) file(name string) (any, error) {
	if !inside(name) {
		return nil, errors.New("it is outside the repository")
	}
	l.read = append(l.read, name)
	found, err := sdk.Follow(l.run, name)
	switch {
	case errors.Is(err, sdk.ErrOutside):
		return nil, errors.New("it is a symbolic link that leads out of the repository")
	case errors.Is(err, sdk.ErrLoop):
		return nil, errors.New("it is a symbolic link that leads to itself")
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("there is no such file in the pushed tree")
	case err == nil && found.IsDir:
		return nil, errors.New("it is a folder")
	}
	var text []byte
	if err == nil {
		l.read = append(l.read, found.Path)
		text, err = l.run.Read(found.Path)
	}
	if err != nil {
		return nil, err
	}
	text = sdk.DecodeText(text)
	docs, fault := parse(name, text)
	if fault != nil {
		line, _ := lineCol(text, fault.offset)
		return nil, errors.New("line " + strconv.Itoa(max(line, fault.line)) + ": " + fault.message)
	}
	if len(docs) != 1 {
		return nil, errors.New("want one document, found " + strconv.Itoa(len(docs)))
	}
	if id := idOf(docs[0].value); id != "" {
		l.ids = append(l.ids, identified{name, id})
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
