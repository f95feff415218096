package lanes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// importPreCommit reads the hooks of a .pre-commit-config.yaml. Only hooks of
// the repository itself say what they run; those of other repositories become
// lanes that refuse until somebody writes it.
func importPreCommit(d *draft, source string, data []byte) error {
	root, err := readYAML(source, data)
	if err != nil {
		return err
	}
	p := &preCommit{d: d, stages: root.get("default_stages").texts()}
	for _, e := range root.entries() {
		switch e.key {
		case "repos":
			for _, repo := range e.value.items() {
				for _, hook := range repo.get("hooks").items() {
					p.hook(repo, hook)
				}
			}
		case "default_stages", "minimum_pre_commit_version":
		case "files", "exclude":
			d.note("No equal for %s, which counts for every hook: %s", quoted(e.key), e.value)
		default:
			d.note("No equal for %s: %s", quoted(e.key), e.value)
		}
	}
	return nil
}

type preCommit struct {
	d      *draft
	stages []string
}

func (p *preCommit) hook(repo, hook node) {
	lane := draftLane{id: hook.get("id").text(), title: hook.get("name").text()}
	if alias := hook.get("alias").text(); alias != "" {
		lane.id = alias
	}
	lane.on = p.gates(&lane, hook)
	lane.run = command(hook)
	if lane.id == "" || len(lane.on) == 0 {
		p.d.note("Left out: hook %s of %s, which runs at no gate of ours.", quoted(lane.id), repo.get("repo"))
		return
	}
	always := hook.get("always_run").is(true)
	for _, e := range hook.entries() {
		switch e.key {
		case "id", "alias", "name", "entry", "args", "stages", "always_run", "pass_filenames", "verbose":
		case "files":
			p.files(&lane, e.value.text(), always)
		case "exclude":
			p.exclude(&lane, e.value.text())
		case "types", "types_or":
			lane.note("No equal for %s: %s. So the lane runs for files of every type.", quoted(e.key), e.value)
		default:
			lane.note("No equal for %s: %s", quoted(e.key), e.value)
		}
	}
	p.work(&lane, repo, hook)
	p.d.add(lane, "")
}

func (p *preCommit) work(lane *draftLane, repo, hook node) {
	where := repo.get("repo").text()
	switch {
	case where != "local":
		lane.note("It is hook %s of %s at %s.", quoted(hook.get("id").text()), where, repo.get("rev"))
		lane.refuse(fmt.Sprintf("the code of lane %q is in another repository", lane.id))
	case hook.get("entry").text() == "":
		lane.refuse(fmt.Sprintf("lane %q came without an entry", lane.id))
	case !hook.get("pass_filenames").is(false):
		lane.note("It ran %s with the names of the files after it.", quoted(lane.run))
		lane.refuse(fmt.Sprintf("the command of lane %q asked for names of files", lane.id))
	}
}

func command(hook node) string {
	words := []string{hook.get("entry").text()}
	for _, arg := range hook.get("args").texts() {
		words = append(words, shellQuote(arg))
	}
	return strings.Join(words, " ")
}

// gates turns a hook's stages into gates.
func (p *preCommit) gates(lane *draftLane, hook node) []string {
	stages := hook.get("stages").texts()
	if len(stages) == 0 {
		stages = p.stages
	}
	if len(stages) == 0 {
		return []string{"pre-commit"}
	}
	var on []string
	for _, s := range stages {
		gate := map[string]string{"commit": "pre-commit", "pre-commit": "pre-commit", "push": "pre-push", "pre-push": "pre-push", "manual": "manual"}[s]
		switch {
		case gate == "":
			lane.note("No equal for the stage %s.", quoted(s))
		case !slices.Contains(on, gate):
			on = append(on, gate)
		}
	}
	return on
}

func (p *preCommit) files(lane *draftLane, re string, always bool) {
	globs := regexpGlobs(re)
	switch {
	case always:
		lane.note("always_run, so the lane does not look at files = %s.", quoted(re))
	case globs == nil:
		lane.note("No equal for the regular expression files = %s. So the lane runs on every change.", quoted(re))
	default:
		lane.setPaths(globs)
	}
}

func (p *preCommit) exclude(lane *draftLane, re string) {
	if globs := regexpGlobs(re); globs != nil {
		lane.setIgnore(globs)
		return
	}
	lane.note("No equal for the regular expression exclude = %s.", quoted(re))
}

var (
	reEnding = regexp.MustCompile(`^\\\.(?:([A-Za-z0-9_+-]+)|\(\??:?([A-Za-z0-9_|+-]+)\))\$$`)
	reFolder = regexp.MustCompile(`^\^((?:[A-Za-z0-9_-]|\\\.|/)+)(/|\$|/\.\*)$`)
)

// regexpGlobs knows the few regular expressions that nearly all files use:
// `\.py$`, `\.(c|h)$`, `^docs/`, `^setup\.cfg$`. Nil for all others.
func regexpGlobs(re string) []string {
	if m := reEnding.FindStringSubmatch(re); m != nil {
		var globs []string
		for end := range strings.SplitSeq(m[1]+m[2], "|") {
			globs = append(globs, "**/*."+end)
		}
		return globs
	}
	if m := reFolder.FindStringSubmatch(re); m != nil {
		path := strings.TrimSuffix(strings.ReplaceAll(m[1], `\.`, "."), "/")
		if m[2] != "$" {
			path += "/"
		}
		if strings.Contains(path, "+") || path == "/" {
			return nil
		}
		return []string{path}
	}
	return nil
}
