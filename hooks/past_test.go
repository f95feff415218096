package hooks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomContents imports n commits with up to three parents each, on files of few
// contents, and returns their ids.
func randomContents(g *gitRepo, rnd *rand.Rand, n int) []string {
	var in bytes.Buffer
	for i := range n {
		fmt.Fprintf(&in, "commit refs/heads/r%d\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\nx\n", i, i+1, 1700000000+i)
		if i > 0 && rnd.IntN(8) > 0 {
			fmt.Fprintf(&in, "from :%d\n", 1+rnd.IntN(i))
			for range rnd.IntN(3) {
				fmt.Fprintf(&in, "merge :%d\n", 1+rnd.IntN(i))
			}
		}
		for range rnd.IntN(4) {
			path := []string{"a", "b", "d/a", "d/e/f", "\xff"}[rnd.IntN(5)]
			if text := fmt.Sprint(rnd.IntN(60)); rnd.IntN(4) > 0 {
				fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", cquote(path), len(text), text)
			} else {
				fmt.Fprintf(&in, "D %s\n", cquote(path))
			}
		}
	}
	g.gitIn(in.String(), "fast-import", "--quiet", "--force")
	ids := make([]string, n)
	for i := range n {
		ids[i] = g.git("rev-parse", fmt.Sprintf("refs/heads/r%d", i))
	}
	return ids
}

// TestEveryNewBlobIsSeen: whatever git would send for a push is in its changes
// or in its past.
func TestEveryNewBlobIsSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		g := newRepo(t)
		ids := append(randomContents(g, rnd, 40), ZeroID)
		r := g.open()
		for range 60 {
			base, new, known := ids[rnd.IntN(len(ids))], ids[rnd.IntN(40)], ids[rnd.IntN(40)]
			checkPast(t, g, r, base, new, known)
		}
	}
}

func checkPast(t *testing.T, g *gitRepo, r *Repo, base, new, known string) {
	t.Helper()
	l := r.Listing()
	changes, err := l.Changes(context.Background(), base, new)
	if err != nil {
		t.Fatal(err)
	}
	past, err := l.Past(context.Background(), base, new, known)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range changes {
		seen[c.NewID] = true
	}
	for _, p := range past.All {
		if slices.ContainsFunc(changes, func(c Change) bool {
			return c.Path == p.Path && c.NewID == p.NewID &&
				c.Mode == p.Mode
		}) {
			t.Errorf("%s is in the pushed tree with %s", quote(p.Path), p.NewID)
		}
		if got := g.git("ls-tree", "-z", p.Commit, "--", ":(top,literal)"+p.Path); !strings.Contains(got, p.NewID) {
			t.Errorf("commit %s has no %s at %s: %s", p.Commit, p.NewID, quote(p.Path), got)
		}
		seen[p.NewID] = true
	}
	if base != ZeroID { // git sends some of what the base has: it looks at the trees of the edge alone
		for line := range strings.Lines(g.git("ls-tree", "-r", base)) {
			seen[strings.Fields(line)[2]] = true
		}
	}
	args := []string{"rev-list", "--objects", "--filter=object:type=blob", "--filter-provided-objects", new, "^" + known}
	if base != ZeroID {
		args = append(args, "^"+base)
	}
	for line := range strings.Lines(g.git(args...)) {
		if id, _, _ := strings.Cut(strings.TrimSpace(line), " "); !seen[id] {
			t.Errorf("%s..%s without %s: blob %s is not seen", base, new, known, line)
		}
	}
}

func pastText(l PastList) (all []string) {
	for _, p := range l.All {
		all = append(all, fmt.Sprintf("%s %s %s old %t merged %d", p.Commit[:7], p.Status, p.Path, p.OldID != "",
			len(p.Merged)))
	}
	return all
}

func TestPastOfMerges(t *testing.T) {
	g := newRepo(t)
	root := g.commit("f", "root\n")
	side := g.commit("f", "side\n")
	g.git("checkout", "-q", "-b", "topic", root)
	one := g.commit("f", "topic\n")
	_, _ = g.try("", "merge", "-q", side)
	g.write("f", "evil\n")
	g.write("new", "evil\n")
	g.git("add", "-A")
	g.git("commit", "-q", "-m", "merge")
	merge := g.git("rev-parse", "HEAD")
	g.git("rm", "-q", "new")
	end := g.commit("f", "end\n")
	past, err := g.open().Listing().Past(t.Context(), root, end, side)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{one[:7] + " M f old true merged 0", merge[:7] + " M f old true merged 1",
		merge[:7] + " A new old false merged 0"}
	if got := pastText(past); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestPastIsBounded: a history that adds more than the bounds is refused with a
// way on, and a context that ends stops the walk.
func TestPastIsBounded(t *testing.T) {
	g := newRepo(t)
	first := g.commit("a", "1")
	g.commit("a", "2")
	last := g.commit("a", "3")
	r := g.open()
	w := &pastWalk{ctx: t.Context(), repo: r, left: newBudget(), seen: map[pastKey]bool{}}
	w.left.changes = 0
	h, err := r.history(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := r.newNodes(t.Context(), h, first, last, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = pastHint(w.commit(nodes[0]))
	if err == nil || err.Error() != "more than 1000000 paths differ in this push" {
		t.Errorf("got %v", err)
	}
	var hinted interface{ Hint() string }
	if hinted, _ = err.(interface{ Hint() string }); hinted == nil ||
		hinted.Hint() != "push older commits first: git push origin main~1000:refs/heads/main" {
		t.Errorf("the hint is another")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Listing().Past(ctx, first, last); err == nil {
		t.Error("a walk goes on after its end")
	}
}

func TestBlob(t *testing.T) {
	g := newRepo(t)
	g.commit("a", "text")
	id := g.git("rev-parse", "HEAD:a")
	r := g.open()
	f, size, err := r.Blob(id, NewSpool(t.Context(), MaxSpool))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "text" || size != 4 || err != nil {
		t.Errorf("got %q of %d bytes: %v", text, size, err)
	}
	for _, id := range []string{"HEAD:a", g.git("rev-parse", "HEAD"), strings.Repeat("1", 40)} {
		if _, _, err := r.Blob(id, NewSpool(t.Context(), MaxSpool)); err == nil {
			t.Errorf("%s is a blob", id)
		}
	}
}
