package hooks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// wideRepo is a repository of 50,000 files in 50 x 20 folders and of 2,000
// commits of one file each, packed. main is the newest commit, side forks off
// five commits before it, many changes 1,950 files.
func wideRepo(b *testing.B) *gitRepo {
	b.Helper()
	if testing.Short() {
		b.Skip("it makes a repository of 50,000 files")
	}
	g := newRepo(b)
	var in bytes.Buffer
	name := func(i int) string { return fmt.Sprintf("d%02d/s%02d/f%02d.txt", i/1000, i/50%20, i%50) }
	commit := func(ref string, i int) {
		fmt.Fprintf(&in, "commit refs/heads/%s\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\nx\n", ref, i+1, 1600000000+60*i)
	}
	commit("main", 0)
	for i := range 50_000 {
		fmt.Fprintf(&in, "M 644 inline %s\ndata 6\n%06d\n", name(i), i)
	}
	for i := 1; i < 2000; i++ {
		commit("main", i)
		fmt.Fprintf(&in, "M 644 inline %s\ndata 7\nx%06d\n", name(i*37%50_000), i)
	}
	commit("many", 2000)
	fmt.Fprintf(&in, "from :2000\n")
	for i := range 1950 {
		fmt.Fprintf(&in, "M 644 inline %s\ndata 7\ny%06d\n", name(i*25), i)
	}
	commit("side", 2001)
	fmt.Fprintf(&in, "from :1995\nM 644 inline side\ndata 1\nx\n")
	g.gitIn(in.String(), "fast-import", "--quiet")
	g.git("repack", "-q", "-a", "-d")
	return g
}

// BenchmarkChanges compares a fresh Open and Changes with git diff-tree as a
// process, on the same commits in the same run.
func BenchmarkChanges(b *testing.B) {
	g := wideRepo(b)
	env := g.hookEnv()
	pairs := []struct{ name, old, new string }{
		{"1-file", "main~1", "main"},
		{"500-files", "main~500", "main"},
		{"1950-files", "main", "many"},
		{"50000-files", ZeroID, "main"},
	}
	for _, p := range pairs {
		old, id := ZeroID, g.git("rev-parse", p.new)
		if p.old != ZeroID {
			old = g.git("rev-parse", p.old)
		}
		b.Run(p.name+"/ours", func(b *testing.B) {
			for b.Loop() {
				r, err := Open(context.Background(), env)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.Changes(context.Background(), old, id); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
		b.Run(p.name+"/kept-open", func(b *testing.B) {
			r := g.open()
			for b.Loop() {
				if _, err := r.Changes(context.Background(), old, id); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(p.name+"/git", func(b *testing.B) {
			from := old
			if from == ZeroID {
				from = emptyTree.String()
			}
			for b.Loop() {
				runQuiet(b, g, "diff-tree", "-r", "--no-renames", "--name-only", "-z", from, id)
			}
		})
	}
}

// BenchmarkBase compares SetBase with git merge-base, without and with a
// commit graph.
func BenchmarkBase(b *testing.B) {
	g := wideRepo(b)
	g.git("update-ref", "refs/remotes/origin/main", "main")
	cases := map[string]struct{ old, new string }{
		"forward": {g.git("rev-parse", "main~1"), g.git("rev-parse", "main")},
		"new":     {ZeroID, g.git("rev-parse", "side")},
		"forced":  {g.git("rev-parse", "main"), g.git("rev-parse", "side")},
		"far":     {g.git("rev-parse", "main~1998"), g.git("rev-parse", "main")},
	}
	for _, graph := range []string{"no-graph", "graph"} {
		if graph == "graph" {
			g.git("commit-graph", "write", "--reachable")
		}
		env := g.hookEnv()
		for name, c := range cases {
			b.Run(graph+"/"+name+"/ours", func(b *testing.B) {
				for b.Loop() {
					r, err := Open(context.Background(), env)
					if err != nil {
						b.Fatal(err)
					}
					u := Update{Ref: "refs/heads/x", Old: c.old, New: c.new}
					if err := r.SetBase(context.Background(), &u, "origin", "u"); err != nil {
						b.Fatal(err)
					}
					r.Close()
				}
			})
			b.Run(graph+"/"+name+"/git", func(b *testing.B) {
				old := c.old
				if old == ZeroID {
					old = "refs/remotes/origin/main"
				}
				for b.Loop() {
					runQuiet(b, g, "merge-base", old, c.new)
				}
			})
		}
	}
}

// BenchmarkTar compares WriteTar with git archive.
func BenchmarkTar(b *testing.B) {
	g := wideRepo(b)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if err := openTree(b, g, "main").WriteTar(context.Background(), io.Discard, 0, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("git", func(b *testing.B) {
		for b.Loop() {
			runQuiet(b, g, "archive", "--format=tar", "main")
		}
	})
}

func openTree(b *testing.B, g *gitRepo, rev string) *Tree {
	r, err := Open(context.Background(), g.hookEnv())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() })
	tree, err := r.Tree(context.Background(), rev)
	if err != nil {
		b.Fatal(err)
	}
	return tree
}

func runQuiet(b *testing.B, g *gitRepo, args ...string) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	cmd.Stdout = io.Discard
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLargeBlob streams a blob of 64 MiB; the bytes allocated say that
// memory does not grow with it.
func BenchmarkLargeBlob(b *testing.B) {
	g := newRepo(b)
	const size = 64 << 20
	if err := os.WriteFile(filepath.Join(g.dir, "big"), make([]byte, size), 0o644); err != nil {
		b.Fatal(err)
	}
	g.commit("f", "x")
	tree := openTree(b, g, "HEAD")
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if err := tree.WriteTar(context.Background(), io.Discard, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}
