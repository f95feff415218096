// Command links is a lane plugin that follows the links of Markdown files
// inside the repository: files, folders, images and headings must be there.
package main

import (
	"errors"
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
	pages   map[string]*page // read so far, by path; nil: cannot be read as one
	looked  int
	targets int
}

func check(run *sdk.Run) error {
	c := &checker{run: run, files: run.With("files").Strings(), ignore: run.With("ignore").Strings(), pages: map[string]*page{}}
	if len(c.files) == 0 {
		c.files = []string{"**/*.md"}
	}
	names, err := c.names()
	for _, name := range names {
		if err == nil {
			err = c.page(name)
		}
	}
	if err != nil {
		return err
	}
	return run.Pass(strconv.Itoa(c.targets) + " links in " + strconv.Itoa(c.looked) + " files looked at")
}

// names are the files to look at. A file that is gone, or moved, may be what
// any other linked to.
func (c *checker) names() ([]string, error) {
	all := c.run.With("all").Bool()
	for range c.run.Deleted() {
		all = true
		break
	}
	if all {
		return c.walk(".")
	}
	var names []string
	for ch := range c.run.Changed(c.files...) {
		if ch.Mode == "100644" || ch.Mode == "100755" {
			names = append(names, ch.Path)
		}
	}
	return names, nil
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
	data, err := c.run.Read(name)
	if err != nil {
		return nil, err
	}
	p := parse(data)
	c.pages[name] = p
	return p, nil
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
	info, err := c.run.Stat(at)
	if errors.Is(err, fs.ErrNotExist) {
		c.report(from, l, "there is no "+strconv.Quote(at))
		return nil
	}
	if err != nil || anchor == "" {
		return err
	}
	return c.heading(from, l, at, anchor, info)
}

// heading looks for the anchor, where the target is a page that has some.
func (c *checker) heading(from string, l link, at, anchor string, info fs.FileInfo) error {
	if info.IsDir() {
		at = path.Join(at, "README.md")
	}
	if !strings.HasSuffix(strings.ToLower(at), ".md") || anchor == "top" {
		return nil
	}
	p, err := c.read(at)
	if errors.Is(err, fs.ErrNotExist) {
		c.report(from, l, "there is no "+strconv.Quote(at))
		return nil
	}
	if err != nil {
		return err
	}
	if !p.anchors[anchor] && !p.anchors[strings.ToLower(anchor)] {
		c.report(from, l, "there is no heading #"+anchor+" in "+strconv.Quote(at))
	}
	return nil
}

func (c *checker) report(from string, l link, what string) {
	c.run.Report(sdk.Finding{Path: from, Line: l.line, Rule: "link", Message: "link to " + strconv.Quote(l.target) + ": " + what})
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
