package lanes

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// importLefthook reads the commands, jobs and scripts of the hooks of a
// lefthook file, with the files that it extends.
func importLefthook(d *draft, source string, data []byte) error {
	root, err := readLefthook(source, data)
	if err != nil {
		return err
	}
	x := extender{files: d.files, source: source, seen: map[string]bool{}}
	if root, err = x.extend(root); err != nil {
		return err
	}
	h := &lefthook{d: d, globs: gobwasGlobs, templates: root.get("templates"), scripts: root.get("source_dir").text()}
	if root.get("glob_matcher").text() == "doublestar" {
		h.globs = doublestarGlobs
	}
	for _, name := range x.missing {
		h.elsewhere("extends", name, "it extends "+Quoted(name)+", which could not be read")
	}
	for _, e := range root.entries() {
		h.top(e)
	}
	return nil
}

func readLefthook(source string, data []byte) (node, error) {
	if strings.HasSuffix(source, ".toml") {
		return readTOML(source, data)
	}
	return readYAML(source, data)
}

type lefthook struct {
	d         *draft
	globs     dialect
	templates node
	scripts   string // folder of scripts; "" is .lefthook
}

func (h *lefthook) top(e entry) {
	switch e.key {
	case "glob_matcher", "min_version", "assert_lefthook_installed", "colors", "output", "skip_output", "no_tty",
		"templates",
		"source_dir", "source_dir_local", "skip_lfs", "no_auto_install", "install_non_git_hooks", "lefthook", "extends", "ai":
	case "rc":
		h.d.note("No equivalent for \"rc\": %s, which sets variables before each command.", e.value)
	case "remote", "remotes":
		remotes := e.value.items()
		if len(e.value.entries()) > 0 {
			remotes = []node{e.value}
		}
		for _, r := range remotes {
			h.elsewhere("remote", r.get("git_url").plain(), "its lanes are in another repository: "+r.String())
		}
	default:
		h.named(e)
	}
}

// elsewhere adds a lane that refuses for what a file takes from another place.
func (h *lefthook) elsewhere(id, name, why string) {
	lane := draftLane{id: id + " " + path.Base(name), on: []string{"pre-commit", "pre-push"}}
	lane.note("Import that file as well, and replace this lane by its lanes.")
	lane.refuse(why)
	h.d.add(lane, "")
}

// hookGates are the gates of git's hooks that can say no. A hook without a
// gate of ours is judged at the push.
func hookGates(name string) (gate string, equal bool) {
	switch name {
	case "pre-commit", "pre-push", "pre-receive":
		return name, true
	case "pre-merge-commit":
		return "pre-commit", true
	case "commit-msg", "prepare-commit-msg":
		return "commit-msg", false
	case "applypatch-msg", "pre-applypatch", "pre-rebase", "update", "proc-receive", "reference-transaction",
		"push-to-checkout",
		"sendemail-validate", "fsmonitor-watchman", "p4-changelist", "p4-prepare-changelist", "p4-pre-submit":
		return "pre-push", false
	case "post-applypatch", "post-checkout", "post-commit", "post-index-change", "post-merge", "post-receive",
		"post-rewrite",
		"post-update", "pre-auto-gc", "p4-post-changelist":
		return "", false
	}
	return "manual", true // of no hook of git: it is run by hand
}

func (h *lefthook) named(e entry) {
	gate, equal := hookGates(e.key)
	hook := slices.ContainsFunc(e.value.entries(), func(e entry) bool {
		return slices.Contains(
			[]string{"commands", "scripts", "jobs"}, e.key)
	})
	if !hook && gate == "manual" {
		h.d.note("No equivalent for %s: %s", Quoted(e.key), e.value)
		return
	}
	if gate == "" {
		h.d.note("No equivalent for %s, which refuses nothing: %s", Quoted(e.key), e.value)
		return
	}
	k := hookReader{lefthook: h, name: e.key, gate: gate, files: e.value.get("files").v != nil}
	if !equal {
		k.why = "it ran as the hook " + e.key + ", which has no equivalent"
	}
	k.read(e.value)
}

// hookReader is one hook of the file on its way.
type hookReader struct {
	*lefthook
	name, gate string
	why        string   // why its lanes refuse; "" where they may run
	files      bool     // a separate command lists the files
	setup      []string // scripts before each command
}

func (h *hookReader) read(value node) {
	h.options(value)
	for _, e := range value.entries() {
		switch e.key {
		case "commands", "scripts":
			for _, c := range e.value.entries() {
				h.job(c.key, c.value, e.key == "scripts")
			}
		case "jobs":
			h.jobs(e.value, nil)
		}
	}
}

// options reads what holds for all of a hook's jobs. What is left out only
// makes them run more often.
func (h *hookReader) options(value node) {
	for _, e := range value.entries() {
		switch e.key {
		case "commands", "scripts", "jobs", "parallel", "piped", "follow":
		case "setup":
			for _, s := range e.value.items() {
				h.setup = append(h.setup, h.filled(s.get("run").text()))
			}
		case "exclude", "exclude_tags", "skip", "only", "files", "fail_on_changes_diff":
			h.d.note("No equivalent for %s of %s: %s. So its lanes run more often.", Quoted(e.key), h.name, e.value)
		case "fail_on_changes":
			h.d.note("No equivalent for %s of %s: %s. A lane cannot change files.", Quoted(e.key), h.name, e.value)
		default:
			h.d.note("No equivalent for %s of %s: %s", Quoted(e.key), h.name, e.value)
			h.why = "its hook has the unknown key " + e.key
		}
	}
}

// jobs reads a list of jobs. A group hands down what it says of all its jobs.
func (h *hookReader) jobs(jobs node, from mapping) {
	for i, job := range jobs.items() {
		job = inherited(job, from)
		if group := job.get("group"); group.v != nil {
			h.d.note("A group of jobs of %s is written out as single lanes.", h.name)
			h.jobs(group.get("jobs"), handedDown(job, group))
			continue
		}
		name := job.get("name").text()
		if name == "" {
			name = fmt.Sprintf("%s-%d", h.name, i+1)
		}
		h.job(name, job, false)
	}
}

// handedDown is what the jobs of a group have from it.
func handedDown(job, group node) mapping {
	var down mapping
	for _, e := range slices.Concat(job.entries(), group.entries()) {
		switch e.key {
		case "name", "group", "jobs", "parallel", "piped", "run", "script":
		default:
			if !down.has(e.key) {
				down = append(down, e)
			}
		}
	}
	return down
}

// inherited gives a job what it does not say itself. The variables and the
// exclusions of a group are added to its own.
func inherited(job node, from mapping) node {
	own := slices.Clone(job.entries())
	for _, e := range from {
		i := slices.IndexFunc(own, func(o entry) bool { return o.key == e.key })
		switch {
		case i < 0:
			own = append(own, e)
		case e.key == "env":
			own[i].value = overlaid(e.value, own[i].value)
		case e.key == "glob" || e.key == "root":
			own[i].value = node{} // both count; without either it runs more often
		}
	}
	return node{mapping(own)}
}

var lefthookFiles = regexp.MustCompile(`\{(staged_files|push_files|all_files|files|cmd|lefthook_job_name|\d+)\}`)

func (h *hookReader) job(name string, job node, script bool) {
	lane := draftLane{id: name, on: []string{h.gate}}
	if slug(name) != name {
		lane.title = name
	}
	why := h.work(&lane, name, job, script)
	own := job.get("files").v != nil || h.files
	for _, e := range job.entries() {
		switch e.key {
		case "name", "run", "script", "runner", "args", "root", "env":
		case "tags", "priority", "fail_text", "stage_fixed", "skip", "only", "file_types", "files", "timeout":
			lane.note("No equivalent for %s: %s", Quoted(e.key), e.value)
		case "glob":
			if !own {
				h.trigger(&lane, e.value)
			}
		case "exclude":
			if !own {
				h.exclude(&lane, e.value)
			}
		default:
			lane.note("No equivalent for %s: %s", Quoted(e.key), e.value)
			if !e.value.is(false) { // interactive, use_stdin, and keys of a later lefthook
				why = fmt.Sprintf("lane %q has the key %s, which has no equivalent", name, e.key)
			}
		}
	}
	if why == "" {
		why = h.why
	}
	if why != "" {
		lane.note("It ran %s.", Quoted(lane.run))
		lane.refuse(why)
	}
	h.d.add(lane, "-"+h.name)
}

// work settles what the lane runs, and says why it cannot run that.
func (h *hookReader) work(lane *draftLane, name string, job node, isScript bool) string {
	run := h.filled(job.get("run").text())
	file := job.get("script").text()
	if isScript {
		file = name
	}
	if file != "" {
		words := []string{job.get("runner").text(), shellQuote(path.Join(or(h.scripts, ".lefthook"), h.name, file)),
			job.get("args").plain()}
		run = strings.TrimSpace(strings.Join(words, " "))
	}
	script, err := environment(job.get("env"))
	script = append(script, h.setup...)
	if root := job.get("root").text(); root != "" {
		script = append(script, "cd "+shellQuote(root))
	}
	lane.run = strings.Join(append(script, run), "\n")
	switch {
	case run == "":
		return fmt.Sprintf("lane %q has no command", name)
	case err != nil:
		return fmt.Sprintf("lane %q: %s", name, err)
	case lefthookFiles.MatchString(lane.run):
		return fmt.Sprintf("the command of lane %q takes the names of files", name)
	case file != "" && h.gate != "pre-commit" && h.gate != "manual":
		return fmt.Sprintf("the script of lane %q got what git hands to the hook %s", name, h.name)
	}
	return ""
}

func or(text, missing string) string {
	if text == "" {
		return missing
	}
	return text
}

// filled puts the file's own templates into a command.
func (h *lefthook) filled(run string) string {
	for _, t := range h.templates.entries() {
		if run = strings.ReplaceAll(run, "{"+t.key+"}", t.value.plain()); len(run) > MaxFile {
			return run[:MaxFile]
		}
	}
	return run
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// environment writes variables as lines of a script. A value may name others.
func environment(env node) (lines []string, err error) {
	for _, e := range env.entries() {
		value := e.value.plain()
		if !variableName.MatchString(e.key) {
			return nil, fmt.Errorf("%s is not the name of a variable", Quoted(e.key))
		}
		if strings.Contains(value, "$") {
			value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(value) + `"`
		} else {
			value = shellQuote(value)
		}
		lines = append(lines, "export "+e.key+"="+value)
	}
	return lines, nil
}

func (h *hookReader) trigger(lane *draftLane, globs node) {
	d := h.globs
	d.anyCase = true
	texts := slices.DeleteFunc(globs.texts(), func(g string) bool { return g == "" })
	lane.trigger(texts, d)
}

// exclude is a list of globs, or in older files one regular expression.
func (h *hookReader) exclude(lane *draftLane, exclude node) {
	if re := exclude.text(); re != "" {
		lane.note("No equivalent for the regular expression exclude = %s. So the lane runs more often.", Quoted(re))
		return
	}
	lane.exclude(exclude.texts(), h.globs)
}
