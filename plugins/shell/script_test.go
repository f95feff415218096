package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// imageWith is a PATH of an image that has some programs of this machine.
func imageWith(t *testing.T, programs ...string) string {
	dir := t.TempDir()
	for _, name := range programs {
		file, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(file, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runScript runs what a script becomes, with real shells.
func runScript(t *testing.T, script, path string) (out string, exit int) {
	t.Helper()
	argv := scriptCommand(script, "")
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + path, "TMPDIR=" + t.TempDir()}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return both.String(), cmd.ProcessState.ExitCode()
}

func TestScriptsInRealShells(t *testing.T) {
	tools := []string{"cat", "mktemp", "chmod", "env"}
	bash, dash := imageWith(t, append(tools, "bash")...), imageWith(t, tools...)
	for name, c := range map[string]struct {
		script, path string
		exit         int
		want, failed string
	}{
		"a pipe that fails, bash": {"true\nfalse | cat\necho no", bash, 1, "", "false | cat (line 2)"},
		"a pipe that fails, sh":   {"true\nfalse | cat\necho yes", dash, 0, "only the last command of a pipe", ""},
		"no pipe, sh":             {"true || false", dash, 0, "", "true || false"},
		"a function that fails":   {"f() {\n\tfalse\n}\nf\n", bash, 1, "", "false (line 2)"},
		"what may fail":           {"if false; then :; fi\nfalse || true\nset +e\nfalse\nexit 0", bash, 0, "", ""},
		"a missing program": {"no-such-program --now", bash, 127, "no-such-program: command not found",
			"no-such-program --now"},
		"an unset variable": {"echo $no_such", bash, 1, "no_such: unbound variable", "echo $no_such"},
		"a #! line": {"#!/usr/bin/env bash\nset -o pipefail\nfalse | cat\necho ${BASH_VERSION%%.*}", bash,
			0, "5", ""},
		"a #! line of no program":      {"#!/no/such\necho", bash, 127, "pushlane: /no/such: not found", "echo"},
		"a #! line with a word":        {"#!/bin/cat -n\nx", bash, 0, "2\tx", "x"},
		"no end of line and a comment": {"# first\nfalse # second", bash, 1, "", "false # second"},
		"quotes": {"printf '%s|' \"it's\" '$x' \\`", bash, 0, "it's|$x|`|",
			"printf '%s|' \"it's\" '$x' \\`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, exit := runScript(t, c.script, c.path)
			if exit != c.exit || !strings.Contains(out, c.want) || exit == 0 && strings.Contains(out, lineMark) {
				t.Errorf("exit %d, want %d; output:\n%s", exit, c.exit, out)
			}
			if got := failedCommand(c.script, out); got != c.failed {
				t.Errorf("failed %q, want %q", got, c.failed)
			}
		})
	}
}

func TestMissingProgram(t *testing.T) {
	for tail, want := range map[string]string{
		"sh: 1: vitest: not found\n":                              "vitest",
		"bash: line 3: npm: command not found\n":                  "npm",
		"sh: npm: not found":                                      "npm",
		"env: 'node': No such file or directory\n":                "node",
		"/usr/bin/env: ‘ruby’: No such file or directory":         "ruby",
		"pushlane: /bin/zsh: not found":                           "/bin/zsh",
		"make: *** [all] Error 127\nthe page: it was not found\n": "",
		"cat: a file: No such file or directory":                  "",
		"":                                                        "",
	} {
		if got := missingProgram(tail); got != want {
			t.Errorf("%q: got %q, want %q", tail, got, want)
		}
	}
}
