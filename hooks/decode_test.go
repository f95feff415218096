package hooks

import (
	"context"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
)

func TestHostileCommitsAreRefused(t *testing.T) {
	const stamps = "author a <a@a> 1 +0000\ncommitter a <a@a> 2 +0000\n"
	commits := map[string]string{
		"empty":                      "",
		"no tree":                    "parent " + idB + "\n" + stamps + "\nx",
		"a short id":                 "tree " + idA[1:] + "\n" + stamps + "\nx",
		"a long id":                  "tree " + idA + "a\n" + stamps + "\nx",
		"an id in capitals":          "tree " + strings.Repeat("A", 40) + "\n" + stamps + "\nx",
		"two blanks before an id":    "tree  " + idA + "\n" + stamps + "\nx",
		"a carriage return":          "tree " + idA + "\r\n" + stamps + "\nx",
		"two trees":                  "tree " + idA + "\ntree " + idB + "\n" + stamps + "\nx",
		"a parent that is not one":   "tree " + idA + "\nparent HEAD\n" + stamps + "\nx",
		"a parent behind a person":   "tree " + idA + "\nauthor a <a@a> 1 +0000\nparent " + idB + "\n" + stamps + "\nx",
		"another line before people": "tree " + idA + "\nencoding latin1\n" + stamps + "\nx",
		"no committer":               "tree " + idA + "\nauthor a <a@a> 1 +0000\n\nx",
		"no end of the last line":    "tree " + idA + "\ncommitter a <a@a> 2 +0000",
		"only a tree":                "tree " + idA,
		"a message before people":    "tree " + idA + "\n\n" + stamps,
	}
	g := newRepo(t)
	g.commit("f", "x")
	for name, text := range commits {
		id := g.gitIn(text, "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
		want := "commit " + id + " cannot be read: its header is malformed"
		r := g.open()
		if _, err := r.Tree(context.Background(), id); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Commits(context.Background(), ZeroID, id); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s, in a list: %v", name, err)
		}
	}
}

// Stamps that git reads and go-git does not still have their time and person.
func TestOddStamps(t *testing.T) {
	stamps := map[string]struct {
		author string
		time   int64
	}{
		"Ann Bo <a@b> 1700000000 +0100":   {"Ann Bo <a@b>", 1700000000},
		"Ann <a@b>  1700000000 +0100":     {"Ann <a@b>", 1700000000},
		"Ann <a@b>1700000000 +0100":       {"Ann <a@b>", 1700000000},
		"Ann <a@b> 1700000000":            {"Ann <a@b>", 1700000000},
		"Ann a@b> 1700000000 +0100":       {"Ann a@b>", 1700000000},
		"<> 5 +0000":                      {"<>", 5},
		"Ann <a@b> -5 +0000":              {"Ann <a@b>", 0},
		"Ann <a@b> 99999999999999999999":  {"Ann <a@b>", 0},
		"Ann <a@b>":                       {"Ann <a@b>", 0},
		"nobody":                          {"nobody", 0},
		"Ann <good@x> <evil@y> 7 +0000":   {"Ann <good@x> <evil@y>", 7},
		"Ann > <a@b> x <c> 1700000000 +1": {"Ann > <a@b> x <c>", 1700000000},
	}
	for stamp, want := range stamps {
		text := "tree " + idA + "\nauthor " + stamp + "\ncommitter " + stamp + "\n\nx"
		e := &encoded{object{plumbing.CommitObject, []byte(text)}, hash(idB)}
		n, err := e.node()
		if err != nil || n.time != want.time {
			t.Errorf("%q: %+v, %v", stamp, n, err)
		}
		if author, err := decodeAuthor(e); err != nil || author != want.author {
			t.Errorf("%q: author %q, %v", stamp, author, err)
		}
	}
}

func TestHostileTagsAreRefused(t *testing.T) {
	g := newRepo(t)
	id := g.commit("f", "x")
	tree := g.git("rev-parse", "HEAD^{tree}")
	malformed := "its header is malformed"
	tags := map[string][2]string{
		"empty":                 {"", malformed},
		"no type":               {"object " + id + "\n\nx", malformed},
		"no name":               {"object " + id + "\ntype commit\n\nx", malformed},
		"cut in its third line": {"object " + id + "\ntype commit\ntag v1", malformed},
		"lines out of order":    {"type commit\nobject " + id + "\ntag v1\n\nx", malformed},
		"a short id":            {"object " + id[1:] + "\ntype commit\ntag v1\n\nx", "malformed tag: bad object hash"},
		"a type there is not":   {"object " + id + "\ntype thing\ntag v1\n\nx", "invalid object type"},
		"a commit called a tree": {"object " + id + "\ntype tree\ntag v1\n\nx",
			"it says that object " + id + " is a tree, and it is a commit"},
		"a tree called a commit": {"object " + tree + "\ntype commit\ntag v1\n\nx",
			"it says that object " + tree + " is a commit, and it is a tree"},
	}
	for name, tag := range tags {
		at := g.gitIn(tag[0], "hash-object", "-t", "tag", "-w", "--literally", "--stdin")
		_, err := g.open().Tree(context.Background(), at)
		if err == nil || !strings.HasSuffix(err.Error(), "tag "+at+" cannot be read: "+tag[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCommit reads whatever may be in a commit: of what is taken, go-git's
// reading of the whole agrees, and a parent is a line that starts so.
func FuzzCommit(f *testing.F) {
	const stamps = "author a <a@a> 1 +0000\ncommitter a <a@a> 2 +0000\n"
	f.Add([]byte("tree " + idA + "\n" + stamps + "\nmessage\n"))
	f.Add([]byte("tree " + idA + "\nparent " + idB + "\nparent " + idA + "\n" + stamps + "gpgsig a\n b\n\nx"))
	f.Add([]byte("tree " + idA + "\nauthor a <a@a> 1 +0000\nparent " + idB + "\n" + stamps + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := &encoded{object{plumbing.CommitObject, data}, hash(idA)}
		n, err := e.node()
		if err != nil {
			return
		}
		whole, err := gitobject.DecodeCommit(nil, e)
		if err != nil || whole.TreeHash != n.tree || len(whole.ParentHashes) != len(n.parents) {
			t.Fatalf("%q: we read %+v, go-git %+v, %v", data, n, whole, err)
		}
		head, _, _ := strings.Cut(string(data), "\ncommitter ")
		if strings.Count(head, "\nparent ") != len(n.parents) || n.time < 0 {
			t.Fatalf("%q: %+v", data, n)
		}
		for i, p := range whole.ParentHashes {
			if p != n.parents[i] {
				t.Fatalf("%q: parent %d is %s to us, %s to go-git", data, i, n.parents[i], p)
			}
		}
		if _, err := decodeAuthor(e); err != nil {
			t.Fatal(err)
		}
	})
}
