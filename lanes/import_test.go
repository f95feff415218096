package lanes

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const forgeFile = `version = 1
nightly_schedule_utc = "08:30"

[[branch.lanes]]
id = "check-rust"
title = "Rust"
entrypoint = "just check"
command = ["nix", "develop", ".#default", "-c", "just check \"all\""]
paths = ["Cargo.toml", "nix/**", "crates/**/*.{rs,toml}", "ci/forge-lanes.toml"]
concurrency_group = "apple-host"

[[branch.lanes]]
id = "pre-merge-rust"
entrypoint = "stage"
staged_linux_target = "pre-merge-rust"
paths = ["crates/x/**"]

[[branch.lanes]]
id = "docs"
command = ["true"]
owner = "someone"

[[nightly.lanes]]
id = "docs"
command = ["just", "nightly"]

[[nightly.lanes]]
id = "Nightly.Android"
command = ["just", "android"]
concurrency_group = "nightly-android"
`

const forgeWant = `# Imported from "forge-lanes.toml" (forge-lanes) by ` + "`pushlane import`" +
	`. Review and test it before you commit it.
# Lanes list "ci/forge-lanes.toml", so that a change there runs them; list this file as well once it has taken over.
version = 1

[groups.apple-host]
limit = 1

[groups.nightly-android]
limit = 1

[groups.staged-linux-pre-merge-rust]
limit = 1

# entrypoint: just check
[[lane]]
id = "check-rust"
title = "Rust"
plugin = "shell"
paths = ["Cargo.toml", "nix/**", "crates/**/*.rs", "crates/**/*.toml", "ci/forge-lanes.toml"]
on = ["pre-push", "pre-receive"]
concurrency_group = "apple-host"
[lane.with]
command = ["nix", "develop", ".#default", "-c", "just check \"all\""]
[lane.grant]
container = true

# entrypoint: stage
# staged_linux_target = "pre-merge-rust", for which the forge runs this command. It needs what that script needs: ` +
	`see its image and network.
# The concurrency_group was "staged-linux:pre-merge-rust".
[[lane]]
id = "pre-merge-rust"
plugin = "shell"
paths = ["crates/x/**"]
on = ["pre-push", "pre-receive"]
concurrency_group = "staged-linux-pre-merge-rust"
[lane.with]
command = ["./scripts/pikaci-staged-linux-remote.sh", "run", "pre-merge-rust"]
[lane.grant]
container = true

# No equivalent for the key "owner" of the lane: someone
# Its command was ["true"].
[[lane]]
id = "docs"
plugin = "shell"
on = ["pre-push", "pre-receive"]
[lane.with]
run = "echo 'pushlane: lane \"docs\" has a key that pushlane does not know; write its command into lanes.toml' ` +
	`>&2\nexit 1"
[lane.grant]
container = true

# The id "docs" appears twice in the file.
[[lane]]
id = "docs-nightly"
plugin = "shell"
on = ["schedule"]
schedule = "30 8 * * *"
[lane.with]
command = ["just", "nightly"]
[lane.grant]
container = true

# The id was "Nightly.Android".
[[lane]]
id = "nightly-android"
plugin = "shell"
on = ["schedule"]
schedule = "30 8 * * *"
concurrency_group = "nightly-android"
[lane.with]
command = ["just", "android"]
[lane.grant]
container = true
`

const lefthookFile = `min_version: 1.5.0
pre-push:
  parallel: true
  commands:
    "go test":
      run: go test ./...
      glob: "*.go"
      exclude: ["vendor/*", "docs"]
      tags: slow
    types:
      root: web/
      glob: ["src/*.{ts,tsx}", "a*.js"]
      run: npm run types
    files:
      run: lint {push_files}
  jobs:
    - run: make check
    - group:
        piped: true
        jobs:
          - name: types
            run: echo
pre-commit:
  commands:
    types: { run: "true", exclude: '\.md$' }
commit-msg:
  commands: { x: { run: "y" } }
`

const lefthookWant = `# A group of jobs of pre-push is written out as single lanes.
lane go-test, on pre-push, paths **/*.go, ignore vendor/** doc[s], run go test ./...
  # No equivalent for "tags": slow
  # The id was "go test".
lane types, on pre-push, paths src/**/*.ts src/**/*.tsx a*.js a*/**/*.js, ignore , run cd 'web/' npm run types
lane files, on pre-push, paths , ignore , run echo 'pushlane: the command of lane "files" takes the names of ` +
	`files; write its command into lanes.toml' >&2 exit 1
  # It ran "lint {push_files}".
lane pre-push-1, on pre-push, paths , ignore , run make check
lane types-pre-push, on pre-push, paths , ignore , run echo
  # The id "types" appears twice in the file.
lane types-pre-commit, on pre-commit, paths , ignore , run true
  # No equivalent for the regular expression exclude = "\\.md$". So the lane runs more often.
  # The id "types" appears twice in the file.
lane x, on commit-msg, paths , ignore , run echo 'pushlane: it ran as the hook commit-msg, which has no equivalent; ` +
	`write its command into lanes.toml' >&2 exit 1
  # It ran "y".
`

const preCommitFile = `default_stages: [pre-push]
exclude: ^vendor/
repos:
- repo: https://example.org/hooks
  rev: v1
  hooks:
  - id: trailing-whitespace
- repo: local
  hooks:
  - id: unit
    name: unit tests
    entry: make
    args: ["test", "A=it's"]
    language: system
    pass_filenames: false
    files: \.(py|pyi)$
    exclude: ^docs/
  - id: one
    entry: check
    files: ^setup\.cfg$
    stages: [commit, manual, commit-msg]
  - id: any
    entry: any
    pass_filenames: false
    always_run: true
    files: x.*y
    types: [python]
  - id: message
    entry: m
    stages: [commit-msg]
`

const preCommitWant = `# No equivalent for "exclude", which counts for every hook: ^vendor/. ` +
	`So the lanes run more often.
lane trailing-whitespace, on pre-push, paths , ignore , run echo 'pushlane: the code of lane ` +
	`"trailing-whitespace" is in another repository; write its command into lanes.toml' >&2 exit 1
  # It is hook "trailing-whitespace" of https://example.org/hooks at v1.
lane unit, on pre-push, paths **/*.py **/*.pyi, ignore docs/**, command make test A=it's
lane one, on pre-commit manual commit-msg, paths setup.cfg, ignore , run echo 'pushlane: the command of lane ` +
	`"one" takes the names of files; write its command into lanes.toml' >&2 exit 1
  # It ran ["check"] with the names of the files after it.
lane any, on pre-push, paths , ignore , command any
  # always_run, so the lane does not look at files = "x.*y".
  # No equivalent for "types": [python]. So the lane runs for files of every type.
lane message, on commit-msg, paths , ignore , run echo 'pushlane: the command of lane "message" takes the names ` +
	`of files; write its command into lanes.toml' >&2 exit 1
  # It ran ["m"] with the names of the files after it.
`

func importText(tool, source, file string) ([]byte, error) {
	got, err := Import(tool, source, []byte(file), nil)
	return got.Text, err
}

func TestImportForge(t *testing.T) {
	got, err := importText("forge-lanes", "ci/forge-lanes.toml", forgeFile)
	if err != nil || string(got) != forgeWant {
		t.Errorf("%v\n%s", err, got)
	}
	set := load(t, string(got))
	if w := set.Lanes[0].With["command"]; !reflect.DeepEqual(w,
		[]any{"nix", "develop", ".#default", "-c", "just check \"all\""}) {
		t.Errorf("command %q", w)
	}
}

func TestImportOfHookManagers(t *testing.T) {
	tests := map[string]struct{ tool, source, file, want string }{
		"lefthook":   {"lefthook", "lefthook.yml", lefthookFile, lefthookWant},
		"pre-commit": {"pre-commit", ".pre-commit-config.yaml", preCommitFile, preCommitWant},
		"lefthook in TOML": {"lefthook", "lefthook.toml", "[pre-push.commands.a]\nrun = \"x\"\nglob = [\"*.go\"]\n",
			"lane a, on pre-push, paths **/*.go, ignore , run x\n"},
		"lefthook with the other matcher": {"lefthook", "lefthook.yml",
			"glob_matcher: doublestar\npre-push: {commands: {a: {run: x, glob: '*.go'}}}\n",
			"lane a, on pre-push, paths *.go, ignore , run x\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := importText(test.tool, test.source, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if got := outline(load(t, string(out)), string(out)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// outline shortens an imported file: a line for each lane and the comments
// that are above it.
func outline(set *Set, text string) string {
	head, rest, _ := strings.Cut(text, "version = 1\n")
	var b strings.Builder
	for _, l := range strings.Split(head, "\n")[1:] {
		if l != "" {
			b.WriteString(l + "\n")
		}
	}
	above := strings.Split(rest, "[[lane]]\n")
	for i, l := range set.Lanes {
		run, _ := l.With["run"].(string)
		run = "run " + run
		if argv, ok := l.With["command"].([]any); ok {
			run = strings.TrimSuffix(fmt.Sprintln(append([]any{"command"}, argv...)...), "\n")
		}
		b.WriteString("lane " + l.ID + ", on " + strings.Join(l.On, " ") + ", paths " + strings.Join(l.Paths, " ") +
			", ignore " + strings.Join(l.Ignore, " ") + ", " + strings.ReplaceAll(run, "\n", " ") + "\n")
		for _, line := range strings.Split(above[i], "\n") {
			if strings.HasPrefix(line, "# ") {
				b.WriteString("  " + line + "\n")
			}
		}
	}
	return b.String()
}

func TestImportRefuses(t *testing.T) {
	tests := map[string]struct{ tool, file, want, hint string }{
		"an unknown tool": {"make", "", "cannot import from \"make\": unknown tool",
			"one of forge-lanes, lefthook, pre-commit"},
		"broken TOML": {"forge-lanes", "version = 1\n[[branch.lanes]\n",
			"f:2: broken TOML: expected ']]' to close array table name",
			""},
		"broken YAML": {"lefthook", "a: b\n  c: d\n",
			"f:2: broken YAML: mapping values are not allowed in this context", ""},
		"YAML of another kind": {"pre-commit", "- a\n", "f:1: broken YAML: the file is not a mapping of keys to values", ""},
		"a lane without an id": {"forge-lanes", "[[branch.lanes]]\ntitle = \"x\"\n",
			"f:1: a lane of [[branch.lanes]] has no id", ""},
		"a wrong type": {"forge-lanes", "[[branch.lanes]]\nid = \"x\"\npaths = \"y\"\n",
			"f:3: paths must be a list of strings, not a string", ""},
		"an hour that is none": {"forge-lanes", "nightly_schedule_utc = \"8am\"\n",
			"f:1: bad nightly_schedule_utc \"8am\"; write it like \"08:00\"", ""},
		"a later version": {"forge-lanes", "version = 2\n", "f:1: version 2 of a forge's lanes file is not known, only " +
			"version 1 is",
			""},
		"a file too large": {"lefthook", strings.Repeat("#", MaxFile+1),
			"f: the file has 1048577 bytes, more than the 1048576 allowed", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Import(test.tool, "f", []byte(test.file), nil)
			var h interface{ Hint() string }
			hint := ""
			if errors.As(err, &h) {
				hint = h.Hint()
			}
			if err == nil || err.Error() != test.want || hint != test.hint {
				t.Errorf("got %v (%s), want %s", err, hint, test.want)
			}
		})
	}
}

func FuzzImport(f *testing.F) {
	f.Add(0, []byte(forgeFile))
	f.Add(1, []byte(lefthookFile))
	f.Add(2, []byte(preCommitFile))
	f.Add(0, []byte(
		"[[branch.lanes]]\nid=\"\\u202ea\"\ntitle=\"\\u0000\\U000e0001\"\ncommand=[\"\\u007f\"]\nx=\"a\\nb\"\n"+
			"[[nightly.lanes]]\nid=\"é\"\n"))
	f.Fuzz(func(t *testing.T, tool int, data []byte) {
		name := []string{"forge-lanes", "lefthook", "pre-commit"}[uint(tool)%3]
		_, err := Import(name, "f", data, nil)
		if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Fatal(err)
		}
	})
}
