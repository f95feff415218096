package lanes

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	tomlv2 "github.com/pelletier/go-toml/v2"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// importLefthook reads the commands, jobs and scripts of the hooks pre-push
// and pre-commit out of a lefthook file, YAML or TOML.
func importLefthook(d *draft, source string, data []byte) error {
	root, err := readLefthook(source, data)
	if err != nil {
		return err
	}
	h := &lefthook{d: d, paths: lefthookPath}
	if root.get("glob_matcher").text() == "doublestar" {
		h.paths = func(p string) []string { return []string{p} }
	}
	for _, e := range root.entries() {
		switch e.key {
		case "pre-push", "pre-commit":
			h.hook(e.key, e.value)
		case "glob_matcher", "min_version", "assert_lefthook_installed", "colors", "output", "skip_output", "no_tty":
		default:
			d.note("No equal for %s: %s", quoted(e.key), e.value)
		}
	}
	return nil
}

func readLefthook(source string, data []byte) (node, error) {
	if !strings.HasSuffix(source, ".toml") {
		return readYAML(source, data)
	}
	var doc map[string]any
	if err := tomlv2.Unmarshal(data, &doc); err != nil {
		return node{}, &FormatError{File: source, Msg: "broken TOML: " + tomlCause(err)}
	}
	return node{doc}, nil
}

type lefthook struct {
	d     *draft
	paths func(string) []string // one of their globs as ours
}

func (h *lefthook) hook(name string, hook node) {
	for _, e := range hook.entries() {
		switch e.key {
		case "commands":
			for _, c := range e.value.entries() {
				h.job(name, c.key, c.value)
			}
		case "jobs":
			h.jobs(name, e.value)
		case "parallel":
		default:
			h.d.note("No equal for %s of %s: %s", quoted(e.key), name, e.value)
		}
	}
}

func (h *lefthook) jobs(hook string, jobs node) {
	for i, job := range jobs.items() {
		if group := job.get("group"); group.v != nil {
			h.d.note("A group of jobs of %s is written out; what else the group says is left out.", hook)
			h.jobs(hook, group.get("jobs"))
			continue
		}
		name := job.get("name").text()
		if name == "" {
			name = fmt.Sprintf("%s-%d", hook, i+1)
		}
		h.job(hook, name, job)
	}
}

var lefthookFiles = regexp.MustCompile(`\{(staged_files|push_files|all_files|files|cmd|lefthook_job_name|\d+|0)\}`)

func (h *lefthook) job(hook, name string, job node) {
	lane := draftLane{id: name, on: []string{hook}}
	if slug(name) != name {
		lane.title = name
	}
	lane.run = job.get("run").text()
	for _, e := range job.entries() {
		switch e.key {
		case "name", "run", "root":
		case "glob":
			h.globs(&lane, e.value)
		case "exclude":
			h.exclude(&lane, e.value)
		default:
			lane.note("No equal for %s: %s", quoted(e.key), e.value)
		}
	}
	switch {
	case lane.run == "":
		lane.refuse(fmt.Sprintf("lane %q came without a command", name))
	case lefthookFiles.MatchString(lane.run):
		lane.note("It ran %s; there are no names of files to put in.", quoted(lane.run))
		lane.refuse(fmt.Sprintf("the command of lane %q asked for names of files", name))
	case job.get("root").text() != "":
		lane.run = "cd " + shellQuote(job.get("root").text()) + "\n" + lane.run
	}
	h.d.add(lane, "-"+hook)
}

func (h *lefthook) globs(lane *draftLane, globs node) {
	var ours []string
	for _, g := range globs.texts() {
		for _, p := range braces(g) {
			ours = append(ours, h.paths(p)...)
		}
	}
	lane.setPaths(ours)
}

// exclude is a list of globs, or in older files one regular expression.
func (h *lefthook) exclude(lane *draftLane, exclude node) {
	if re := exclude.text(); re != "" {
		lane.note("No equal for the regular expression exclude = %s.", quoted(re))
		return
	}
	var ours []string
	for _, g := range exclude.texts() {
		for _, p := range braces(g) {
			ours = append(ours, h.paths(p)...)
		}
	}
	lane.setIgnore(ours)
}

// lefthookPath writes a glob whose stars cross slashes as globs whose stars do
// not: at the start of a name "any folders, then a star", elsewhere both.
func lefthookPath(glob string) []string {
	for strings.Contains(glob, "**/*") {
		glob = strings.ReplaceAll(glob, "**/*", "*")
	}
	if strings.Count(glob, "*") > 4 {
		return []string{glob}
	}
	done := []string{""}
	for i := 0; i < len(glob); i++ {
		switch {
		case glob[i] == '\\' && i+1 < len(glob):
			done = each(done, glob[i:i+2])
			i++
		case glob[i] != '*':
			done = each(done, glob[i:i+1])
		case strings.HasPrefix(glob[i:], "**/"):
			done = each(done, "**/")
			i += 2
		case i == 0 || glob[i-1] == '/':
			done = each(done, "**/*")
		case glob[i-1] == '*': // of a pair that has been dealt with
		default:
			done = append(each(done, "*"), each(done, "*/**/*")...)
		}
	}
	return done
}

func each(starts []string, end string) []string {
	out := make([]string, len(starts))
	for i, s := range starts {
		out[i] = s + end
	}
	return out
}
