package lanes

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Recipe is how an image is made that lanes of the file name.
type Recipe struct {
	Name     string
	From     string            // image of a registry, alias of Incus, or another recipe
	Packages []string          // of the image's own package manager
	Run      []string          // scripts, each a step of its own, as root in the files
	Env      map[string]string // of the steps, and of containers of the image
	Files    []string          // globs of what of the repository is there for Run; none: nothing
	Network  bool              // for Run; Packages always need one
	Line     int               // of the recipe's header, from 1
}

const maxRecipes = 50

var (
	packageForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_:=~-]{0,199}$`)
	variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)
)

func (l *loader) recipes(t table) {
	all, ok := t.table("image")
	if !ok {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(all.values)) {
		r, ok := all.table(name)
		if !ok {
			continue
		}
		if !validID(name) {
			l.fault(r.place.at(), "image %q: %s", name, idRule)
		}
		l.set.Images[name] = l.recipe(name, r)
	}
	if len(l.set.Images) > maxRecipes {
		l.fault(all.place.at(), "%d images, more than the %d allowed", len(l.set.Images), maxRecipes)
	}
	for _, name := range slices.Sorted(maps.Keys(l.set.Images)) {
		l.checkRing(l.set.Images[name])
	}
}

func (l *loader) recipe(name string, t table) Recipe {
	t.known("from", "packages", "run", "env", "files", "network")
	r := Recipe{Name: name, From: t.text("from", ""), Packages: t.texts("packages"), Run: l.steps(t),
		Env: l.variables(t), Files: l.patterns(t, "files"), Network: t.boolean("network", false), Line: t.place.at()}
	switch {
	case !t.has("from"):
		l.fault(t.place.at(), "image %q has no `from`; write `from = \"docker.io/library/debian:bookworm\"`", name)
	case t.isText("from") && (r.From == "" || strings.ContainsAny(r.From, " \t\n")):
		l.fault(t.line("from"), "%sfrom: %q is not an image", t.name, r.From)
	}
	for i, p := range r.Packages {
		if !packageForm.MatchString(p) {
			l.fault(t.itemLine("packages", i), "%spackages: %q is not the name of a package", t.name, p)
		}
	}
	return r
}

// steps reads one script, or a list of them.
func (l *loader) steps(t table) []string {
	if t.isText("run") {
		return []string{t.text("run", "")}
	}
	return t.texts("run")
}

func (l *loader) variables(t table) map[string]string {
	env, ok := t.table("env")
	if !ok {
		return nil
	}
	all := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(env.values)) {
		if !variableForm.MatchString(name) {
			l.fault(env.line(name), "%s%s is not the name of a variable", env.name, name)
		}
		all[name] = env.text(name, "")
	}
	return all
}

// checkRing finds recipes that are made of each other.
func (l *loader) checkRing(r Recipe) {
	seen := []string{r.Name}
	for {
		next, ok := l.set.Images[r.From]
		if !ok {
			return
		}
		if slices.Contains(seen, next.Name) {
			if next.Name == seen[0] {
				l.fault(next.Line, "image %q is made of itself: %s", next.Name, strings.Join(append(seen, next.Name), " from "))
			}
			return
		}
		seen, r = append(seen, next.Name), next
	}
}
