package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// shells are the shells of the images we know: dash, and busybox where it is.
func shells(t *testing.T) map[string][]string {
	all := map[string][]string{"sh": {"/bin/sh"}}
	if path, err := exec.LookPath("busybox"); err == nil {
		all["busybox"] = []string{path, "sh"}
	}
	return all
}

// runWith runs the wrapper with real processes and returns its output as soon
// as no one holds that open any more.
func runWith(t *testing.T, shell []string, services []service, script string) (string, int) {
	t.Helper()
	args := append(append([]string{}, shell[1:]...), "-c", withServices(services), "pushlane", "/bin/sh", "-eu", "-c",
		script)
	cmd := exec.CommandContext(t.Context(), shell[0], args...)
	tmp := t.TempDir()
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestServices(t *testing.T) {
	for name, c := range map[string]struct {
		services []service
		script   string
		exit     int
		want     []string // lines that are there
	}{
		"the command's status counts": {[]service{{name: "a", run: "sleep 1000"}}, "echo hello; exit 7", 7,
			[]string{"hello"}},
		"a service is ready first": {[]service{
			{name: "a", run: "sleep 0.3; echo it\\'s up; touch $TMPDIR.up; exec sleep 1000", ready: "test -e $TMPDIR.up",
				timeout: 20}}, "test -e $TMPDIR.up", 0, []string{"a: it's up"}},
		"its error output has its name too": {[]service{{name: "a", run: "echo no >&2; printf 'no end'"}}, "sleep 0.3", 0,
			[]string{"a: no", "a: no end"}},
		"what a service started ends too": {[]service{{name: "a", run: "sleep 1000 & sleep 1000 & wait"}}, "true", 0,
			nil},
		"a service that will not go is ended": {[]service{
			{name: "a", run: "trap '' TERM; echo stay; while :; do sleep 0.1; done", ready: "sleep 0.2", timeout: 9}}, "true", 0,
			[]string{"a: stay"}},
		"two services": {[]service{{name: "a", run: "echo 1; sleep 1000"},
			{name: "b", run: "echo 2; sleep 1000"}}, "sleep 0.3", 0, []string{"a: 1", "b: 2"}},
		"a service that dies": {[]service{{name: "a", run: "echo bad; exit 3", ready: "false", timeout: 20}},
			"echo never", 125, []string{"a: bad", "pushlane: service a ended with status 3 before it was ready"}},
		"a service that is never ready": {[]service{{name: "a", run: "sleep 1000", ready: "false", timeout: 1}}, "echo never",
			125, []string{"pushlane: service a was not ready after 1s"}},
		"what ready said last": {[]service{{name: "a", run: "sleep 1000", ready: "echo cannot connect >&2; exit 1",
			timeout: 1}}, "echo never", 125,
			[]string{"a ready: cannot connect", "pushlane: service a was not ready after 1s"}},
		"a script with quotes": {[]service{{name: "a", run: `echo "it's $0" 'a b'`}}, "sleep 0.3", 0,
			[]string{"a: it's a a b"}},
		"a command that is killed": {[]service{{name: "a", run: "sleep 1000"}}, "kill -9 $$", 137, nil},
	} {
		for kind, shell := range shells(t) {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				out, exit := runWith(t, shell, c.services, c.script)
				if exit != c.exit || strings.Contains(out, "never\n") {
					t.Errorf("exit status %d, want %d; output:\n%s", exit, c.exit, out)
				}
				for _, line := range c.want {
					if !strings.Contains("\n"+out, "\n"+line+"\n") {
						t.Errorf("no line %q in:\n%s", line, out)
					}
				}
			})
		}
	}
}

func TestServiceTrouble(t *testing.T) {
	if got := serviceTrouble(
		"x\npushlane: service a was not ready after 1s\n"); got != "service a was not ready after 1s" {
		t.Errorf("got %q", got)
	}
}
