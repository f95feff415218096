package hooks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// held is a receive hook that has dumped what git gave it and waits: while it
// does, the push is in quarantine.
type held struct {
	env     Env
	updates []Update
	done    chan error
	dir     string
}

// push pushes with a hook on the server that waits, and returns once it does.
func (g *gitRepo) pushHeld(server, gate string, args ...string) *held {
	g.t.Helper()
	h := &held{dir: g.t.TempDir(), done: make(chan error, 1)}
	g.hook(filepath.Join(server, "hooks"), gate, "#!/bin/sh\ncat > "+h.dir+"/stdin\npwd > "+h.dir+"/pwd\nenv -0 > "+h.dir+
		"/env\n"+
		"mv "+h.dir+"/env "+h.dir+"/ready\nwhile [ ! -e "+h.dir+"/verdict ]; do sleep 0.02; done\nexit $(cat "+h.dir+
		"/verdict)\n")
	go func() {
		_, err := g.try("", append([]string{"push", "-q", server}, args...)...)
		h.done <- err
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(h.dir + "/ready"); err == nil {
			break
		}
		select {
		case err := <-h.done:
			g.t.Fatalf("the push ended before its hook was run: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			g.t.Fatal("the hook was not run")
		}
	}
	h.read(g.t, gate)
	return h
}

func (h *held) read(t testing.TB, gate string) {
	vars := make(map[string]string)
	text, err := os.ReadFile(h.dir + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range strings.Split(string(text), "\x00") {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	pwd, err := os.ReadFile(h.dir + "/pwd")
	if err != nil {
		t.Fatal(err)
	}
	h.env = Env{Dir: strings.TrimSpace(string(pwd)), Getenv: func(name string) string { return vars[name] }}
	in, err := os.Open(h.dir + "/stdin")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if h.updates, err = ReadUpdates(in, gate); err != nil {
		t.Fatal(err)
	}
}

// end lets the hook go with a status, and waits for the push.
func (h *held) end(t testing.TB, status int) error {
	t.Helper()
	if err := os.WriteFile(h.dir+"/v", fmt.Append(nil, status), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Rename(h.dir+"/v", h.dir+"/verdict")
	return <-h.done
}

// judge does what a receive hook does with a push: a line per change.
func (h *held) judge(t testing.TB) []string {
	t.Helper()
	ctx := context.Background()
	r, err := Open(ctx, h.env)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.SetBases(ctx, h.updates, "", ""); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range h.updates {
		if u.Delete {
			lines = append(lines, u.Ref+" deleted")
			continue
		}
		list, err := r.Changes(ctx, u.Base, u.New)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			lines = append(lines, fmt.Sprintf("%s %s %s", u.Ref, c.Status, c.Path))
			if c.NewID != "" {
				if _, err := r.File(ctx, u.New, c.Path); err != nil {
					t.Error(err)
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestQuarantine(t *testing.T) {
	for _, form := range []struct{ name, limit string }{{"loose", "1000"}, {"packed", "1"}} {
		for _, fork := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, a fork: %t", form.name, fork), func(t *testing.T) {
				g := newRepo(t)
				g.commit("base/f", "1")
				g.commit("gone", "1")
				server := filepath.Join(t.TempDir(), "s.git")
				if fork { // all that was there before is in another repository
					pool := filepath.Join(t.TempDir(), "pool.git")
					g.git("clone", "-q", "--bare", g.dir, pool)
					g.git("clone", "-q", "--bare", "--shared", pool, server)
				} else {
					g.git("clone", "-q", "--bare", g.dir, server)
				}
				s := g.in(server)
				s.git("config", "receive.unpackLimit", form.limit)
				s.git("branch", "old", "main")
				os.Remove(filepath.Join(g.dir, "gone"))
				g.commit("base/f", "2")
				g.git("checkout", "-q", "-b", "side", "HEAD~1")
				g.commit("side/f", "1")
				// A crashed push left its folder behind, sorted after ours.
				os.MkdirAll(filepath.Join(server, "objects/tmp_objdir-incoming-zzzzzz/pack"), 0o755)

				h := g.pushHeld(server, "pre-receive", "--atomic", "main", "side", ":old")
				if h.env.Getenv("GIT_QUARANTINE_PATH") == "" {
					t.Fatal("git set no quarantine")
				}
				packs, _ := filepath.Glob(h.env.Getenv("GIT_QUARANTINE_PATH") + "/pack/*.pack")
				if (len(packs) > 0) != (form.name == "packed") {
					t.Fatalf("the push is not %s: %q", form.name, packs)
				}
				got := h.judge(t)
				if err := h.end(t, 1); err == nil {
					t.Error("the push was accepted")
				}
				want := []string{
					"refs/heads/main D gone", "refs/heads/main M base/f", "refs/heads/old deleted", "refs/heads/side A side/f",
				}
				sameText(t, "changes", strings.Join(got, "\n"), strings.Join(want, "\n"))
				if _, err := s.try("", "cat-file", "-e", g.git("rev-parse", "side")); err == nil {
					t.Error("the refused commit is on the server")
				}
				if _, err := s.open().Resolve(context.Background(), g.git("rev-parse", "side")); err == nil {
					t.Error("the refused commit is seen without the quarantine")
				}
			})
		}
	}
}

func TestTwoPushesAtOnceSeeTheirOwnObjects(t *testing.T) {
	g := newRepo(t)
	g.commit("f", "1")
	server := filepath.Join(t.TempDir(), "s.git")
	g.git("clone", "-q", "--bare", g.dir, server)
	g.in(server).git("config", "receive.unpackLimit", "1")
	var pushes []*held
	var ids []string
	for _, name := range []string{"one", "two"} {
		g.git("checkout", "-q", "-b", name, "main")
		ids = append(ids, g.commit(name, name))
		pushes = append(pushes, g.pushHeld(server, "pre-receive", name))
	}
	for i, h := range pushes {
		r, err := Open(context.Background(), h.env)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Resolve(context.Background(), ids[i]); err != nil {
			t.Error(err)
		}
		if _, err := r.Resolve(context.Background(), ids[1-i]); err == nil {
			t.Error("a push sees what the other one brings")
		}
		r.Close()
	}
	for _, h := range pushes {
		if err := h.end(t, 0); err != nil {
			t.Error(err)
		}
	}
}

func TestPostReceive(t *testing.T) {
	g := newRepo(t)
	g.commit("f", "1")
	server := filepath.Join(t.TempDir(), "s.git")
	g.git("clone", "-q", "--bare", g.dir, server)
	g.git("checkout", "-q", "-b", "new")
	g.commit("new", "1")
	g.git("checkout", "-q", "main")
	g.git("commit", "-q", "--amend", "-m", "another root")
	g.git("tag", "-a", "-m", "x", "v1", "new")
	h := g.pushHeld(server, "post-receive", "new", "+main", "v1")
	got := h.judge(t)
	h.end(t, 0)
	want := []string{"refs/heads/main A f", "refs/heads/new A new", "refs/tags/v1 A new"}
	sameText(t, "changes", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// The three cases that hook managers get wrong, and the control.
func TestEveryRefOfAPushIsJudgedByItsOwnTree(t *testing.T) {
	g := newRepo(t)
	remote := filepath.Join(t.TempDir(), "remote.git")
	g.commit("src/a.go", "good")
	g.git("clone", "-q", "--bare", g.dir, remote)
	g.git("remote", "add", "origin", remote)
	g.git("fetch", "-q")
	g.git("checkout", "-q", "-b", "A")
	g.commit("docs/x", "1")
	g.git("checkout", "-q", "-b", "B", "main")
	g.commit("src/a.go", "BAD")
	dump := t.TempDir()
	g.hook(g.dir+"/.git/hooks", "pre-push", "#!/bin/sh\necho \"$@\" > "+dump+"/args\ncat > "+dump+"/stdin\nexit 1\n")

	cases := map[string]struct {
		on   string
		args []string
		want string
	}{
		"two refs, the second bad": {"A", []string{"origin", "A", "B"},
			"refs/heads/A A docs/x,refs/heads/B M src/a.go"},
		"a branch that is not checked out": {"A", []string{"origin", "B"}, "refs/heads/B M src/a.go"},
		"control: the branch that is":      {"B", []string{"origin", "B"}, "refs/heads/B M src/a.go"},
		"to the remote's URL":              {"A", []string{remote, "B"}, "refs/heads/B M src/a.go"},
		"by a name with spaces": {"A", []string{"origin", "B@{0 days ago}:refs/heads/C"},
			"refs/heads/C M src/a.go"},
		"with a deletion before it": {"A", []string{"origin", ":main", "B"},
			"refs/heads/main deleted,refs/heads/B M src/a.go"},
		"to a remote that was never fetched":   {"A", []string{"file://" + remote, "B"}, "refs/heads/B A src/a.go"},
		"onto a branch that is there, forward": {"A", []string{"origin", "B:main"}, "refs/heads/main M src/a.go"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g.git("checkout", "-q", c.on)
			if _, err := g.try("", append([]string{"push", "-q"}, c.args...)...); err == nil {
				t.Fatal("the hook was not run")
			}
			args, _ := os.ReadFile(dump + "/args")
			in, err := os.Open(dump + "/stdin")
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			us, err := ReadUpdates(in, "pre-push")
			if err != nil {
				t.Fatal(err)
			}
			r := g.open()
			remoteName, url, _ := strings.Cut(strings.TrimSpace(string(args)), " ")
			if err := r.SetBases(context.Background(), us, remoteName, url); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, u := range us {
				if u.Delete {
					got = append(got, u.Ref+" deleted")
					continue
				}
				list, err := r.Changes(context.Background(), u.Base, u.New)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range list {
					got = append(got, u.Ref+" "+c.Status+" "+c.Path)
				}
			}
			sameText(t, "changes", strings.Join(got, ","), c.want)
		})
	}
}
