package main

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/mod/modfile"

	"github.com/pushlane/pushlane/sdk"
)

// goModules are the modules that vendor/modules.txt has packages of. Without
// vendored code the licences are not in the repository.
func (c *checker) goModules(folder string) ([]dependency, error) {
	list := path.Join(folder, "vendor/modules.txt")
	text, there, err := c.read(list)
	if err != nil {
		return nil, err
	}
	if !there {
		return c.requirements(folder)
	}
	var all []dependency
	var last *dependency // a module of which no package was seen yet
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "## ") || len(words) == 0:
		case words[0] == "#" && len(words) > 1:
			last = &dependency{name: words[1], file: list, line: n}
			if len(words) > 2 && words[2] != "=>" {
				last.version = words[2]
			}
		case last != nil:
			last.licence, _, last.why, err = c.licenceIn(path.Join(folder, "vendor", last.name))
			if err != nil {
				return nil, err
			}
			all = append(all, *last)
			last = nil
		}
	}
	return all, nil
}

// requirements are what go.mod asks for, as the go command reads it. A module
// that is replaced by another counts as that one.
func (c *checker) requirements(folder string) ([]dependency, error) {
	file := path.Join(folder, "go.mod")
	text, there, err := c.read(file)
	if err != nil || !there {
		return nil, err
	}
	mod, err := modfile.Parse(file, []byte(text), nil)
	if err != nil { // of a later Go than this, perhaps
		mod, err = modfile.ParseLax(file, []byte(text), nil)
	}
	if err != nil {
		c.unreadable(file, err)
		return nil, nil
	}
	var all []dependency
	for _, r := range mod.Require {
		d := dependency{name: r.Mod.Path, version: r.Mod.Version, file: file, line: r.Syntax.Start.Line,
			why: "it is not vendored (go mod vendor)"}
		for _, by := range mod.Replace {
			if by.Old.Path == d.name && (by.Old.Version == "" || by.Old.Version == d.version) && by.New.Version != "" {
				d.name, d.version = by.New.Path, by.New.Version
				break
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// unreadable reports a lock file that is none.
func (c *checker) unreadable(file string, err error) {
	c.run.Report(sdk.Finding{Path: file, Rule: "lock-file", Message: "cannot read the lock file: " + oneLine(err)})
}

func oneLine(err error) string {
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return text
}

// npmPackages are those of package-lock.json, versions 2 and 3.
func (c *checker) npmPackages(folder string) ([]dependency, error) {
	file := path.Join(folder, "package-lock.json")
	text, there, err := c.read(file)
	if err != nil || !there {
		return nil, err
	}
	lock, err := sdk.ParseValue([]byte(text))
	if err != nil {
		c.unreadable(file, err)
		return nil, nil
	}
	if !lock.Get("packages").Exists() {
		c.run.Report(sdk.Finding{Path: file, Level: c.level, Rule: "unknown",
			Message: "the lock file is of a version that names no licences: make it anew with npm 7 or later"})
		return nil, nil
	}
	lines := keyLines(text)
	var all []dependency
	for place, p := range lock.Get("packages").Members() {
		i := strings.LastIndex(place, "node_modules/")
		if i < 0 || p.Get("link").Bool() || p.Get("dev").Bool() && !c.dev {
			continue // a part of the repository itself, or not asked for
		}
		d := dependency{name: place[i+len("node_modules/"):], version: p.Get("version").String(), licence: npmLicence(p),
			file: file, line: lines[place]}
		d.why = "the lock file does not name it"
		all = append(all, d)
	}
	return all, nil
}

// npmLicence is a string, or in old packages an object with a type. Other
// kinds of values say nothing.
func npmLicence(p sdk.Value) string {
	v := p.Get("license")
	if text := v.String(); text != "" {
		return text
	}
	if text := v.Get("type").String(); text != "" {
		return text
	}
	var all []string // of very old packages; whether one may choose, nothing says
	for _, one := range p.Get("licenses").Items() {
		if text := one.Get("type").String(); text != "" {
			all = append(all, "("+text+")")
		}
	}
	return strings.Join(all, " AND ")
}

// keyLines returns the line of each key of the lock file.
func keyLines(text string) map[string]int {
	all := map[string]int{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		key, ok := strings.CutPrefix(strings.TrimSpace(line), `"`)
		key, _, closed := strings.Cut(key, `": {`)
		if _, have := all[key]; ok && closed && !have {
			all[key] = n
		}
	}
	return all
}

// cargoLock is what counts of a Cargo.lock.
type cargoLock struct {
	Package []struct{ Name, Version, Source string }
}

// crates are those that Cargo.lock takes from elsewhere; cargo vendor brings
// their manifests, which name the licence.
func (c *checker) crates(folder string) ([]dependency, error) {
	file := path.Join(folder, "Cargo.lock")
	text, there, err := c.read(file)
	if err != nil || !there {
		return nil, err
	}
	var lock cargoLock
	if err := toml.Unmarshal([]byte(text), &lock); err != nil {
		c.unreadable(file, err)
		return nil, nil
	}
	lines := nameLines(text)
	var all []dependency
	for i, p := range lock.Package {
		if p.Source == "" {
			continue // a part of the repository itself
		}
		d := dependency{name: p.Name, version: p.Version, file: file}
		if len(lines) == len(lock.Package) {
			d.line = lines[i]
		}
		if d.licence, d.why, err = c.crate(folder, d); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// nameLines are the lines that begin with a key "name": of a file as cargo
// writes it one for each package.
func nameLines(text string) (all []int) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if key, _, found := strings.Cut(line, "="); found && strings.Trim(strings.TrimSpace(key), `"'`) == "name" {
			all = append(all, n)
		}
	}
	return all
}

// cargoManifest is what counts of a Cargo.toml. A value may be a table that
// leads to the workspace's: then it says nothing here.
type cargoManifest struct {
	Package struct{ Version, License any }
}

// crate reads the manifest of a vendored crate, whose folder may have its
// version in its name.
func (c *checker) crate(folder string, d dependency) (licence, why string, err error) {
	if strings.ContainsAny(d.name+d.version, "/\\") || d.name == "" || d.name == ".." {
		return "", "", errors.New("cannot read " + strconv.Quote(d.file) + ": it names a crate " + strconv.Quote(d.name))
	}
	for _, name := range []string{d.name + "-" + d.version, d.name} {
		dir := path.Join(folder, "vendor", name)
		text, there, err := c.read(path.Join(dir, "Cargo.toml"))
		if err != nil {
			return "", "", err
		}
		var manifest cargoManifest
		if !there || toml.Unmarshal([]byte(text), &manifest) != nil || manifest.Package.Version != d.version {
			continue
		}
		if said, ok := manifest.Package.License.(string); ok && said != "" {
			return said, "", nil
		}
		licence, _, why, err = c.licenceIn(dir)
		return licence, why, err
	}
	return "", "it is not vendored (cargo vendor)", nil
}
