package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
)

// sameAsGoGit checks that go-git's decoder, which takes more, reads a tree that
// we take alike. Only whether a file may be executed it asks of everybody where
// git asks its owner.
func sameAsGoGit(t *testing.T, entries []treeEntry, data []byte) {
	t.Helper()
	tree, err := gitobject.DecodeTree(nil, &encoded{object{plumbing.TreeObject, data}, plumbing.NewHash("01")})
	if err != nil || len(tree.Entries) != len(entries) {
		t.Fatalf("go-git reads %d of %d entries of %q: %v", len(tree.Entries), len(entries), data, err)
	}
	for i, e := range tree.Entries {
		mode := filemode.FileMode(entries[i].mode)
		if mode == filemode.Regular && e.Mode == filemode.Executable {
			mode = filemode.Executable
		}
		if e.Name != entries[i].name || e.Hash != entries[i].id || e.Mode != mode {
			t.Fatalf("entry %d of %q is %v to us and %v to go-git", i, data, entries[i], e)
		}
	}
}

// gitFiles is what git says of every file of a commit.
func gitFiles(g *gitRepo, id string) string {
	var lines []string
	for _, line := range strings.Split(strings.TrimSuffix(g.git("ls-tree", "-r", "-z", "-l", id), "\x00"), "\x00") {
		f := strings.Fields(line)
		lines = append(lines, strings.Join([]string{f[0], f[2], f[3], f[4]}, " "))
	}
	return strings.Join(lines, "\n")
}

// goGitFiles is the same out of go-git, on our store.
func goGitFiles(t *testing.T, c *gitobject.Commit) string {
	t.Helper()
	files, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = files.ForEach(func(f *gitobject.File) error {
		text, err := f.Contents()
		if err != nil || int64(len(text)) != f.Size {
			return fmt.Errorf("%s has %d of %d bytes, %w", f.Name, len(text), f.Size, err)
		}
		lines = append(lines, fmt.Sprintf("%06o %s %d %s", uint32(f.Mode), f.Hash, f.Size, f.Name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// goGitReads has go-git read commits, their parents, their files and what they
// changed out of our store, and compares it with git.
func goGitReads(t *testing.T, g *gitRepo, s *store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		c, err := gitobject.GetCommit(s, hash(id))
		if err != nil {
			t.Fatal(err)
		}
		var parents []string
		for _, p := range c.ParentHashes {
			parents = append(parents, p.String())
		}
		got := fmt.Sprintf("%s %s %s %d %s", c.TreeHash, strings.Join(parents, " "), c.Author.String(),
			c.Committer.When.Unix(), strings.TrimSuffix(c.Message, "\n"))
		want := g.git("log", "-1", "--format=%T %P %an <%ae> %ct %B", id)
		sameText(t, "commit", got, strings.TrimRight(want, "\n"))
		sameText(t, "files", goGitFiles(t, c), gitFiles(g, id))
		stats, err := c.Stats()
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, f := range stats {
			lines = append(lines, fmt.Sprintf("%d\t%d\t%s", f.Addition, f.Deletion, f.Name))
		}
		sameText(t, "changed lines", strings.Join(lines, "\n"),
			g.git("show", "--format=", "--numstat", "--no-renames", id))
	}
}

func TestGoGitReadsWhatGitReads(t *testing.T) {
	forms := map[string]func(g *gitRepo) *gitRepo{
		"packed, with deltas": func(g *gitRepo) *gitRepo {
			g.git("repack", "-q", "-adf", "--depth=50")
			return g
		},
		"loose": func(g *gitRepo) *gitRepo { unpack(g); return g },
		"through alternates": func(g *gitRepo) *gitRepo {
			g.git("repack", "-q", "-ad")
			shared := g.in(filepath.Join(g.t.TempDir(), "shared"))
			g.git("clone", "-q", "--shared", g.dir, shared.dir)
			shared.commit("own", "x")
			return shared
		},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			growing(g, 12)
			g.git("tag", "-a", "-m", "one\n\ntwo", "v1", "main~2")
			g = form(g)
			s := g.open().objs
			goGitReads(t, g, s, strings.Split(g.git("rev-list", "--all"), "\n")...)
			if tags := g.git("for-each-ref", "--format=%(objectname) %(*objectname)", "refs/tags/v1"); tags != "" {
				id, target, _ := strings.Cut(tags, " ")
				tag, err := gitobject.GetTag(s, hash(id))
				if err != nil || tag.Target.String() != target || tag.Message != "one\n\ntwo\n" {
					t.Errorf("tag %s: %+v, %v", id, tag, err)
				}
			}
		})
	}
}

func TestGoGitReadsTheQuarantine(t *testing.T) {
	for name, limit := range map[string]string{"loose": "1000", "packed": "1"} {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			growing(g, 6)
			g.git("checkout", "-q", "main")
			server := filepath.Join(t.TempDir(), "s.git")
			g.git("clone", "-q", "--bare", g.dir, server)
			g.in(server).git("config", "receive.unpackLimit", limit)
			id := g.commit("new", "x\n")
			h := g.pushHeld(server, "pre-receive", "main")
			r, err := Open(context.Background(), h.env)
			if err != nil {
				t.Fatal(err)
			}
			goGitReads(t, g, r.objs, id, g.git("rev-parse", "main~1"))
			r.Close()
			h.end(t, 1)
			if _, err := gitobject.GetCommit(g.in(server).open().objs, hash(id)); err == nil {
				t.Error("the refused commit is read without the quarantine")
			}
		})
	}
}

func TestEveryObjectIsIterated(t *testing.T) {
	g := newRepo(t)
	growing(g, 10)
	g.git("repack", "-q", "-d")
	g.git("checkout", "-q", "main")
	g.commit("loose", "x")
	g.git("tag", "-a", "-m", "x", "v1")
	var all []string
	for line := range strings.SplitSeq(g.git("cat-file", "--batch-check", "--batch-all-objects"), "\n") {
		all = append(all, strings.Join(strings.Fields(line)[:2], " "))
	}
	types := []plumbing.ObjectType{plumbing.AnyObject, plumbing.CommitObject, plumbing.TreeObject,
		plumbing.BlobObject, plumbing.TagObject}
	for _, typ := range types {
		iter, err := g.open().objs.IterEncodedObjects(typ)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = iter.ForEach(func(o plumbing.EncodedObject) error {
			r, err := o.Reader()
			if err != nil {
				return err
			}
			text, err := io.ReadAll(r)
			if sum := plumbing.ComputeHash(o.Type(), text); sum != o.Hash() || int64(len(text)) != o.Size() {
				t.Errorf("%s was read as %s of %d bytes", o.Hash(), sum, len(text))
			}
			got = append(got, o.Hash().String()+" "+o.Type().String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, line := range all {
			if typ == plumbing.AnyObject || strings.HasSuffix(line, " "+typ.String()) {
				want = append(want, line)
			}
		}
		slices.Sort(got)
		sameText(t, typ.String(), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What is missing or of another type is an error that go-git hands on, where
// of its own error for it, it makes "directory not found".
func TestGoGitDoesNotTakeMissingForNothing(t *testing.T) {
	g := newRepo(t)
	g.write("d/f", "x")
	id := g.commit("f", "x")
	dir, blob := g.git("rev-parse", id+":d"), g.git("rev-parse", id+":f")
	s := g.open().objs
	if _, err := gitobject.GetTree(s, hash(blob)); err == nil ||
		err.Error() != "object "+blob+" is a blob, not a tree" {
		t.Errorf("a file as a tree: %v", err)
	}
	size, err := s.EncodedObjectSize(hash(blob))
	if err != nil || size != 1 || s.HasEncodedObject(hash(blob)) != nil {
		t.Errorf("size: %d, %v", size, err)
	}
	g.remove(dir)
	c, err := gitobject.GetCommit(g.open().objs, hash(id))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := c.Tree()
	if err != nil {
		t.Fatal(err)
	}
	var missing *MissingError
	if _, err := tree.Tree("d"); !errors.As(err, &missing) {
		t.Errorf("a directory that is missing: %v", err)
	}
	if err := g.open().objs.HasEncodedObject(hash(dir)); !errors.As(err, &missing) {
		t.Errorf("has: %v", err)
	}
}

func TestTheStoreWritesNothing(t *testing.T) {
	g := newRepo(t)
	id := g.commit("f", "x")
	s := g.open().objs
	o := s.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	if _, err := s.SetEncodedObject(o); !errors.Is(err, errReadOnly) {
		t.Errorf("an object: %v", err)
	}
	if err := s.AddAlternate("/"); !errors.Is(err, errReadOnly) {
		t.Errorf("an alternate: %v", err)
	}
	read, err := s.EncodedObject(plumbing.AnyObject, hash(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read.Writer(); !errors.Is(err, errReadOnly) {
		t.Errorf("an object that was read: %v", err)
	}
	read.SetType(plumbing.BlobObject)
	read.SetSize(0)
	if read.Type() != plumbing.CommitObject || read.Size() == 0 {
		t.Error("an object that was read was changed")
	}
}
