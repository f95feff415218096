package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// deadHook replaces a hook of the repository by one that dies; the function
// puts it back.
func (s *gitServer) deadHook(t *testing.T, name string) (back func()) {
	t.Helper()
	path := filepath.Join(s.repo, "hooks", name)
	whole, _ := os.ReadFile(path)
	if err := os.WriteFile(path, []byte("#!/bin/sh\nkill -9 $$\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return func() {
		os.Remove(path)
		if whole != nil {
			if err := os.WriteFile(path, whole, 0o755); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPostReceiveHookDied: what git took is queued although its hook did not say
// so, once, and what git did not take is not.
func TestPostReceiveHookDied(t *testing.T) {
	t.Parallel()
	s := newServer(t, protectReleases)
	s.url = s.repo
	s.serve(t)
	c := s.newClient(t, filesLane+postLane)
	c.git("push", "-q", "origin", "main")
	s.quiet(t)
	back := s.deadHook(t, "post-receive")
	c.commit("file", "fine")
	try(c.dir, nil, "git", "push", "-q", "origin", "main:release/1", "main:release/2")
	c.commit("file", "better")
	try(c.dir, nil, "git", "push", "-q", "origin", "main:release/1") // git sees release/1 where the first push put it
	c.git("tag", "-a", "-m", "one", "v1", "main")
	try(c.dir, nil, "git", "push", "-q", "origin", "v1")
	c.commit("other", conflict) // topic is not protected: what fails there goes in
	try(c.dir, nil, "git", "push", "-q", "origin", "main:topic")
	c.git("reset", "-q", "--hard", "HEAD~1")
	no := s.deadHook(t, "update")
	try(c.dir, nil, "git", "push", "-q", "origin", "main:release/3")
	no()
	back()
	want := map[string]int{"refs/heads/release/1": 2, "refs/tags/v1": 1, "refs/heads/topic": 1, "refs/heads/release/3": 0}
	waitUntil(t, "what git took has run", func() bool { return s.after(t, want) })
	c.git("push", "-q", "origin", "main:release/4")
	want["refs/heads/release/4"] = 1
	waitUntil(t, "the next push has run", func() bool { return s.after(t, want) })
	time.Sleep(12 * time.Second) // the host looks again
	if !s.after(t, want) {
		t.Errorf("another look found more than %v", want)
	}
}

// TestPostReceiveHookDiedAfterAPart: of a push that is answered per ref, what
// went in is queued, and what did not is not.
func TestPostReceiveHookDiedAfterAPart(t *testing.T) {
	t.Parallel()
	s := newServer(t, protectReleases)
	must(t, "", nil, pushlaneBin(), "install", "--server", "--per-ref", "--policy", s.policy, s.repo)
	s.url = s.repo
	s.serve(t)
	c := s.newClient(t, filesLane+postLane)
	c.git("push", "-q", "origin", "main")
	s.quiet(t)
	back := s.deadHook(t, "post-receive")
	c.git("branch", "good")
	c.commit("bad", conflict)
	try(c.dir, nil, "git", "push", "-q", "origin", "good:release/1", "main:release/2", "good:release/3")
	back()
	want := map[string]int{"refs/heads/release/1": 1, "refs/heads/release/2": 0}
	waitUntil(t, "what git took has run", func() bool { return s.after(t, want) })
}

// after tells whether as many runs as wanted came after pushes of refs.
func (s *gitServer) after(t *testing.T, want map[string]int) bool {
	t.Helper()
	got := map[string]int{}
	for _, r := range s.runs(t) {
		for _, u := range r.Updates {
			if r.Gate == "post-receive" && final(r.State) {
				got[u.Ref]++
			}
		}
	}
	for ref, n := range want {
		if got[ref] != n {
			return false
		}
	}
	return true
}
