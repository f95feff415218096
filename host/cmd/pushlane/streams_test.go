package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// outputs are what a hook may find at its outputs: the name and the shell's
// words for it.
func outputs() map[string]string {
	all := map[string]string{"open": "", "both closed": "1>&- 2>&-"}
	for fd, name := range []string{1: "output", 2: "errors"} {
		if fd > 0 {
			all[name+" closed"] = fmt.Sprintf("%d>&-", fd)
			all[name+" full"] = fmt.Sprintf("%d>/dev/full", fd)
			all[name+" only to be read"] = fmt.Sprintf("%d</dev/null", fd)
			all[name+" that no one reads"] = fmt.Sprintf("%d>&9", fd)
		}
	}
	return all
}

// gatePush is a guarded repository with a good and a bad commit that are there and
// on no branch, and how a server calls its gate.
type gatePush struct {
	s              *gitServer
	old, good, bad string
}

func newGatePush(t *testing.T) gatePush {
	t.Helper()
	s := newServer(t, protectReleases)
	s.url = s.repo
	c := s.newClient(t, filesLane)
	c.git("push", "-q", "origin", "main")
	g := gatePush{s: s, old: strings.TrimSpace(c.git("rev-parse", "HEAD"))}
	c.commit("good", "fine")
	g.good = strings.TrimSpace(c.git("rev-parse", "HEAD"))
	c.commit("bad", conflict)
	g.bad = strings.TrimSpace(c.git("rev-parse", "HEAD"))
	must(t, s.repo, nil, "git", "fetch", "-q", c.dir, "main")
	return g
}

// call runs the repository's gate as a server would, and returns its status.
func (g gatePush) call(t *testing.T, id, redirects string) int {
	t.Helper()
	in := filepath.Join(t.TempDir(), "lines")
	write(t, in, g.old+" "+id+" refs/heads/main\n")
	gone, reader := brokenPipe(t)
	defer gone.Close()
	reader.Close()
	cmd := exec.Command("/bin/sh", "-c", `hooks/pre-receive <"$0" `+redirects+` 9>&-; exit $?`, in)
	cmd.Dir, cmd.Stdout, cmd.Stderr = g.s.repo, nil, nil
	cmd.ExtraFiles = []*os.File{nil, nil, nil, nil, nil, nil, gone} // descriptor 9
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode()
}

func brokenPipe(t *testing.T) (gone, reader *os.File) {
	t.Helper()
	reader, gone, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return gone, reader
}

// TestAnyStreams: a gate's verdict is the same whatever its outputs are, with a
// resident host and without one; without git's lines it refuses.
func TestAnyStreams(t *testing.T) {
	t.Parallel()
	g := newGatePush(t)
	try := func(t *testing.T) {
		for name, redirects := range outputs() {
			for call, want := range map[string]int{g.good: 0, g.bad: 1, g.good + " 0<&-": 3} {
				id, input, _ := strings.Cut(call, " ")
				if got := g.call(t, id, input+" "+redirects); got != want {
					t.Errorf("%s, commit %s %s: status %d, want %d", name, id, input, got, want)
				}
			}
		}
	}
	t.Run("inline", try)
	g.s.serve(t)
	t.Run("resident", try)
}

// TestOneCallerOfManyPushes: a server that calls the hooks itself may give the
// same lines again, and each time they are judged and what comes after is run.
func TestOneCallerOfManyPushes(t *testing.T) {
	t.Parallel()
	g := newGatePush(t)
	g.s.serve(t)
	hook := `printf '%s %s refs/heads/release/1\n' "$0" "$1" | hooks/`
	three := fmt.Sprintf("for i in 1 2 3; do %spre-receive || exit 1; done; exit 0", hook)
	for _, call := range []string{three, three} {
		if out, err := try(g.s.repo, nil, "/bin/sh", "-c", call, strings.Repeat("0", 40), g.good); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if n := g.s.ran(t, "pre-receive", "refs/heads/release/1"); n != 6 {
		t.Errorf("%d runs of 6 calls", n)
	}
}

// TestPrePushWithoutInput: git gives pre-push a pipe also where nothing is
// pushed, so none at all is not "nothing to judge".
func TestPrePushWithoutInput(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	s.url = s.repo
	c := s.newClient(t, filesLane)
	env := []string{"PUSHLANE_STATE=" + s.state, "PUSHLANE_RESIDENT=off"}
	hook := filepath.Join(prefix, "bin", "pushlane-hook") + " pre-push origin " + s.url
	for input, want := range map[string]string{"<&-": "there are none", "</dev/null": "there are none", "": ""} {
		out, err := try(c.dir, env, "/bin/sh", "-c", ": | "+hook+" "+input)
		if refused := err != nil; refused != (want != "") || !strings.Contains(out, want) {
			t.Errorf("input %q: %v\n%s", input, err, out)
		}
	}
}
