package main

import (
	"errors"
	"path"
	"strconv"
	"strings"

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

// requirements are what go.mod asks for.
func (c *checker) requirements(folder string) ([]dependency, error) {
	file := path.Join(folder, "go.mod")
	text, _, err := c.read(file)
	if err != nil {
		return nil, err
	}
	var all []dependency
	inside, n := false, 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(strings.TrimSpace(line), "//")
		rest, single := strings.CutPrefix(line, "require ")
		words := strings.Fields(rest)
		switch {
		case line == "require (" || line == "require(":
			inside = true
		case line == ")":
			inside = false
		case (inside || single) && len(words) == 2:
			all = append(all, dependency{name: strings.Trim(words[0], `"`), version: words[1], file: file, line: n,
				why: "it is not vendored (go mod vendor)"})
		}
	}
	return all, nil
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
		c.run.Report(sdk.Finding{Path: file, Rule: "lock-file", Message: "cannot read the lock file: " + err.Error()})
		return nil, nil
	}
	if !lock.Get("packages").Exists() {
		c.run.Report(sdk.Finding{Path: file, Level: c.level, Rule: "unknown", Message: "the lock file is of a version that names no licences: make it anew with npm 7 or later"})
		return nil, nil
	}
	lines := keyLines(text)
	var all []dependency
	for place, p := range lock.Get("packages").Members() {
		i := strings.LastIndex(place, "node_modules/")
		if i < 0 || p.Get("link").Bool() || p.Get("dev").Bool() && !c.dev {
			continue // a part of the repository itself, or not asked for
		}
		d := dependency{name: place[i+len("node_modules/"):], version: p.Get("version").String(), licence: npmLicence(p), file: file, line: lines[place]}
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
	return v.Get("type").String()
}

// keyLines says on which line each key of the lock file stands.
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

// crates are those that Cargo.lock takes from elsewhere; cargo vendor brings
// their manifests, which name the licence.
func (c *checker) crates(folder string) ([]dependency, error) {
	file := path.Join(folder, "Cargo.lock")
	text, there, err := c.read(file)
	if err != nil || !there {
		return nil, err
	}
	var all []dependency
	var d dependency
	source, n := false, 0
	for line := range strings.Lines(text + "\n[[package]]\n") {
		n++
		key, value := tomlString(line)
		switch {
		case strings.TrimSpace(line) == "[[package]]":
			if source {
				if d.licence, d.why, err = c.crate(folder, d); err != nil {
					return nil, err
				}
				all = append(all, d)
			}
			d, source = dependency{file: file}, false
		case key == "name":
			d.name, d.line = value, n
		case key == "version":
			d.version = value
		case key == "source":
			source = true
		}
	}
	return all, nil
}

// crate reads the manifest of a vendored crate, whose folder may have its
// version in its name.
func (c *checker) crate(folder string, d dependency) (licence, why string, err error) {
	if strings.ContainsAny(d.name+d.version, "/\\") {
		return "", "", errors.New("cannot read " + strconv.Quote(d.file) + ": it names a crate " + strconv.Quote(d.name))
	}
	for _, name := range []string{d.name + "-" + d.version, d.name} {
		dir := path.Join(folder, "vendor", name)
		text, there, err := c.read(path.Join(dir, "Cargo.toml"))
		if err != nil {
			return "", "", err
		}
		said := packageKeys(text)
		if !there || said["version"] != d.version {
			continue
		}
		if said["license"] != "" {
			return said["license"], "", nil
		}
		licence, _, why, err = c.licenceIn(dir)
		return licence, why, err
	}
	return "", "it is not vendored (cargo vendor)", nil
}

// packageKeys are the strings of a manifest's section [package].
func packageKeys(text string) map[string]string {
	all := map[string]string{}
	section := ""
	for line := range strings.Lines(text) {
		if bare := strings.TrimSpace(line); strings.HasPrefix(bare, "[") {
			section = bare
		}
		if key, value := tomlString(line); section == "[package]" && key != "" {
			all[key] = value
		}
	}
	return all
}

// tomlString reads a line such as name = "serde", as cargo writes them.
func tomlString(line string) (key, value string) {
	key, rest, ok := strings.Cut(strings.TrimSpace(line), " = \"")
	value, _, closed := strings.Cut(rest, "\"")
	if !ok || !closed {
		return "", ""
	}
	return key, value
}
