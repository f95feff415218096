// Command schema is a lane plugin that checks JSON, YAML and TOML files
// against the JSON Schemas of their repository.
package main

import (
	"errors"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// rule says which files a schema is for.
type rule struct {
	globs  []string
	schema string
}

// checker is one lane run.
type checker struct {
	run      *sdk.Run
	rules    []rule
	declared bool
	schemas  *schemas
	seen     map[string]bool // "file\x00schema" that were checked
	files    int
}

func check(run *sdk.Run) error {
	c := &checker{run: run, declared: run.With("declared").BoolOr(true), seen: map[string]bool{}}
	c.schemas = newSchemas(run, run.With("formats").Bool())
	if err := c.readRules(); err != nil {
		return err
	}
	if err := c.changedFiles(); err != nil {
		return err
	}
	if err := c.changedSchemas(); err != nil {
		return err
	}
	return run.Pass(count(c.files, "file") + " checked against a schema")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

func (c *checker) readRules() error {
	for _, item := range c.run.With("schemas").Items() {
		r := rule{globs: item.Get("files").Strings(), schema: item.Get("schema").String()}
		for _, glob := range r.globs {
			if _, err := sdk.Match(glob, ""); err != nil {
				return errors.New("setting schemas: " + strconv.Quote(glob) + " is no glob: " + err.Error())
			}
		}
		if !inside(r.schema) {
			return errors.New("setting schemas: " + strconv.Quote(r.schema) + " is no path from the repository's top")
		}
		c.rules = append(c.rules, r)
	}
	return nil
}

// inside reports whether a path is one from the tree's top that stays in it.
func inside(name string) bool {
	return name != "" && name != "." && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../")
}

func (r rule) has(name string) bool {
	for _, glob := range r.globs {
		if ok, _ := sdk.Match(glob, name); ok {
			return true
		}
	}
	return false
}

func (c *checker) changedFiles() error {
	for change := range c.run.Changed() {
		if change.Mode != "100644" && change.Mode != "100755" {
			continue // a link or a submodule has no values
		}
		ruled := false
		for _, r := range c.rules {
			if r.has(change.Path) {
				ruled = true
				if err := c.file(change.Path, r.schema); err != nil {
					return err
				}
			}
		}
		if !ruled && c.declared && formatOf(change.Path) != "" {
			if err := c.declaredFile(change.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// changedSchemas checks every file that a changed schema is for: what fitted
// the old one need not fit the new one.
func (c *checker) changedSchemas() error {
	var touched []rule
	for _, r := range c.rules {
		if c.schemas.changed(r.schema) {
			touched = append(touched, r)
		}
	}
	if len(touched) == 0 {
		return nil
	}
	return walk(c.run, ".", func(name string) error {
		for _, r := range touched {
			if r.has(name) {
				if err := c.file(name, r.schema); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// file checks one file against one schema.
func (c *checker) file(name, schema string) error {
	text, err := c.run.Read(name)
	if err != nil {
		return errors.New("cannot check " + strconv.Quote(name) + ": " + err.Error())
	}
	c.against(name, schema, text)
	return nil
}

func (c *checker) against(name, schema string, text []byte) {
	if c.seen[name+"\x00"+schema] {
		return
	}
	c.seen[name+"\x00"+schema] = true
	c.files++
	docs, fault := parse(name, text)
	if fault != nil {
		c.report(name, text, *fault)
		return
	}
	compiled := c.schemas.get(schema)
	if compiled == nil {
		return // said at the schema
	}
	for _, d := range docs {
		for _, f := range d.validate(compiled) {
			c.report(name, text, f)
		}
	}
}

// report turns an offset into line and column.
func (c *checker) report(name string, text []byte, f fault) {
	line, col := f.line, f.col
	if line == 0 {
		line, col = lineCol(text, f.offset)
	}
	c.run.Report(sdk.Finding{Path: name, Line: line, Col: col, Rule: f.rule, Message: f.message})
}

// declaration finds where a file names its schema: a key $schema, or the
// comment that YAML editors know.
var declaration = regexp.MustCompile(`\$schema["']?[ \t]*[:=][ \t]*(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"'{\[,]+))`)

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:|^//`)

// declaredFile checks a file that names a schema of the repository by a
// relative path. Names with a host are for editors, and nothing is fetched.
func (c *checker) declaredFile(name string) error {
	text, err := c.run.Read(name)
	if err != nil {
		return errors.New("cannot check " + strconv.Quote(name) + ": " + err.Error())
	}
	m := declaration.FindSubmatchIndex(text)
	if m == nil {
		return nil
	}
	at, want := declaredName(text, m)
	if scheme.MatchString(want) || strings.HasPrefix(want, "#") {
		return nil
	}
	want, _, _ = strings.Cut(want, "#")
	target := path.Join(path.Dir(name), want)
	if path.IsAbs(want) || !inside(target) {
		c.report(name, text, fault{offset: at, rule: "schema", message: "$schema " + strconv.Quote(want) + " is outside the repository"})
		return nil
	}
	c.against(name, target, text)
	return nil
}

func declaredName(text []byte, m []int) (int, string) {
	for i := 2; i < len(m); i += 2 {
		if m[i] >= 0 {
			return m[i], string(text[m[i]:m[i+1]])
		}
	}
	return 0, ""
}

// walk visits every plain file of the tree below a folder, in order.
func walk(run *sdk.Run, folder string, visit func(string) error) error {
	dir, err := run.Open(folder)
	if err != nil {
		return errors.New("cannot list " + strconv.Quote(folder) + ": " + err.Error())
	}
	entries, err := dir.ReadDir(-1)
	dir.Close()
	if err != nil {
		return errors.New("cannot list " + strconv.Quote(folder) + ": " + err.Error())
	}
	for _, e := range sorted(entries) {
		name := path.Join(folder, e.Name())
		switch {
		case e.IsDir():
			err = walk(run, name, visit)
		case e.Type().IsRegular():
			err = visit(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
