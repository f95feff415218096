package hooks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// What a push says of a ref counts for nothing: each is resolved, and where it
// ends at is what moves.
func TestReceivedBelievesTheRepository(t *testing.T) {
	g := newRepo(t, "--bare")
	ids := g.history("a:", "b: a")
	g.git("update-ref", "refs/heads/main", ids["b"])
	g.git("update-ref", "refs/heads/packed", ids["a"])
	g.git("pack-refs", "--all")
	g.git("symbolic-ref", "refs/heads/master", "refs/heads/main")
	g.git("symbolic-ref", "refs/heads/old", "refs/heads/master")
	g.git("symbolic-ref", "refs/heads/dangling", "refs/heads/none")
	g.git("symbolic-ref", "HEAD", "refs/heads/main")
	r := g.open()
	for name, c := range map[string]struct{ ref, old, end, err string }{
		"as it is":                    {"refs/heads/main", "b", "refs/heads/main", ""},
		"packed":                      {"refs/heads/packed", "a", "refs/heads/packed", ""},
		"a new ref":                   {"refs/heads/new", "-", "refs/heads/new", ""},
		"another name":                {"refs/heads/master", "b", "refs/heads/main", ""},
		"a name of a name":            {"refs/heads/old", "b", "refs/heads/main", ""},
		"HEAD":                        {"HEAD", "b", "refs/heads/main", ""},
		"a name of what is not there": {"refs/heads/dangling", "-", "refs/heads/none", ""},
		"an older value": {"refs/heads/main", "a", "", "refs/heads/main is at " + ids["b"][:7] +
			", but the push expects it at " + ids["a"][:7]},
		"no value": {"refs/heads/main", "-", "", "refs/heads/main is at " + ids["b"][:7] +
			", but the push expects it not there"},
		"a value of what is not there": {"refs/heads/new", "a", "",
			"refs/heads/new is not there, but the push expects it at " + ids["a"][:7]},
		"an older value by another name": {"refs/heads/old", "a", "",
			"refs/heads/old is at " + ids["b"][:7] + ", but the push expects it at " + ids["a"][:7]},
	} {
		for _, deletes := range []bool{false, true} {
			us := []Update{{Ref: "refs/heads/other", Old: ZeroID, New: ids["a"]}, {Ref: c.ref, Old: ids[c.old], New: ids["a"]}}
			if deletes {
				us[1].New, us[1].Delete = ZeroID, true
			}
			err := r.Received(context.Background(), us, true)
			var stale *StaleError
			switch {
			case c.err != "" && (!errors.As(err, &stale) || err.Error() != c.err):
				t.Errorf("%s: got %v, want %s", name, err, c.err)
			case c.err == "" && (err != nil || us[1].Ref != c.end || us[1].Named() != c.ref):
				t.Errorf("%s: %+v, %v", name, us[1], err)
			}
			if err := r.Received(context.Background(), []Update{{Ref: c.ref, Old: ids[c.old]}}, false); err != nil {
				t.Errorf("%s, once git has moved the refs: %v", name, err)
			}
		}
	}
}

func TestReceivedRefuses(t *testing.T) {
	g := newRepo(t, "--bare")
	ids := g.history("a:")
	g.git("update-ref", "refs/heads/main", ids["a"])
	g.git("symbolic-ref", "refs/heads/master", "refs/heads/main")
	us := []Update{{Ref: "refs/heads/main", Old: ids["a"]}, {Ref: "refs/heads/master", Old: ids["a"]}}
	err := g.open().Received(context.Background(), us, true)
	sameText(t, "error", err.Error(), "cannot judge the push: refs/heads/main and refs/heads/master are one ref")

	g.git("symbolic-ref", "refs/heads/a", "refs/heads/b")
	g.git("symbolic-ref", "refs/heads/b", "refs/heads/a")
	err = g.open().Received(context.Background(), []Update{{Ref: "refs/heads/a", Old: ZeroID}}, true)
	if err == nil || !strings.Contains(err.Error(), "symbolic more than 5 deep") {
		t.Errorf("a ring of refs: %v", err)
	}
	spaced, err := Open(context.Background(), Env{Dir: g.dir, Getenv: func(key string) string {
		return map[string]string{"GIT_DIR": g.dir, "GIT_NAMESPACE": "team"}[key]
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = spaced.Received(context.Background(), []Update{{Ref: "refs/heads/main", Old: ids["a"]}}, true)
	sameText(t, "error", err.Error(),
		`cannot judge a push into the git namespace "team": its refs are not known by the names that git gives`)
}

// git hands a hook also names that it refuses itself afterwards; one of them
// must not be read somewhere else.
func TestNamesThatGitRefuses(t *testing.T) {
	for _, ref := range []string{"refs/heads/../main", "refs/../../x", "refs/heads/.x", "refs/heads/x.lock",
		"refs/heads/x.lock/y",
		"refs/heads//x", "refs/heads/x/", "refs/heads/x.", "refs/heads/@{x", "refs/heads/a..b"} {
		_, err := ReadUpdates(strings.NewReader(idA+" "+idB+" "+ref+"\n"), "pre-receive")
		if err == nil || err.Error() != "cannot read git's ref lines: line 1: not a ref name git allows: \""+ref+"\"" {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// The repository's own HEAD says which branch is the default, also where the
// push comes in through a linked worktree.
func TestDefaultBranchOfALinkedWorktree(t *testing.T) {
	g := newRepo(t, "--bare")
	ids := g.history("a:")
	g.git("update-ref", "refs/heads/main", ids["a"])
	g.git("update-ref", "refs/heads/side", ids["a"])
	g.git("symbolic-ref", "HEAD", "refs/heads/main")
	linked := filepath.Join(t.TempDir(), "linked")
	g.git("worktree", "add", "-q", linked, "side")
	r, err := Open(t.Context(), Env{Dir: linked})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	current, err := r.CurrentBranch(t.Context())
	if err != nil || current != "refs/heads/side" {
		t.Errorf("the worktree is on %s, %v", current, err)
	}
	if own, err := r.DefaultBranch(t.Context()); err != nil || own != "refs/heads/main" {
		t.Errorf("the repository is on %s, %v", own, err)
	}
}

// Many lookups of packed refs read the file once, and anew when git writes it.
func TestManyPackedRefs(t *testing.T) {
	g := newRepo(t, "--bare")
	ids := g.history("a:", "b: a")
	for i := range 30 {
		g.git("update-ref", fmt.Sprintf("refs/heads/b%d", i), ids["a"])
	}
	g.git("pack-refs", "--all")
	r := g.open()
	all := func(want string) {
		t.Helper()
		for i := range 30 {
			if id, err := r.Ref(t.Context(), fmt.Sprintf("refs/heads/b%d", i)); err != nil || id != want {
				t.Fatalf("b%d is at %s, %v", i, id, err)
			}
		}
	}
	all(ids["a"])
	for i := range 30 {
		g.git("update-ref", fmt.Sprintf("refs/heads/b%d", i), ids["b"])
	}
	g.git("pack-refs", "--all")
	all(ids["b"])
}

// A commit that git stores and we cannot read does not come in behind a merge,
// and where it is there already it shuts nothing.
func TestUnreadableCommits(t *testing.T) {
	g := newRepo(t, "--bare")
	ids := g.history("a:", "b: a", "c: b")
	tree := g.git("rev-parse", ids["a"]+"^{tree}")
	literal := func(text string) string {
		return g.gitIn(text, "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
	}
	stamp := "author a <a@a> 1000 +0000\ncommitter a <a@a> 1000 +0000\n\nx\n"
	bad := literal("tree " + tree + "\nnonsense header\n\nx\n")
	above := literal("tree " + tree + "\nparent " + bad + "\n" + stamp)
	merge := literal("tree " + tree + "\nparent " + ids["b"] + "\nparent " + above + "\n" + stamp)
	g.git("update-ref", "refs/heads/main", ids["b"])
	r := g.open()
	us := []Update{{Ref: "refs/heads/main", Old: ids["b"], New: merge}}
	err := r.SetReceivedBases(t.Context(), us, us, func(string) bool { return true })
	want := "cannot find what the push changes in refs/heads/main: commit " + bad +
		" cannot be read: its header is malformed"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	g.git("update-ref", "refs/heads/bad", merge)
	us = []Update{{Ref: "refs/heads/new", Old: ZeroID, New: ids["c"]}}
	if err := g.open().SetReceivedBases(t.Context(), us, us, func(string) bool { return true }); err != nil ||
		us[0].Base != ids["b"] {
		t.Errorf("a new branch counts from %s, %v", us[0].Base, err)
	}
}
