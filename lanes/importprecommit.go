package lanes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// importPreCommit reads the hooks of a .pre-commit-config.yaml. Only hooks of
// the repository itself say what they run; those of other repositories become
// lanes that refuse until their command is written.
func importPreCommit(d *draft, source string, data []byte) error {
	root, err := readYAML(source, data)
	if err != nil {
		return err
	}
	p := &preCommit{d: d, stages: root.get("default_stages").texts(),
		installed: root.get("default_install_hook_types").texts()}
	for _, e := range root.entries() {
		switch e.key {
		case "repos":
			for _, repo := range e.value.items() {
				for _, hook := range repo.get("hooks").items() {
					p.hook(repo, hook)
				}
			}
		case "default_stages", "default_install_hook_types", "minimum_pre_commit_version", "ci", "default_language_version",
			"fail_fast":
		case "files", "exclude":
			d.note("No equivalent for %s, which counts for every hook: %s. So the lanes run more often.", Quoted(e.key), e.value)
		default:
			d.note("No equivalent for %s: %s", Quoted(e.key), e.value)
		}
	}
	return nil
}

type preCommit struct {
	d         *draft
	stages    []string
	installed []string
}

func (p *preCommit) hook(repo, hook node) {
	lane := draftLane{id: hook.get("id").plain(), title: hook.get("name").plain()}
	if alias := hook.get("alias").plain(); alias != "" {
		lane.id = alias
	}
	why := p.gates(&lane, hook)
	if len(lane.on) == 0 {
		p.d.note("Left out: hook %s of %s, which refuses nothing at its stages.", Quoted(lane.id), repo.get("repo"))
		return
	}
	always := hook.get("always_run").is(true)
	for _, e := range hook.entries() {
		switch e.key {
		case "id", "alias", "name", "entry", "args", "stages", "always_run", "pass_filenames", "verbose", "language",
			"description",
			"language_version", "require_serial", "log_file", "minimum_pre_commit_version", "fail_fast":
		case "files":
			p.files(&lane, e.value.plain(), always)
		case "exclude":
			p.exclude(&lane, e.value.plain())
		case "types", "types_or", "exclude_types":
			lane.note("No equivalent for %s: %s. So the lane runs for files of every type.", Quoted(e.key), e.value)
		case "additional_dependencies":
			lane.note("No equivalent for %s: %s", Quoted(e.key), e.value)
		default:
			lane.note("No equivalent for %s: %s", Quoted(e.key), e.value)
			why = or(why, fmt.Sprintf("lane %q has the key %s, which has no equivalent", lane.id, e.key))
		}
	}
	if why = or(p.work(&lane, repo, hook), why); why != "" {
		lane.refuse(why)
	}
	p.d.add(lane, "")
}

// work settles what the lane runs, and says why it cannot run that.
func (p *preCommit) work(lane *draftLane, repo, hook node) string {
	where, entry, language := repo.get("repo").plain(), hook.get("entry").plain(), hook.get("language").plain()
	args := hook.get("args").texts()
	if where != "local" {
		lane.note("It is hook %s of %s at %s.", Quoted(hook.get("id").plain()), where, repo.get("rev"))
		return fmt.Sprintf("the code of lane %q is in another repository", lane.id)
	}
	if entry == "" {
		return fmt.Sprintf("lane %q has no entry", lane.id)
	}
	if language == "fail" {
		return fmt.Sprintf("lane %q refuses its files: %s", lane.id, entry)
	}
	words, err := shellWords(entry)
	if err != nil || len(words) == 0 {
		lane.note("It ran %s.", Quoted(entry))
		return fmt.Sprintf("the entry of lane %q cannot be read", lane.id)
	}
	if inRepository := language == "script" || language == "unsupported_script"; inRepository &&
		!strings.Contains(words[0], "/") {
		words[0] = "./" + words[0]
	}
	lane.command = slices.Concat(words, args)
	said := fmt.Sprintf("%q", lane.command)
	switch {
	case !slices.Contains([]string{"", "system", "script", "unsupported", "unsupported_script"}, language):
		lane.note("It ran %s in an environment of %s.", said, language)
		return fmt.Sprintf("lane %q ran in an environment that pre-commit makes", lane.id)
	case !hook.get("pass_filenames").is(false):
		lane.note("It ran %s with the names of the files after it.", said)
		return fmt.Sprintf("the command of lane %q takes the names of files", lane.id)
	}
	return ""
}

// shellWords splits an entry as Python's shlex does: quotes and backslashes,
// and nothing else of a shell.
func shellWords(text string) ([]string, error) {
	var words []string
	var b strings.Builder
	started, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		escape := c == '\\' && (quote == 0 || quote == '"' && i+1 < len(text) && strings.IndexByte(`"\`, text[i+1]) >= 0)
		switch {
		case escape && i+1 == len(text):
			return nil, errors.New("it ends in a backslash")
		case escape:
			i++
			b.WriteByte(text[i])
			started = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, started = c, true
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			if started {
				words = append(words, b.String())
			}
			started = false
			b.Reset()
		default:
			b.WriteByte(c)
			started = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote of it does not close")
	}
	if started {
		words = append(words, b.String())
	}
	return words, nil
}

// gates turns a hook's stages into gates. A hook without stages runs at all of
// them, so it keeps those that check what is committed or pushed, and what the
// file installs beyond these. A stage that can refuse and has no gate is judged
// at the push, by a lane that refuses: why says so.
func (p *preCommit) gates(lane *draftLane, hook node) (why string) {
	stages := hook.get("stages").texts()
	if len(stages) == 0 {
		stages = p.stages
	}
	if len(stages) == 0 {
		stages = append([]string{"pre-commit", "pre-push"}, p.installed...)
	}
	add := func(gate string) {
		if !slices.Contains(lane.on, gate) {
			lane.on = append(lane.on, gate)
		}
	}
	for _, s := range stages {
		switch s {
		case "commit", "pre-commit", "merge-commit", "pre-merge-commit":
			add("pre-commit")
		case "push", "pre-push":
			add("pre-push")
		case "commit-msg", "prepare-commit-msg":
			add("commit-msg")
		case "manual":
			add("manual")
		case "post-checkout", "post-commit", "post-merge", "post-rewrite":
			lane.note("No equivalent for the stage %s, which refuses nothing.", Quoted(s))
		default:
			lane.note("No equivalent for the stage %s.", Quoted(s))
			add("pre-push")
			why = fmt.Sprintf("lane %q ran at the stage %s, which has no equivalent", lane.id, s)
		}
	}
	return why
}

func (p *preCommit) files(lane *draftLane, re string, always bool) {
	if always {
		lane.note("always_run, so the lane does not look at files = %s.", Quoted(re))
		return
	}
	forms, err := regexpForms(re)
	if err == nil {
		lane.paths, err = widened(forms, false)
	}
	if err != nil {
		lane.note("No equivalent for the regular expression files = %s. So the lane runs on every change.", Quoted(re))
	}
}

// exclude takes what of an expression has an equal. An empty one and `^$`, the
// default, exclude nothing.
func (p *preCommit) exclude(lane *draftLane, re string) {
	if re == "" || re == "^$" {
		return
	}
	forms, err := regexpForms(re)
	less := err != nil
	if err == nil {
		lane.ignore, less = narrowed(forms)
	}
	if less {
		lane.note("No full equivalent for the regular expression exclude = %s. So the lane runs more often.", Quoted(re))
	}
}
