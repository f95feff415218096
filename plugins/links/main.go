// Command links is a lane plugin that checks the links of Markdown files inside the
// repository: files, folders, images and headings must exist.
package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// checker looks at one push.
type checker struct {
	run     *sdk.Run
	files   []string // globs
	ignore  []string
	reader  reader
	found   map[string]found // followed of late
	parsed  map[string]*page // of late, by blob id
	pages   map[string]*page // read of late, by path; nil: too large
	looked  int
	made    int // generated or vendored: not checked
	targets int
}

func check(run *sdk.Run) error {
	c := &checker{run: run, files: run.With("files").Strings(), ignore: run.With("ignore").Strings(), reader: newReader(),
		found: map[string]found{}, parsed: map[string]*page{}, pages: map[string]*page{}}
	if len(c.files) == 0 {
		c.files = []string{"**/*.md"}
	}
	if err := c.all(); err != nil {
		return err
	}
	said := count(c.targets, "link") + " in " + count(c.looked, "file") + " looked at"
	if c.made > 0 {
		said += ", " + count(c.made, "generated or vendored file") + " not"
	}
	return run.Pass(said)
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// all checks the changed pages, or every page if a file was removed or moved: any
// page may have linked to it.
func (c *checker) all() error {
	all := c.run.With("all").Bool()
	for range c.run.Deleted() {
		all = true
		break
	}
	if !all {
		for change, content := range c.run.Contents(c.run.Changed(c.files...)) {
			if change.Mode != "100644" && change.Mode != "100755" {
				continue // a link: the page that it leads to is checked itself
			}
			if err := c.changed(change, content); err != nil {
				return err
			}
		}
		return nil
	}
	names, err := c.walk(".")
	for _, name := range names {
		if err == nil && c.handmade(name) {
			err = c.page(name)
		}
	}
	return err
}

// handmade counts what is not, and reports whether a page is.
func (c *checker) handmade(name string) bool {
	hand := c.run.Handmade(sdk.Change{Path: name})
	if !hand {
		c.made++
	}
	return hand
}

func (c *checker) changed(change sdk.Change, content *sdk.Content) error {
	if !c.handmade(change.Path) {
		return nil
	}
	p, err := c.once(change, content)
	if err != nil {
		return errors.New("cannot check " + strconv.Quote(change.Path) + ": " + err.Error())
	}
	if p != noLinks {
		c.keep(change.Path, p)
	}
	return c.follow(change.Path, p)
}

// maxPage is how large a page may be that is read, in bytes. Forges show none
// that is a tenth of it.
const maxPage = 4 << 20

// once parses a changed page, and of those with the same content the first: to
// parse it is the most of what a small page costs.
func (c *checker) once(change sdk.Change, content *sdk.Content) (*page, error) {
	if p, known := c.parsed[change.NewID]; known && change.NewID != "" {
		return p, nil
	}
	p, err := c.parse(content.Size, content, mayLink)
	if err == nil {
		if len(c.parsed) >= maxKept {
			clear(c.parsed)
		}
		c.parsed[change.NewID] = p
	}
	return p, err
}

// noLinks is a page without any, of which the anchors were not looked for.
var noLinks = &page{}

// mayLink reports whether a page is worth to be parsed for its links: each has
// a bracket.
func mayLink(text []byte) bool { return bytes.IndexByte(text, '[') >= 0 }

func always([]byte) bool { return true }

// parse reads a page that is worth it, else noLinks; nil: it is too large.
func (c *checker) parse(size int64, src io.Reader, worth func([]byte) bool) (*page, error) {
	if size > maxPage {
		return nil, nil
	}
	data, err := io.ReadAll(src)
	if data = sdk.DecodeText(data); err != nil || !worth(data) {
		return noLinks, err
	}
	return c.reader.parse(data), nil
}

// maxKept is how many pages are cached for the links of others.
const maxKept = 1000

func (c *checker) keep(name string, p *page) {
	if len(c.pages) >= maxKept {
		clear(c.pages)
	}
	c.pages[name] = p
}

func (c *checker) walk(folder string) (names []string, err error) {
	entries, err := c.run.List(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case e.IsDir():
			below, err := c.walk(name)
			if err != nil {
				return nil, err
			}
			names = append(names, below...)
		case e.Type().IsRegular() && c.matches(c.files, name):
			names = append(names, name)
		}
	}
	return names, nil
}

func (c *checker) matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { ok, _ := sdk.Match(g, name); return ok })
}

// page looks at every link of a file.
func (c *checker) page(name string) error {
	p, err := c.read(name)
	if err != nil {
		return errors.New("cannot check " + strconv.Quote(name) + ": " + err.Error())
	}
	return c.follow(name, p)
}

// follow follows the links of a page.
func (c *checker) follow(name string, p *page) error {
	if p == nil {
		c.run.Report(sdk.Finding{Path: name, Rule: "too-large",
			Message: "the page is larger than " + strconv.Itoa(maxPage>>20) +
				" MiB, its links are not checked: split it, or exclude it with the setting files"})
		return nil
	}
	c.looked++
	for _, l := range p.links {
		c.targets++
		if err := c.link(name, l); err != nil {
			return errors.New("cannot check " + strconv.Quote(name) + ": " + err.Error())
		}
	}
	return nil
}

func (c *checker) read(name string) (*page, error) {
	if p, known := c.pages[name]; known {
		return p, nil
	}
	f, err := c.run.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p, err := c.parse(info.Size(), f, always)
	if err == nil {
		c.keep(name, p)
	}
	return p, err
}

func (c *checker) link(from string, l link) error {
	target, anchor, inside := l.inside()
	if !inside {
		return nil
	}
	at, out := resolve(from, target)
	switch {
	case c.matches(c.ignore, strings.TrimPrefix(at, "./")):
		return nil
	case out:
		c.report(from, l, "leads out of the repository")
		return nil
	}
	found, err := c.find(at)
	switch {
	case errors.Is(err, sdk.ErrOutside):
		c.report(from, l, "the symbolic link "+strconv.Quote(found.Path)+" leads out of the repository")
		return nil
	case errors.Is(err, sdk.ErrLoop):
		c.report(from, l, "the symbolic link "+strconv.Quote(found.Path)+" leads to itself")
		return nil
	case errors.Is(err, fs.ErrNotExist):
		c.report(from, l, "there is no "+strconv.Quote(at)+through(at, found.Path))
		return nil
	}
	if err != nil || anchor == "" || found.Submodule {
		return err
	}
	return c.heading(from, l, found, anchor)
}

// found is where a path leads, or why not.
type found struct {
	sdk.Followed
	err error
}

// find follows a path, once for all links to it.
func (c *checker) find(at string) (sdk.Followed, error) {
	f, known := c.found[at]
	if !known {
		if len(c.found) >= 10*maxKept {
			clear(c.found)
		}
		f.Followed, f.err = sdk.Follow(c.run, at)
		c.found[at] = f
	}
	return f.Followed, f.err
}

// through names where a symbolic link led.
func through(at, end string) string {
	if end == at || end == "" {
		return ""
	}
	return ": a symbolic link leads to " + strconv.Quote(end)
}

// heading looks for the anchor, where the target is a page that has some.
func (c *checker) heading(from string, l link, target sdk.Followed, anchor string) error {
	at := target.Path
	if target.IsDir {
		name, err := c.readme(at)
		if err != nil || name == "" {
			return err
		}
		at = name
	}
	if !strings.HasSuffix(strings.ToLower(at), ".md") {
		return nil
	}
	p, err := c.read(at)
	if err != nil {
		return err
	}
	if p != nil && !p.has(anchor) {
		c.report(from, l, "there is no heading #"+anchor+" in "+strconv.Quote(at))
	}
	return nil
}

// readme is the page that forges show for a folder; empty: there is none, and
// it has no headings.
func (c *checker) readme(folder string) (string, error) {
	entries, err := c.run.List(folder)
	for _, e := range entries {
		if strings.EqualFold(e.Name(), "README.md") {
			found, err := sdk.Follow(c.run, path.Join(folder, e.Name()))
			if err != nil || found.IsDir {
				return "", nil
			}
			return found.Path, nil
		}
	}
	return "", err
}

func (c *checker) report(from string, l link, what string) {
	c.run.Report(sdk.Finding{Path: from, Line: l.line, Rule: "link",
		Message: "link to " + strconv.Quote(l.target) + ": " + what})
}

// resolve makes a path of the repository of a target.
func resolve(from, target string) (at string, out bool) {
	if target == "" {
		return from, false
	}
	joined := path.Join(path.Dir(from), target)
	if strings.HasPrefix(target, "/") { // forges take it from the repository's top
		joined = path.Join(".", strings.TrimLeft(target, "/"))
	}
	return joined, joined == ".." || strings.HasPrefix(joined, "../")
}
