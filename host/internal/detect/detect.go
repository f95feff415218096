// Package detect looks at a repository's files and says which projects are in it,
// how their tests are run, and what these need: an image, packages from a network,
// caches. It reads files and runs nothing of the repository.
package detect

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/bounded"
)

// Project is one project of a repository.
type Project struct {
	Lang     string // "go", "node", "python", "rust", "java", "ruby", "nix", "make"
	Dir      string // of the repository; "" its top
	Why      []string
	Plugin   string   // that runs it
	Image    string   // "docker.io/library/node:22"; "": the default one
	Run      []string // lines of a script
	Matchers []string // of what its tools print
	Caches   []string // presets: "npm", "go"
	Fetches  string   // the package manager that needs a network: "npm"; "": none does
	Hosts    []string // that it names itself as sources of its packages
}

// Other is a file of another tool, whose commands could be imported.
type Other struct {
	Tool string // as `pushlane import` names it; "": it cannot
	File string
}

// Found is what there is in a repository.
type Found struct {
	Projects []Project // the top first, then by folder
	Others   []Other
	More     int // projects that were left out
}

// maxProjects bounds the lanes that one repository gets.
const maxProjects = 12

// Look looks at a working tree. Langs are the languages that are looked for; none:
// all.
func Look(tree fs.FS, langs ...string) (Found, error) {
	dirs, err := folders(tree)
	if err != nil {
		return Found{}, err
	}
	var found Found
	for _, d := range dirs {
		for _, p := range d.projects() {
			if (len(langs) == 0 || slices.Contains(langs, p.Lang)) && !found.holds(p, d) {
				p.Dir = d.name
				found.Projects = append(found.Projects, p)
			}
		}
	}
	if len(found.Projects) > maxProjects {
		found.More = len(found.Projects) - maxProjects
		found.Projects = found.Projects[:maxProjects]
	}
	found.Others = others(tree)
	return found, nil
}

// Langs are the languages that Look knows.
func Langs() []string {
	return []string{"go", "node", "python", "rust", "java", "ruby", "nix", "make"}
}

// holds reports whether a project is a part of one above it: a workspace, whose own
// tests run it. Of a folder with projects of a language, make is how these are run.
func (f Found) holds(p Project, d *folder) bool {
	for _, above := range f.Projects {
		below := above.Dir == "" || strings.HasPrefix(d.name+"/", above.Dir+"/")
		switch {
		case above.Dir == d.name && p.Lang == "make":
			return true
		case above.Lang == p.Lang && above.Dir != d.name && below:
			return p.Lang == "node" || p.Lang == "rust" || p.Lang == "java"
		}
	}
	return false
}

// folder is one folder and the names in it.
type folder struct {
	tree  fs.FS
	name  string // "" the top
	files []string
}

// What is below these is not the repository's own, or not a project.
var skipped = map[string]bool{"node_modules": true, "vendor": true, "target": true, "dist": true, "build": true,
	"testdata": true, "third_party": true, "examples": true, "fixtures": true, "venv": true}

const (
	maxDepth   = 4     // folders below the top
	maxFolders = 4_000 // that are looked into
)

// folders lists the folders that may hold a project, the top first.
func folders(tree fs.FS) ([]*folder, error) {
	byName := map[string]*folder{}
	var all []*folder
	err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // what cannot be read is not looked at
		}
		if !e.IsDir() {
			if d := byName[parent(name)]; d != nil && e.Type().IsRegular() {
				d.files = append(d.files, path.Base(name))
			}
			return nil
		}
		base := path.Base(name)
		if name != "." && (strings.HasPrefix(base, ".") || skipped[base] || strings.Count(name, "/") >= maxDepth) {
			return fs.SkipDir
		}
		if len(all) == maxFolders {
			return fs.SkipAll
		}
		d := &folder{tree: tree, name: strings.TrimPrefix(name, ".")}
		byName[d.name] = d
		all = append(all, d)
		return nil
	})
	return all, err
}

func parent(name string) string { return strings.TrimPrefix(path.Dir(name), ".") }

func (d *folder) has(name string) bool { return slices.Contains(d.files, name) }

// hasAny is the first of the names that is there, or "".
func (d *folder) hasAny(names ...string) string {
	for _, name := range names {
		if d.has(name) {
			return name
		}
	}
	return ""
}

// maxRead is how much of a file is read, in bytes; a longer one counts as empty.
const maxRead = 4 << 20

// read is the text of a file in the folder; "" where there is none.
func (d *folder) read(name string) string {
	f, err := d.tree.Open(path.Join(".", d.name, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := bounded.ReadAll(f, maxRead)
	if err != nil {
		return ""
	}
	return string(data)
}

// below reports whether a folder is there.
func (d *folder) below(name string) bool {
	info, err := fs.Stat(d.tree, path.Join(".", d.name, name))
	return err == nil && info.IsDir()
}

// projects are those that begin in the folder.
func (d *folder) projects() []Project {
	var all []Project
	for _, look := range []func(*folder) (Project, bool){goProject, nodeProject, pythonProject, rustProject, javaProject,
		rubyProject, nixProject, makeProject} {
		if p, ok := look(d); ok {
			if p.Plugin == "" {
				p.Plugin = "shell"
			}
			all = append(all, p)
		}
	}
	return all
}

// others are the files of other tools.
func others(tree fs.FS) []Other {
	var all []Other
	for _, o := range []Other{{"lefthook", "lefthook.yml"}, {"lefthook", ".lefthook.yml"}, {"lefthook", "lefthook.yaml"},
		{"pre-commit", ".pre-commit-config.yaml"}, {"", ".husky"}, {"", ".github/workflows"}, {"", ".forgejo/workflows"},
		{"", ".gitea/workflows"}, {"", ".gitlab-ci.yml"}, {"", ".woodpecker.yaml"}, {"", ".woodpecker.yml"},
		{"", ".woodpecker"}, {"", ".build.yml"}, {"", "Jenkinsfile"}, {"", ".circleci/config.yml"}, {"", ".travis.yml"}} {
		if _, err := fs.Stat(tree, o.File); err == nil || !errors.Is(err, fs.ErrNotExist) {
			all = append(all, o)
		}
	}
	return all
}
