package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const postLane = "[[lane]]\nid = \"after\"\nplugin = \"files\"\non = [\"post-receive\"]\nremember = \"never\"\n"

// TestNoDescriptorsLeft: a host that had no file descriptor for a call takes
// calls again once it has.
func TestNoDescriptorsLeft(t *testing.T) {
	t.Parallel()
	s := newServer(t, protectReleases)
	s.url = s.repo
	host := s.serveBy(t, "bash", "-c", `ulimit -n 48; exec "$@"`, "sh", pushlaneBin())
	c := s.newClient(t, filesLane)
	c.git("push", "-q", "origin", "main")
	var held []net.Conn
	for range 80 {
		conn, err := net.Dial("unix", filepath.Join(s.state, "host.sock"))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	waitUntil(t, "the host says that it cannot accept", func() bool {
		return strings.Contains(host.said(), "cannot accept a call, trying again")
	})
	for _, conn := range held {
		conn.Close()
	}
	c.commit("file", "fine")
	c.git("push", "-q", "origin", "main:release/1")
	served := false
	for _, r := range s.runs(t) {
		served = served || r.State == "passed" && r.Updates[0].Ref == "refs/heads/release/1"
	}
	if !served {
		t.Error("the push has no run")
	}
	if strings.Contains(host.said(), "level=error") {
		t.Errorf("the host said:\n%s", host.said())
	}
}

// TestStoppedHost: a host that is stopped neither blocks pushes nor loses what
// comes after them.
func TestStoppedHost(t *testing.T) {
	t.Parallel()
	s := newServer(t, protectReleases)
	s.url = s.repo
	host := s.serve(t)
	c := s.newClient(t, filesLane+postLane)
	c.git("push", "-q", "origin", "main")
	s.quiet(t)
	host.Process.Signal(syscall.SIGSTOP)
	c.commit("file", "fine")
	c.git("push", "-q", "origin", "main:release/1")
	c.commit("file", conflict)
	if out, err := try(c.dir, nil, "git", "push", "-q", "origin", "main:refs/heads/release/2"); err == nil {
		t.Errorf("a push with a conflict was taken:\n%s", out)
	}
	host.Process.Signal(syscall.SIGCONT)
	waitUntil(t, "what comes after the push has run",
		func() bool { return s.ran(t, "post-receive", "refs/heads/release/1") == 1 })
	if n := s.ran(t, "pre-receive", "refs/heads/release/1"); n != 1 {
		t.Errorf("the push was judged %d times", n)
	}
}

// TestStopWhilePushesAreJudged: a host that is being cancelled finishes what it
// judges, and pushes that come meanwhile are judged all the same.
func TestStopWhilePushesAreJudged(t *testing.T) {
	t.Parallel()
	if !incusHere(t) {
		t.Skip("SKIPPED: no Incus here")
	}
	s := newServer(t, protectReleases)
	s.url = s.repo
	host := s.serve(t)
	c := s.newClient(t, filesLane+strings.Replace(countingLane, "post-receive", "pre-receive", 1))
	c.git("push", "-q", "origin", "main")
	var wg sync.WaitGroup
	push := func(i int) {
		wg.Go(func() {
			if out, err := try(c.dir, nil, "git", "push", "-q", "origin",
				fmt.Sprintf("main:refs/heads/release/%d", i)); err != nil {
				t.Errorf("push %d: %v\n%s", i, err, out)
			}
		})
	}
	push(1)
	waitUntil(t, "a container runs", func() bool { return len(containersOf(t, c)) > 0 })
	time.Sleep(time.Second)
	host.Process.Signal(syscall.SIGTERM)
	push(2)
	host.Wait()
	push(3)
	wg.Wait()
	if n := len(containersOf(t, c)); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

// loudHost is a host whose words a test reads while it runs.
type loudHost struct {
	*exec.Cmd
	out *lockedText
}

func (h loudHost) said() string { return h.out.String() }

type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serveBy is serve by way of another program.
func (s *gitServer) serveBy(t *testing.T, name string, args ...string) loudHost {
	t.Helper()
	h := loudHost{exec.Command(name, append(args, "serve", "--policy", s.policy)...), &lockedText{}}
	h.Stderr = h.out
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Process.Signal(syscall.SIGTERM)
		h.Wait()
	})
	waitUntil(t, "the host responded with", func() bool {
		conn, err := net.Dial("unix", filepath.Join(s.state, "host.sock"))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return h
}

// quiet waits until no run is open.
func (s *gitServer) quiet(t *testing.T) {
	t.Helper()
	waitUntil(t, "no run is open", func() bool {
		for _, r := range s.runs(t) {
			if !final(r.State) {
				return false
			}
		}
		return true
	})
}

// ran counts the passed runs of a gate and ref.
func (s *gitServer) ran(t *testing.T, gate, ref string) (n int) {
	for _, r := range s.runs(t) {
		if r.Gate == gate && r.State == "passed" && len(r.Updates) > 0 && r.Updates[0].Ref == ref {
			n++
		}
	}
	return n
}

// TestDoctorOfAGuardedRepository looks for the hooks of a server, and its hint
// brings them back.
func TestDoctorOfAGuardedRepository(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	s.url = s.repo
	c := s.newClient(t, filesLane)
	c.git("push", "-q", "origin", "main")
	env := []string{"PUSHLANE_CONFIG=" + s.policy}
	hooksOf := func() string {
		out, _ := try(s.repo, env, pushlaneBin(), "doctor")
		var lines []string
		for line := range strings.Lines(out) {
			if strings.Contains(line, " hooks ") || len(lines) > 0 && strings.Contains(lines[len(lines)-1], "FAIL") {
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
		}
		return strings.Join(lines, "\n")
	}
	if got, want := hooksOf(), "ok hooks pre-receive: installed\nok hooks post-receive: installed"; got != want {
		t.Errorf("doctor says:\n%s\nwant:\n%s", got, want)
	}
	if err := os.Remove(filepath.Join(s.repo, "hooks", "post-receive")); err != nil {
		t.Fatal(err)
	}
	hint := "pushlane install --server --policy " + s.policy + " " + s.repo
	if got, want := hooksOf(), "ok hooks pre-receive: installed\nFAIL hooks post-receive: not installed\nhint: "+
		hint; got != want {
		t.Errorf("doctor says:\n%s\nwant:\n%s", got, want)
	}
	must(t, s.repo, nil, pushlaneBin(), strings.Fields(hint)[1:]...)
	if got := hooksOf(); strings.Contains(got, "FAIL") {
		t.Errorf("after the hint doctor says:\n%s", got)
	}
}
