package hooks

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// nested is a tree of files below depth folders of one name.
func nested(g *gitRepo, files, depth int, name string) string {
	blob := g.gitIn("x", "hash-object", "-w", "--stdin")
	var in []string
	for i := range files {
		in = append(in, rawEntry(g, "100644", fmt.Sprintf("f%07d", i), blob))
	}
	id := rawTree(g, in...)
	for range depth {
		id = rawTree(g, rawEntry(g, "40000", name, id))
	}
	return id
}

// wide is a tree in which every one of depth folders has the same fan names,
// all of them the folder below; leaf is the lowest.
func wide(g *gitRepo, fan, depth int, leaf string) string {
	id := leaf
	for range depth {
		var in []string
		for i := range fan {
			in = append(in, rawEntry(g, "40000", fmt.Sprintf("%03d", i), id))
		}
		id = rawTree(g, in...)
	}
	return id
}

func TestLongPathsAreRefused(t *testing.T) {
	g := newRepo(t)
	name := strings.Repeat("d", 200)
	id := nested(g, 8000, 500, name)
	start := quote(strings.Repeat(name+"/", 21))
	for want, err := range map[string]error{
		"cannot list changes: path " + start + " has 4221 bytes, more than 4096": changesErr(g, id),
		"cannot write tree " + id + " as tar: path " + start +
			" has 4220 bytes, more than 4096": g.tree(id).WriteTar(t.Context(), io.Discard, 0, 0),
		"cannot read tree " + id + ": path " + start + " has 4220 bytes, more than 4096": onlyErr(g, id),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		} else if hint := hintOf(err); hint != "commit it under a shorter path: git mv OLD NEW" {
			t.Errorf("hint %q", hint)
		}
	}
	fits := rawTree(g, rawEntry(g, "40000", strings.Repeat("d", maxPath-9), nested(g, 1, 0, "")))
	if err := changesErr(g, fits); err != nil {
		t.Errorf("a path of %d bytes: %v", maxPath, err)
	}
}

func changesErr(g *gitRepo, id string) error {
	_, err := g.open().Changes(context.Background(), ZeroID, id)
	return err
}

func onlyErr(g *gitRepo, id string) error {
	_, err := g.tree(id).Only(context.Background(), func(string) bool { return true })
	return err
}

// TestWalksHaveBounds: trees of a few kilobytes that unfold to more than a
// bound allows, each of them at another one.
func TestWalksHaveBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	g := newRepo(t)
	empty := rawTree(g)
	blob := g.gitIn("x", "hash-object", "-w", "--stdin")
	big := make([]string, 0, 30_000)
	for i := range cap(big) {
		big = append(big, rawEntry(g, "100644", fmt.Sprintf("f%07d", i), blob))
	}
	leaf := rawTree(g, big...)
	inside := leaf // every folder has all of these names, and first the folder below
	for range 80 {
		inside = rawTree(g, append([]string{rawEntry(g, "40000", "a", inside)}, big...)...)
	}
	long := nested(g, 20_000, 20, strings.Repeat("n", 180))
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"bytes of paths": {changesErr(g, long),
			"cannot list changes: the paths that differ in this push are longer than 64 MiB together"},
		"folders with nothing in it": {changesErr(g, wide(g, 200, 6, empty)),
			"cannot list changes: the paths that differ in this push are longer than 64 MiB together"},
		"short paths": {changesErr(g, wide(g, 40, 1, leaf)),
			"cannot list changes: more than 1000000 paths differ in this push"},
		"folders within one another": {changesErr(g, inside),
			"cannot list changes: directories within one another have more than 2000000 entries"},
		"a tar": {g.tree(wide(g, 200, 6, empty)).WriteTar(t.Context(), io.Discard, 0, 0),
			"more than 4000000 entries"},
		"a tar, within one another": {g.tree(inside).WriteTar(t.Context(), io.Discard, 0, 0),
			"directories within one another have more than 2000000 entries"},
		"a part of a tree":           {onlyErr(g, wide(g, 200, 6, empty)), "more than 4000000 entries"},
		"a part, within one another": {onlyErr(g, inside), "directories within one another have more than 2000000 entries"},
	} {
		if c.err == nil || !strings.HasSuffix(c.err.Error(), c.want) {
			t.Errorf("%s:\n got  %v\nwant %s", name, c.err, c.want)
		}
	}
}

// TestAListingIsOfOnePush: the updates of a push share the bounds, and what two
// of them have alike is listed once.
func TestAListingIsOfOnePush(t *testing.T) {
	g := newRepo(t)
	files := 300_000
	leaf := nested(g, 30_000, 0, "")
	trees := make([]string, 4)
	for i := range trees {
		trees[i] = rawTree(g, rawEntry(g, "40000", fmt.Sprint(i), wide(g, files/30_000, 1, leaf)))
	}
	l := g.open().Listing()
	for range 5 {
		for _, id := range trees[:3] {
			if list, err := l.Changes(t.Context(), ZeroID, id); err != nil || len(list) != files {
				t.Fatalf("%d changes, %v", len(list), err)
			}
		}
	}
	_, err := l.Changes(t.Context(), ZeroID, trees[3])
	if err == nil || err.Error() != "cannot list changes: more than 1000000 paths differ in this push" {
		t.Errorf("got %v", err)
	} else if hint := hintOf(err); hint != "push fewer branches and tags at once, or fewer files: git push origin main" {
		t.Errorf("hint %q", hint)
	}
}

// TestOnlyKeepsNoWholeDirectory: of large directories in which one file is
// wanted, no more than that file is held.
func TestOnlyKeepsNoWholeDirectory(t *testing.T) {
	g := newRepo(t)
	var in []string
	for i := range 40 {
		in = append(in, rawEntry(g, "40000", fmt.Sprintf("%02d", i), nested(g, 20_000+i, 0, "")))
	}
	tree := g.tree(rawTree(g, in...))
	only, err := tree.Only(t.Context(), func(path string) bool { return strings.HasSuffix(path, "/f0000000") })
	if err != nil {
		t.Fatal(err)
	}
	tree = nil
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 40<<20 { // 40 directories take 70 MB
		t.Errorf("%d bytes are held for 40 files", m.HeapAlloc)
	}
	if text, err := only.ReadFile("07/f0000000"); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestTreesRememberByBytes(t *testing.T) {
	g := newRepo(t)
	var in []string
	for i := range 40 {
		in = append(in, rawEntry(g, "40000", fmt.Sprintf("%02d", i), nested(g, 20_000+i, 0, "")))
	}
	tree := g.tree(rawTree(g, in...))
	for i := range 40 {
		if _, err := tree.Stat(fmt.Sprintf("%02d/f0000000", i)); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for _, entries := range tree.dirs {
		held += dirCost(entries)
	}
	if held > maxDirBytes || len(tree.dirs) < 5 {
		t.Errorf("%d directories of %d bytes are remembered", len(tree.dirs), held)
	}
}

// rawCommit writes a commit of these headers and message.
func rawCommit(g *gitRepo, tree string, parents []string, author, message string) string {
	var b strings.Builder
	b.WriteString("tree " + tree + "\n")
	for _, p := range parents {
		b.WriteString("parent " + p + "\n")
	}
	fmt.Fprintf(&b, "author %s 1700000000 +0000\ncommitter C <c@x> 1700000000 +0000\n\n%s", author, message)
	return g.gitIn(b.String(), "hash-object", "-w", "-t", "commit", "--literally", "--stdin")
}

func TestCommitsHaveBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	g := newRepo(t)
	empty := rawTree(g)
	root := rawCommit(g, empty, nil, "A <a@x>", "root")
	many := make([]string, maxParents+1)
	for i := range many {
		many[i] = root
	}
	text, at := strings.Repeat("m", 8<<20), root
	for range 9 {
		at = rawCommit(g, empty, []string{at}, "A <a@x>", text)
	}
	who := root
	for range 9 {
		who = rawCommit(g, empty, []string{who}, strings.Repeat("A", 8<<20)+" <a@x>", "m")
	}
	octopus := rawCommit(g, empty, many, "A <a@x>", "m")
	for id, want := range map[string]string{
		octopus: "cannot list new commits: commit " + octopus + " has 4097 parents, more than 4096",
		at:      "cannot list new commits: they are longer than 64 MiB together",
		who:     "cannot list new commits: they are longer than 64 MiB together",
	} {
		list, err := g.open().Commits(t.Context(), ZeroID, id)
		if err == nil || err.Error() != want || list != nil {
			t.Errorf("got  %d commits, %v\nwant %s", len(list), err, want)
		}
	}
	if list, err := g.open().Commits(t.Context(), at+"~2", at); err != nil || len(list) != 2 {
		t.Errorf("within the bound: %d, %v", len(list), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.open().Commits(ctx, ZeroID, at); err == nil {
		t.Error("a cancelled walk goes on")
	}
}
