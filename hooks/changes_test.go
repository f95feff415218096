package hooks

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// diffTree is git's own answer, as "status path" by path bytes.
func diffTree(g *gitRepo, a, b string) []string {
	g.t.Helper()
	if a == ZeroID {
		a = emptyTree.String()
	}
	out := g.git("diff-tree", "-r", "--no-renames", "--name-status", "-z", a, b)
	f := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	var list []string
	for i := 0; i+1 < len(f); i += 2 {
		list = append(list, strings.Replace(f[i], "T", "M", 1)+" "+f[i+1])
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i][2:] < list[j][2:] })
	return list
}

// randomTrees imports commits with random trees and returns their ids. Names
// include what breaks line-based readers, and entries change into anything.
func randomTrees(g *gitRepo, rnd *rand.Rand, n int) []string {
	names := []string{"a", "a-b", "a.b", "a0", "ab", "b", "new\nline", "quo\"te", "tab\t", "\xff\xfe", "sp ace", "é", "z"}
	var in bytes.Buffer
	for i := range n {
		fmt.Fprintf(&in, "commit refs/heads/r%d\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\nx\ndeleteall\n", i, i+1,
			1700000000+i)
		for range rnd.IntN(25) {
			depth := 1 + rnd.IntN(3)
			var parts []string
			for range depth {
				parts = append(parts, names[rnd.IntN(len(names))])
			}
			mode := []string{"100644", "100755", "120000"}[rnd.IntN(3)]
			text := fmt.Sprint(rnd.IntN(4))
			fmt.Fprintf(&in, "M %s inline %s\ndata %d\n%s\n", mode, cquote(strings.Join(parts, "/")), len(text), text)
		}
		if rnd.IntN(4) == 0 {
			fmt.Fprintf(&in, "M 160000 %040x sub\n", 1+rnd.IntN(3))
		}
	}
	g.gitIn(in.String(), "fast-import", "--quiet", "--force")
	var ids []string
	for i := range n {
		ids = append(ids, g.git("rev-parse", fmt.Sprintf("refs/heads/r%d", i)))
	}
	return ids
}

func cquote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, "\\%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

func TestChangesAgreesWithGitOnRandomTrees(t *testing.T) {
	g := newRepo(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	ids := append(randomTrees(g, rnd, 80), ZeroID)
	r := g.open()
	for range 300 {
		a, b := ids[rnd.IntN(len(ids))], ids[rnd.IntN(len(ids)-1)]
		got, err := r.Changes(context.Background(), a, b)
		if err != nil {
			t.Fatal(err)
		}
		if want := diffTree(g, a, b); !slices.Equal(paths(got), want) {
			t.Fatalf("%s..%s:\n got %q\nwant %q", a, b, paths(got), want)
		}
		if !slices.IsSortedFunc(got, func(x, y Change) int { return strings.Compare(x.Path, y.Path) }) {
			t.Fatalf("%s..%s is not in order: %q", a, b, paths(got))
		}
	}
}

func TestChangesOfEachKind(t *testing.T) {
	g := newRepo(t)
	g.write("mode", "x")
	g.write("gone", "x")
	g.write("swap", "file")
	g.write("dir/in", "x")
	if err := os.Symlink("mode", filepath.Join(g.dir, "link")); err != nil {
		t.Fatal(err)
	}
	a := g.commit("same", "x")
	os.Chmod(filepath.Join(g.dir, "mode"), 0o755)
	for _, name := range []string{"gone", "swap", "link", "dir/in", "dir"} {
		os.Remove(filepath.Join(g.dir, name))
	}
	os.Symlink("gone", filepath.Join(g.dir, "link"))
	g.write("swap/file", "x")
	g.write("dir", "x")
	g.write("new", "x")
	g.git("add", "-A")
	g.git("update-index", "--add", "--cacheinfo", "160000,"+a+",sub")
	g.git("commit", "-q", "-m", "all kinds")
	b := g.git("rev-parse", "HEAD")
	got, err := g.open().Changes(context.Background(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		lines = append(lines, fmt.Sprintf("%s %s %s %t %t", c.Status, c.Mode, c.Path, c.OldID != "", c.NewID != ""))
	}
	want := []string{
		"A 100644 dir false true", "D  dir/in true false", "D  gone true false", "M 120000 link true true",
		"M 100755 mode true true", "A 100644 new false true", "A 160000 sub false true",
		"D  swap true false", "A 100644 swap/file false true",
	}
	sameText(t, "changes", strings.Join(lines, "\n"), strings.Join(want, "\n"))
}

// remove deletes one loose object.
func (g *gitRepo) remove(id string) {
	g.t.Helper()
	if err := os.Remove(filepath.Join(g.dir, ".git/objects", id[:2], id[2:])); err != nil {
		g.t.Fatal(err)
	}
}

func TestChangesWithMissingTrees(t *testing.T) {
	g := newRepo(t)
	g.write("aa/f", "same")
	g.write("zz/f", "1")
	a := g.commit("m", "x")
	b := g.commit("zz/f", "2")
	g.remove(g.git("rev-parse", "HEAD:aa"))
	r := g.open()

	t.Run("an unchanged sibling that is missing does not matter", func(t *testing.T) {
		got, err := r.Changes(context.Background(), a, b)
		if err != nil || !slices.Equal(paths(got), []string{"M zz/f"}) {
			t.Errorf("got %q, %v", paths(got), err)
		}
	})
	t.Run("a changed directory that is missing is an error", func(t *testing.T) {
		tree := g.git("rev-parse", "HEAD:zz")
		g.remove(tree)
		got, err := g.open().Changes(context.Background(), a, b)
		if err == nil || got != nil {
			t.Fatalf("got %q, %v", paths(got), err)
		}
		sameText(t, "error", err.Error(), "cannot list changes: object "+tree+" is missing")
		sameText(t, "hint", hintOf(err), "see what is broken with: git fsck --connectivity-only")
	})
}

// rawTree writes a tree object as it is, whatever git thinks of it.
func rawTree(g *gitRepo, entries ...string) string {
	return g.gitIn(strings.Join(entries, ""), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
}

func rawEntry(g *gitRepo, mode, name, id string) string {
	raw := hash(id)
	return mode + " " + name + "\x00" + string(raw[:])
}

func TestHostileTreesAreRefused(t *testing.T) {
	g := newRepo(t)
	blob := g.gitIn("x", "hash-object", "-w", "--stdin")
	sub := rawTree(g, rawEntry(g, "100644", "passwd", blob))
	cases := map[string]struct {
		tree []string
		want string
	}{
		"a name that climbs": {[]string{rawEntry(g, "40000", "..", sub)},
			`entry ".." has a name that git refuses to check out`},
		"a name with a slash": {[]string{rawEntry(g, "100644", "a/b", blob)},
			`entry "a/b" has a name that git refuses to check out`},
		"git's own folder": {[]string{rawEntry(g, "40000", ".GIT", sub)},
			`entry ".GIT" has a name that git refuses to check out`},
		"no name": {[]string{rawEntry(g, "100644", "", blob)},
			`entry "" has a name that git refuses to check out`},
		"a link that hides under a folder": {[]string{rawEntry(g, "120000", "etc", blob),
			rawEntry(g, "100644", "etc.d", blob), rawEntry(g, "40000", "etc", sub)}, `entry "etc" appears twice`},
		"the same file twice": {[]string{rawEntry(g, "100644", "a", blob), rawEntry(g, "100644", "a", blob)},
			`entry "a" is out of order`},
		"entries out of order": {[]string{rawEntry(g, "100644", "b", blob), rawEntry(g, "100644", "a", blob)},
			`entry "a" is out of order`},
		"a mode that is none": {[]string{rawEntry(g, "70000", "a", blob)}, `entry "a" has the unknown mode 70000`},
		"no object":           {[]string{rawEntry(g, "40000", "a", ZeroID)}, `entry "a" has no object id`},
		"cut short":           {[]string{rawEntry(g, "100644", "a", blob)[:20]}, `it is cut short or not a tree`},
	}
	r := g.open()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			id := rawTree(g, c.tree...)
			_, err := r.Changes(context.Background(), ZeroID, id)
			if err == nil {
				t.Fatal("no error")
			}
			sameText(t, "error", err.Error(), "cannot list changes: tree "+id+" cannot be judged: "+c.want)
			if _, err := r.Tree(context.Background(), id); err == nil {
				t.Error("Tree opens it")
			}
		})
	}
}

func TestATreeThatUnfoldsWithoutEndIsRefused(t *testing.T) {
	g := newRepo(t)
	id := rawTree(g, rawEntry(g, "100644", "a", g.gitIn("x", "hash-object", "-w", "--stdin")))
	for range 40 {
		var in []string
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			in = append(in, rawEntry(g, "40000", name, id))
		}
		id = rawTree(g, in...)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &treeWalk{ctx: ctx, objs: g.open().objs, left: &budget{changes: 10, compared: 1000, bytes: 100_000}}
	ref, err := g.open().revisions.treeOf(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	err = w.pair([20]byte{}, ref.id, "", 0)
	if err == nil || err.Error() != "more than 1000000 paths differ in this push" {
		t.Errorf("got %v", err)
	}
	cancel()
	if _, err := g.open().Changes(ctx, ZeroID, id); err == nil {
		t.Error("a cancelled walk goes on")
	}
}
