package main

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// ignores knows the .gitignore files of the tree.
type ignores struct {
	run   *sdk.Run
	files map[string][]ignore // by folder
}

// ignore is a line of one of them.
type ignore struct {
	glob string // from the file's folder
	not  bool
}

// elsewhere reports whether a path that the tree has not got is one that others
// put there: into a folder of packages, one that git ignores, or a submodule. A
// schema in it is for editors.
func (g *ignores) elsewhere(name string) (bool, error) {
	found, err := sdk.Follow(g.run, name)
	switch {
	case err == nil:
		return found.Submodule, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, nil // a link that leads nowhere is the schema's fault
	}
	parts := strings.Split(name, "/")
	for _, folder := range []string{"node_modules", "bower_components", ".venv", "site-packages", ".yarn"} {
		if slices.Contains(parts, folder) {
			return true, nil
		}
	}
	for n := range parts {
		if ignored, err := g.has(strings.Join(parts[:n+1], "/")); err != nil || ignored {
			return ignored, err
		}
	}
	return false, nil
}

// has reports whether git ignores a path: of the lines that match it in the
// files from the top down the last one counts.
func (g *ignores) has(name string) (bool, error) {
	ignored := false
	for dir := "."; ; {
		lines, err := g.lines(dir)
		if err != nil {
			return false, err
		}
		rest := strings.TrimPrefix(name, strings.TrimPrefix(dir+"/", "./"))
		for _, line := range lines {
			if ok, _ := sdk.Match(line.glob, rest); ok {
				ignored = !line.not
			}
		}
		next, _, below := strings.Cut(rest, "/")
		if !below {
			return ignored, nil
		}
		dir = path.Join(dir, next)
	}
}

func (g *ignores) lines(dir string) ([]ignore, error) {
	if known, ok := g.files[dir]; ok {
		return known, nil
	}
	name := path.Join(dir, ".gitignore")
	info, err := g.run.Stat(name)
	var lines []ignore
	if err == nil && info.Mode().IsRegular() && info.Size() <= maxFile {
		var text []byte
		if text, err = g.run.Read(name); err == nil {
			lines = parseIgnores(string(sdk.DecodeText(text)))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if g.files == nil {
		g.files = map[string][]ignore{}
	}
	g.files[dir] = lines
	return lines, err
}

// parseIgnores reads the lines of a .gitignore. That a pattern with a slash at
// its end means folders alone makes no difference for what is not there.
func parseIgnores(text string) (all []ignore) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, not := strings.CutPrefix(line, "!")
		pattern = strings.TrimSuffix(pattern, "/")
		if !strings.Contains(pattern, "/") {
			pattern = "**/" + pattern
		}
		all = append(all, ignore{strings.TrimPrefix(pattern, "/"), not})
	}
	return all
}
