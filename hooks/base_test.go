package hooks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// history builds commits out of lines "name: parent parent"; later lines are
// later in time. It returns their ids by name.
func (g *gitRepo) history(lines ...string) map[string]string {
	g.t.Helper()
	ids := map[string]string{"-": ZeroID}
	for i, line := range lines {
		name, rest, _ := strings.Cut(line, ":")
		tree := g.gitIn(fmt.Sprintf("100644 blob %s\t%s\n", g.gitIn(name, "hash-object", "-w", "--stdin"), name), "mktree")
		args := []string{"commit-tree", tree, "-m", name}
		for _, p := range strings.Fields(rest) {
			args = append(args, "-p", ids[p])
		}
		date := fmt.Sprintf("%d +0000", 1700000000+100*i)
		ids[name] = g.with("GIT_COMMITTER_DATE="+date, "GIT_AUTHOR_DATE="+date).git(args...)
	}
	return ids
}

func TestSetBase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	//  a - b - c - d      main on the remote at c
	//       \       \
	//        e - f - m     a branch that merged d
	//  x                   another root
	lines := []string{"a:", "b: a", "c: b", "d: c", "e: b", "f: e", "m: f d", "x:"}
	unknown := strings.Repeat("1", 40)
	cases := map[string]struct {
		refs     []string // "name commit" before the push
		remote   string   // "" = the receiver
		url      string
		old, new string
		base     string
		forced   bool
	}{
		"a deletion has nothing to judge":               {nil, "origin", "https://x/y", "c", "-", "-", false},
		"an old commit that is an ancestor is the base": {nil, "origin", "https://x/y", "a", "d", "a", false},
		"nothing moved":                                  {nil, "origin", "https://x/y", "c", "c", "c", false},
		"a merge on top of the old commit":               {nil, "origin", "https://x/y", "f", "m", "f", false},
		"a ref wound back is judged by what goes away":   {nil, "origin", "https://x/y", "d", "b", "d", true},
		"a forced push counts from where the two parted": {nil, "origin", "https://x/y", "d", "f", "b", true},
		"a forced push counts from a nearer remote branch": {[]string{"refs/remotes/origin/e e"}, "origin",
			"https://x/y", "d", "f", "e", true},
		"an old commit that is not here": {[]string{"refs/remotes/origin/main c"}, "origin",
			"https://x/y", unknown, "d", "c", true},
		"an old commit that is not here and nothing known": {nil, "origin", "https://x/y", unknown, "d", "-",
			true},
		"a forced push of another root": {nil, "origin", "https://x/y", "d", "x", "-", true},
		"a new branch counts from the remote's branch": {[]string{"refs/remotes/origin/main c"}, "origin",
			"https://x/y", "-", "f", "b", false},
		"a new branch that merged main counts from the nearest": {
			[]string{"refs/remotes/origin/main d", "refs/remotes/origin/e e"}, "origin", "https://x/y", "-", "m", "d", false},
		"a new branch at a commit the remote has": {[]string{"refs/remotes/origin/main d"}, "origin",
			"https://x/y", "-", "b", "b", false},
		"a new branch with nothing in common": {[]string{"refs/remotes/origin/main d"}, "origin",
			"https://x/y", "-", "x", "-", false},
		"a new branch on a remote never fetched": {[]string{"refs/remotes/other/main d"}, "origin",
			"https://x/y", "-", "f", "-", false},
		"our own branches are not the remote's": {[]string{"refs/heads/main d"}, "origin",
			"https://x/y", "-", "f", "-", false},
		"a push to a URL counts the remote with that URL": {[]string{"refs/remotes/origin/main c"},
			"https://x/y", "https://x/y", "-", "f", "b", false},
		"what a remote is fetched from is not at its push URL": {[]string{"refs/remotes/fork/main c"}, "fork",
			"https://p/y", "-", "f", "-", false},
		"nor what it was pushed to at the URL it is fetched from": {[]string{"refs/remotes/fork/main c"}, "https://f/y",
			"https://f/y", "-", "f", "-", false},
		"a remote's name says nothing of another URL": {[]string{"refs/remotes/origin/main c"}, "origin",
			"https://z", "-", "f", "-", false},
		"a remote whose name is a URL": {[]string{"refs/remotes/https://x/y/main c"},
			"https://x/y", "https://x/y", "-", "f", "-", false},
		"a remote below another's name": {[]string{"refs/remotes/origin/up/main c"}, "origin",
			"https://x/y", "-", "f", "-", false},
		"two remotes that write one ref": {[]string{"refs/remotes/both/main c"}, "one",
			"https://1/y", "-", "f", "-", false},
		"a URL that is rewritten": {[]string{"refs/remotes/short/main c"}, "short",
			"ssh://git@long/y", "-", "f", "b", false},
		"a URL that is rewritten for pushes only": {[]string{"refs/remotes/half/main c"}, "half",
			"ssh://git@half/y", "-", "f", "-", false},
		"a remote of which one branch is fetched": {
			[]string{"refs/remotes/single/main c", "refs/remotes/single/old e"}, "single", "https://s/y", "-", "f", "b", false},
		"a push to a URL that is not a remote's": {[]string{"refs/remotes/origin/main c"}, "https://z",
			"https://z", "-", "f", "-", false},
		"a receiver counts its own branches": {[]string{"refs/heads/main c"}, "", "", "-", "f",
			"b", false},
		"a receiver leaves remote refs out": {[]string{"refs/remotes/origin/main c"}, "", "", "-",
			"f", "-", false},
		"a receiver's own moved ref is taken as it was": {[]string{"refs/heads/it f", "refs/heads/main c"},
			"", "", "-", "f", "b", false},
		"a remote-tracking ref to a commit that is gone is passed over": {
			[]string{"refs/remotes/origin/main c", "refs/remotes/origin/gone " + unknown}, "origin", "https://x/y", "-", "f",
			"b", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			ids := g.history(lines...)
			ids[unknown] = unknown
			for name, url := range map[string]string{"origin": "https://x/y", "fork": "https://f/y", "origin/up": "https://u/y",
				"one": "https://1/y", "two": "https://2/y", "short": "s:y", "half": "https://half/y", "single": "https://s/y"} {
				g.git("config", "remote."+name+".url", url)
				g.git("config", "remote."+name+".fetch", "+refs/heads/*:refs/remotes/"+name+"/*")
			}
			g.git("config", "remote.fork.pushurl", "https://p/y")
			g.git("config", "remote.one.fetch", "+refs/heads/*:refs/remotes/both/*")
			g.git("config", "remote.two.fetch", "+refs/heads/*:refs/remotes/both/*")
			g.git("config", "remote.single.fetch", "+refs/heads/main:refs/remotes/single/main")
			g.git("config", "--global", "url.ssh://git@long/.insteadOf", "s:")
			g.git("config", "--global", "url.ssh://git@half/.pushInsteadOf", "https://half/")
			for _, ref := range c.refs {
				name, at, _ := strings.Cut(ref, " ")
				g.write(".git/"+name, ids[at]+"\n")
			}
			u := Update{Ref: "refs/heads/it", Old: ids[c.old], New: ids[c.new], Delete: c.new == "-"}
			if err := g.open().SetBase(context.Background(), &u, c.remote, c.url); err != nil {
				t.Fatal(err)
			}
			got := "?"
			for name, id := range ids {
				if id == u.Base {
					got = name
				}
			}
			if got != c.base || u.Forced != c.forced {
				t.Errorf("base %s forced %t, want %s %t", got, u.Forced, c.base, c.forced)
			}
		})
	}
}

func TestSetBaseOfTags(t *testing.T) {
	g := newRepo(t)
	ids := g.history("a:", "b: a", "c: b")
	g.git("remote", "add", "origin", "u")
	g.git("update-ref", "refs/remotes/origin/main", ids["a"])
	g.git("tag", "-a", "-m", "x", "v1", ids["b"])
	g.git("tag", "-a", "-m", "x", "v2", ids["c"])
	g.git("tag", "-a", "-m", "x", "of-tag", "v2")
	g.git("tag", "-a", "-m", "x", "of-tree", ids["c"]+"^{tree}")
	g.git("tag", "-a", "-m", "x", "of-blob", ids["c"]+":c")
	r := g.open()
	base := func(old, new string) (Update, error) {
		u := Update{Ref: "refs/tags/t", Old: ZeroID, New: g.git("rev-parse", new)}
		if old != "" {
			u.Old = g.git("rev-parse", old)
		}
		return u, r.SetBase(context.Background(), &u, "origin", "u")
	}
	cases := map[string]struct {
		old, new, base string
		forced         bool
	}{
		"a new tag counts as its commit":      {"", "v1", ids["a"], false},
		"a tag of a tag too":                  {"", "of-tag", ids["a"], false},
		"a light tag too":                     {"", ids["b"], ids["a"], false},
		"a moved tag counts from its old one": {"v1", "v2", ids["b"], false},
		"a tag moved back":                    {"v2", "v1", ids["c"], true},
		"a tag of a tree is judged whole":     {"", "of-tree", ZeroID, false},
		"a tag that was one of a blob":        {"of-blob", "v1", ids["a"], true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			u, err := base(c.old, c.new)
			if err != nil || u.Base != c.base || u.Forced != c.forced {
				t.Errorf("got %s %t %v, want %s %t", u.Base, u.Forced, err, c.base, c.forced)
			}
			if _, err := r.Changes(context.Background(), u.Base, u.New); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a tag of a blob is refused", func(t *testing.T) {
		_, err := base("", "of-blob")
		var no *NoTreeError
		if !errors.As(err, &no) {
			t.Fatal(err)
		}
		sameText(t, "error", err.Error(),
			"cannot find what the push changes in refs/tags/t: cannot judge refs/tags/t: it names a blob, which has no tree")
		sameText(t, "hint", hintOf(err), "commit the content and push a tag or branch of that commit")
	})
}

func TestPostReceiveCountsFromBeforeThePush(t *testing.T) {
	g := newRepo(t)
	ids := g.history("a:", "b: a", "c: b")
	// Both branches are new and already in place, at commits of one line.
	g.git("update-ref", "refs/heads/main", ids["a"])
	g.git("update-ref", "refs/heads/one", ids["b"])
	g.git("update-ref", "refs/heads/two", ids["c"])
	us := []Update{
		{Ref: "refs/heads/one", Old: ZeroID, New: ids["b"]},
		{Ref: "refs/heads/two", Old: ZeroID, New: ids["c"]},
	}
	if err := g.open().SetBases(context.Background(), us, "", ""); err != nil {
		t.Fatal(err)
	}
	for _, u := range us {
		if u.Base != ids["a"] {
			t.Errorf("%s counts from %s", u.Ref, u.Base)
		}
	}
}

// A protected branch counts from protected branches alone: what came by
// another one was never held to its lanes.
func TestReceivedBasesCountFromSomeRefsOnly(t *testing.T) {
	g := newRepo(t)
	ids := g.history("a:", "b: a", "c: b")
	g.git("update-ref", "refs/heads/main", ids["a"])
	g.git("update-ref", "refs/heads/feature", ids["c"])
	push := []Update{{Ref: "refs/heads/release", Old: ZeroID, New: ids["c"]},
		{Ref: "refs/heads/other", Old: ids["b"], New: ZeroID}}
	for _, c := range []struct {
		counts string
		want   string
	}{{"refs/heads/main", ids["a"]}, {"refs/heads/", ids["c"]}, {"refs/heads/other", ids["b"]}, {"refs/none", ZeroID}} {
		us := []Update{push[0]}
		counts := func(ref string) bool { return strings.HasPrefix(ref, c.counts) }
		if err := g.open().SetReceivedBases(context.Background(), us, push, counts); err != nil {
			t.Fatal(err)
		}
		if us[0].Base != c.want {
			t.Errorf("counting %s: got %s, want %s", c.counts, us[0].Base, c.want)
		}
	}
	known, err := g.open().KnownReceived(context.Background(), push,
		func(ref string) bool { return ref == "refs/heads/main" })
	if err != nil || len(known) != 1 || known[0] != ids["a"] {
		t.Errorf("got %v, %v", known, err)
	}
}

// randomHistory imports n commits with random parents and, where skew is set,
// clocks that run wrong.
func randomHistory(g *gitRepo, rnd *rand.Rand, n int, skew bool) []string {
	var in strings.Builder
	for i := range n {
		when := 1700000000 + 60*i
		if skew {
			when = 1700000000 + rnd.IntN(60*n)
		}
		fmt.Fprintf(&in, "commit refs/heads/r%d\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\nx\n", i, i+1, when)
		var used []int
		for k := range 1 + rnd.IntN(3)*rnd.IntN(2) {
			p := i - rnd.IntN(min(i+1, 8))
			if p == 0 || slices.Contains(used, p) {
				continue
			}
			used = append(used, p)
			fmt.Fprintf(&in, "%s :%d\n", map[bool]string{true: "from", false: "merge"}[k == 0 || len(used) == 1], p)
		}
		fmt.Fprintf(&in, "M 644 inline f%d\ndata 1\nx\n", i)
	}
	g.gitIn(in.String(), "fast-import", "--quiet", "--force")
	return strings.Fields(g.git("for-each-ref", "--format=%(objectname)", "refs/heads/r*"))
}

func TestAncestryAgreesWithGit(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, skew := range []bool{false, true} {
		for _, graph := range []string{"no graph", "one graph", "graph in layers"} {
			t.Run(fmt.Sprintf("%s, clocks wrong: %t", graph, skew), func(t *testing.T) {
				g := newRepo(t)
				rnd := rand.New(rand.NewPCG(3, 4))
				ids := randomHistory(g, rnd, 120, skew)
				switch graph {
				case "one graph":
					g.git("commit-graph", "write", "--reachable")
				case "graph in layers":
					g.gitIn(ids[0]+"\n"+ids[50]+"\n", "commit-graph", "write", "--stdin-commits", "--split=no-merge")
					g.git("commit-graph", "write", "--reachable", "--split=no-merge")
				}
				r := g.open()
				if n := len(r.commitGraph().files); (n > 0) != (graph != "no graph") {
					t.Fatalf("%d graph files are in use", n)
				}
				for range 30 {
					agreeOnPair(t, g, r, ids[rnd.IntN(len(ids))], []string{ids[rnd.IntN(len(ids))], ids[rnd.IntN(len(ids))]}, skew)
				}
			})
		}
	}
}

func agreeOnPair(t *testing.T, g *gitRepo, r *Repo, one string, others []string, skew bool) {
	t.Helper()
	ctx := context.Background()
	h, err := r.history(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.mergeBases(hash(one), []hashT{hash(others[0]), hash(others[1])}, hashT{})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := g.try("", "merge-base", "--all", one, others[0], others[1])
	want := strings.Fields(out)
	// With wrong clocks ours may name an ancestor of a merge base next to it;
	// never one that is none, and never none where there is one.
	for _, w := range want {
		if !slices.Contains(got, hash(w)) {
			t.Errorf("merge base %s of %s and %s was not found", w, one, others)
		}
	}
	if !skew && len(got) != len(want) || len(want) == 0 && len(got) > 0 {
		t.Errorf("merge bases of %s and %s: got %s, want %s", one, others, got, want)
	}
	is, err := h.isAncestor(hash(others[0]), hash(one))
	_, no := g.try("", "merge-base", "--is-ancestor", others[0], one)
	if err != nil || is != (no == nil) {
		t.Errorf("%s an ancestor of %s: got %t %v, want %t", others[0], one, is, err, no == nil)
	}
	commits, err := r.Commits(ctx, others[0], one, others[1])
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	place := make(map[string]int)
	for i, c := range commits {
		list = append(list, c.ID)
		place[c.ID] = i
	}
	for i, c := range commits {
		for _, p := range c.Parents {
			if j, ok := place[p]; ok && j > i {
				t.Errorf("commit %s is before its parent", c.ID)
			}
		}
	}
	want = strings.Fields(g.git("rev-list", one, "^"+others[0], "^"+others[1]))
	if skew { // git itself then lists commits that are not new; ours must only leave out such
		want = slices.DeleteFunc(want, func(id string) bool {
			_, one := g.try("", "merge-base", "--is-ancestor", id, others[0])
			_, two := g.try("", "merge-base", "--is-ancestor", id, others[1])
			return one == nil || two == nil
		})
	}
	slices.Sort(list)
	slices.Sort(want)
	if !slices.Equal(list, want) {
		t.Errorf("commits of %s without %s: got %d, want %d", one, others, len(list), len(want))
	}
}
