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

// TestScriptsInRealShells: the verdict names the command that failed, however it came to fail.
func TestScriptsInRealShells(t *testing.T) {
	tools := []string{"cat", "mktemp", "chmod", "env"}
	bash, dash := imageWith(t, append(tools, "bash")...), imageWith(t, tools...)
	const noBash = "pushlane: the image has no bash, the script runs with sh -eu\n"
	for name, c := range map[string]struct {
		script, path string
		exit         int
		want, failed string
	}{
		"a pipe that fails, bash": {"true\nfalse | cat\necho no", bash, 1, "", "`false` exited 1 (line 2)"},
		"a pipe that fails, sh": {"true\nfalse | cat\necho yes", dash, 0,
			noBash + "pushlane: sh has no pipefail: only the last command of a pipe", ""},
		"no pipe, sh":                   {"true || false\nexit 0", dash, 0, noBash, ""},
		"the last of a pipe that fails": {"true | cat x -\n", bash, 1, "", "`cat x -` exited 1"},
		"a pipe over lines":             {"true |\n  cat |\n  false\n", bash, 1, "", "`false` exited 1 (line 3)"},
		"a pipe after cd": {"cd / && echo a | { false; }\n", bash, 1, "",
			"`cd / && echo a | { false; }` exited 1"},
		"a pipe with a bar in quotes": {"echo 'a|b' | false \"x|y\"\n", bash, 1, "", "`false \"x|y\"` exited 1"},
		"a function that fails":       {"f() {\n\tfalse\n}\nf\n", bash, 1, "", "`false` exited 1 (line 2)"},
		"a function that returns":     {"f() {\n\treturn 3\n}\n\nf\n", bash, 3, "", "`return 3` exited 3 (line 5)"},
		"a function in a pipe": {"f() {\n\tfalse\n}\ntrue\nf | cat\n", bash, 1, "",
			"`f` exited 1 (line 5)"},
		"one of a list": {"cd / && cat /no/such/file\ntrue", bash, 1, "", "`cat /no/such/file` exited 1 (line 1)"},
		"a command over lines": {"true\ncat /no/such/file \\\n  -n\n", bash, 1, "",
			"`cat /no/such/file -n` exited 1 (line 2)"},
		"in a loop":              {"for i in 1 2; do\n  test $i = 1\ndone\n", bash, 1, "", "`test $i = 1` exited 1 (line 2)"},
		"in a subshell":          {"true\n(exit 4)\n", bash, 4, "", "`( exit 4 )` exited 4 (line 2)"},
		"what may fail":          {"if false; then :; fi\nfalse || true\nset +e\nfalse\nexit 0", bash, 0, "", ""},
		"set +e, the last fails": {"set +e\ntrue\nfalse\n", bash, 1, "", "`false` exited 1 (line 3)"},
		"set +e, its status at exit": {"set +e\n(exit 7); rc=$?\ntrue\nexit $rc\n", bash, 7, "",
			"`( exit 7 )` exited 7 (line 2)"},
		"set +e, another status": {"set +e\nfalse\ntrue\nexit 3\n", bash, 3, "",
			"the script ended with `exit 3`: exit status 3"},
		"its own exit": {"if true; then\n  exit 5\nfi\n", bash, 5, "",
			"the script ended with `exit 5`: exit status 5"},
		"output without a line break": {"true\nprintf hello >&2; false\n", bash, 1, "hello", "`false` exited 1 (line 2)"},
		"its own trap":                {"trap 'true' EXIT\nfalse\n", bash, 1, "", "`false` exited 1 (line 2)"},
		"a signal":                    {"true\nkill -9 $$\n", bash, -1, "", "exit status -1"},
		"a child that a signal ended": {"true\nbash -c 'kill -9 $$'\n", bash, 137, "",
			"`bash -c 'kill -9 $$'` exited 137, signal 9 (line 2)"},
		"a missing program": {"no-such-program --now", bash, 127, "no-such-program: command not found",
			"`no-such-program --now` exited 127"},
		"an unset variable": {"true\necho $no_such", bash, 1, "no_such: unbound variable",
			"`echo $no_such` exited 1 (line 2)"},
		"an unset variable, sh": {"true\necho $no_such", dash, 2, "no_such: parameter not set",
			"`echo $no_such` exited 2 (line 2)"},
		"a syntax error":     {"true\ntrue\nfi\n", bash, 2, "", "the script has a syntax error in line 3"},
		"a syntax error, sh": {"true\ntrue\nfi\n", dash, 2, "", "the script has a syntax error in line 3"},
		"one command, sh":    {"# x\nfalse", dash, 1, noBash, "`false` exited 1"},
		"a #! line": {"#!/usr/bin/env bash\nset -o pipefail\nfalse | cat\necho ${BASH_VERSION%%.*}", bash,
			0, "5", ""},
		"a #! line of no program":      {"#!/no/such\necho", bash, 127, "pushlane: /no/such: not found", "`echo` exited 127"},
		"a #! line with a word":        {"#!/bin/cat -n\nx", bash, 0, "2\tx", ""},
		"no end of line and a comment": {"# first\nfalse # second", bash, 1, "", "`false` exited 1"},
		"quotes":                       {"printf '%s|' \"it's\" '$x' \\`", bash, 0, "it's|$x|`|", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, exit := runScript(t, c.script, c.path)
			if exit != c.exit || !strings.Contains(out, c.want) || exit == 0 && strings.Contains(out, lineMark) ||
				c.path == bash && strings.Contains(out, noteMark) {
				t.Errorf("exit %d, want %d; output:\n%s", exit, c.exit, out)
			}
			if got := failedCommand(c.script, out, exit); exit != 0 && got != c.failed {
				t.Errorf("failed: %s\nwant:   %s\noutput:\n%s", got, c.failed, out)
			}
		})
	}
}

// TestScriptsInBusybox: its shell counts lines from 0 and has pipefail.
func TestScriptsInBusybox(t *testing.T) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed")
	}
	for script, want := range map[string]string{
		"true\nfalse | cat\ntrue":         "`true` or `false | cat` exited 1 (line 1 or 2)",
		"true\n\nfalse\ntrue":             "`false` exited 1 (line 3)",
		"f() {\n\tfalse\n}\n\nf\n":        "`f` exited 1 (line 5)",
		"true\ncat /no/such/file \\\n -n": "`cat /no/such/file -n` exited 1 (line 2)",
		"false":                           "`false` exited 1",
		"true\nexit 3":                    "the script ended with `exit 3`: exit status 3",
	} {
		cmd := exec.CommandContext(t.Context(), path, "sh", "-eu", "-o", "pipefail", "-c", shTrap+script, "sh")
		out, _ := cmd.CombinedOutput()
		if got := failedCommand(script, string(out), cmd.ProcessState.ExitCode()); got != want {
			t.Errorf("%q: %s, want %s; output:\n%s", script, got, want, out)
		}
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
