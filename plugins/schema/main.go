// Command schema is a lane plugin that checks JSON, YAML and TOML files
// against the JSON Schemas of their repository.
package main

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// rule says which files a schema is for.
type rule struct {
	globs  sdk.Matcher
	schema string
}

// pair is a file, or a blob read as a format, and a schema.
type pair struct{ what, schema, format string }

// checker is one lane run.
type checker struct {
	run      *sdk.Run
	rules    []rule
	declared bool
	schemas  *schemas
	ignored  *ignores
	seen     map[pair]bool // files that were checked against a schema
	fit      map[pair]bool // blobs that had no fault; of late
	files    int
}

func check(run *sdk.Run) error {
	c := &checker{run: run, declared: run.With("declared").BoolOr(true), seen: map[pair]bool{}, fit: map[pair]bool{}}
	if err := c.readRules(); err != nil {
		return err
	}
	c.schemas, c.ignored = newSchemas(run, run.With("formats").Bool(), c.rules), &ignores{run: run}
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
		r := rule{schema: item.Get("schema").String()}
		var err error
		if r.globs, err = sdk.NewMatcher(item.Get("files").Strings()...); err != nil {
			return errors.New("setting schemas: " + err.Error())
		}
		if !inside(r.schema) {
			return errors.New("setting schemas: " + strconv.Quote(r.schema) + " is not a path from the repository's top")
		}
		c.rules = append(c.rules, r)
	}
	return nil
}

// inside reports whether a path is one from the tree's top that stays in it.
func inside(name string) bool {
	return name != "" && name != "." && path.Clean(name) == name && !path.IsAbs(name) && name != ".." &&
		!strings.HasPrefix(name, "../")
}

func (r rule) has(name string) bool { return r.globs.Match(name) }

func (c *checker) changedFiles() error {
	for change, content := range c.run.Contents(c.concerned()) {
		ruled := false
		for _, r := range c.rules {
			if r.has(change.Path) {
				ruled = true
			}
		}
		text, all, err := c.read(change.Path, content.Size, content, ruled)
		if err != nil {
			return errors.New("cannot check " + strconv.Quote(change.Path) + ": " + err.Error())
		}
		if !all {
			continue
		}
		for _, r := range c.rules {
			if r.has(change.Path) {
				c.once(change, r.schema, text)
			}
		}
		if !ruled {
			if err := c.declaredFile(change.Path, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxFit is how many contents are known to fit at once.
const maxFit = 20_000

// once checks a content against a schema, and of files that have the same only
// the first: to parse it is the most of what a small file costs.
func (c *checker) once(change sdk.Change, schema string, text []byte) {
	key := pair{change.NewID, schema, formatOf(change.Path)}
	if change.NewID != "" && c.fit[key] {
		c.files++
		c.seen[pair{what: change.Path, schema: schema}] = true
		return
	}
	if c.against(change.Path, schema, text) {
		if len(c.fit) >= maxFit {
			clear(c.fit)
		}
		c.fit[key] = true
	}
}

// concerned are the changed files that a schema may be for. A link or a
// submodule has no values.
func (c *checker) concerned() iter.Seq[sdk.Change] {
	return func(yield func(sdk.Change) bool) {
		for change := range c.run.Changed() {
			plain := change.Mode == "100644" || change.Mode == "100755"
			wanted := c.declared && formatOf(change.Path) != "" ||
				slices.ContainsFunc(c.rules, func(r rule) bool { return r.has(change.Path) })
			if plain && wanted && !yield(change) {
				return
			}
		}
	}
}

// maxFile is how large a file may be that is checked, in bytes: every value of
// it is held with its place.
const maxFile = 4 << 20

// read reads a file as text; false: it is too large, which is reported where a
// schema is for it.
func (c *checker) read(name string, size int64, src io.Reader, ruled bool) ([]byte, bool, error) {
	if size <= maxFile {
		text := make([]byte, size)
		_, err := io.ReadFull(src, text)
		return sdk.DecodeText(text), true, err
	}
	said, err := c.declares(src, ruled)
	if said && err == nil {
		c.run.Report(sdk.Finding{Path: name, Rule: "too-large",
			Message: "the file is larger than " + strconv.Itoa(maxFile>>20) +
				" MiB, it is not checked: split it, or leave it out of the lane's settings"})
	}
	return nil, false, err
}

// declares looks for a schema of the repository in a file that is too large, a
// stretch at a time.
func (c *checker) declares(src io.Reader, ruled bool) (bool, error) {
	const seam = 4 << 10
	buf := make([]byte, 64<<10)
	for have := 0; !ruled; {
		n, err := io.ReadFull(src, buf[have:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		text := buf[:have+n]
		if _, want, found := declared(text); found && ours(want) {
			return true, nil
		}
		if err != nil {
			return false, nil
		}
		have = copy(buf, text[len(text)-seam:])
	}
	return true, nil
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
	f, err := c.run.Open(name)
	if err != nil {
		return errors.New("cannot check " + strconv.Quote(name) + ": " + err.Error())
	}
	defer f.Close()
	info, err := f.Stat()
	var text []byte
	var all bool
	if err == nil {
		text, all, err = c.read(name, info.Size(), f, true)
	}
	if err != nil {
		return errors.New("cannot check " + strconv.Quote(name) + ": " + err.Error())
	}
	if all {
		c.against(name, schema, text)
	}
	return nil
}

// against checks a file, and reports whether it fits.
func (c *checker) against(name, schema string, text []byte) bool {
	if c.seen[pair{what: name, schema: schema}] {
		return false
	}
	c.seen[pair{what: name, schema: schema}] = true
	c.files++
	docs, fault := parse(name, text)
	if fault != nil {
		c.report(name, text, *fault)
		return false
	}
	compiled := c.schemas.get(schema)
	if compiled == nil {
		return false // reported at the schema
	}
	fits := true
	for _, d := range docs {
		for _, f := range d.validate(compiled) {
			c.report(name, text, f)
			fits = false
		}
	}
	return fits
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
func (c *checker) declaredFile(name string, text []byte) error {
	at, want, found := declared(text)
	if !found || !ours(want) || !atTop(name, text, want) {
		return nil
	}
	file, _, _ := strings.Cut(want, "#")
	target := path.Join(path.Dir(name), file)
	if path.IsAbs(file) || !inside(target) {
		c.report(name, text, fault{offset: at, rule: "schema",
			message: "$schema " + strconv.Quote(file) + " is outside the repository"})
		return nil
	}
	elsewhere, err := c.ignored.elsewhere(target)
	if err == nil && !elsewhere {
		c.against(name, target, text)
	}
	return err
}

// declared finds what schema a text names, and where.
func declared(text []byte) (at int, want string, found bool) {
	if !bytes.Contains(text, []byte("$schema")) {
		return 0, "", false
	}
	m := declaration.FindSubmatchIndex(text)
	if m == nil {
		return 0, "", false
	}
	at, want = declaredName(text, m)
	return at, want, true
}

// ours reports whether a schema's name is a path.
func ours(want string) bool { return !scheme.MatchString(want) && !strings.HasPrefix(want, "#") }

// atTop reports whether a file's own $schema is the one that was found: in JSON
// any object within may have such a key.
func atTop(name string, text []byte, want string) bool {
	if formatOf(name) != "JSON" {
		return true
	}
	docs, wrong := parseJSON(text)
	if wrong != nil || len(docs) != 1 {
		return true // errors are reported when it is checked
	}
	top, _ := docs[0].value.(map[string]any)
	return top["$schema"] == want
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
