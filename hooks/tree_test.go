package hooks

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func (g *gitRepo) tree(rev string) *Tree {
	g.t.Helper()
	tree, err := g.open().Tree(context.Background(), rev)
	if err != nil {
		g.t.Fatal(err)
	}
	return tree
}

func TestTreeIsAFileSystem(t *testing.T) {
	g := newRepo(t)
	g.write("a/b/c", "deep")
	g.write("a.txt", "text")
	g.write("empty", "")
	g.write("é", "x")
	g.write("sp ace", "x")
	id := g.commit("a/run", "#!/bin/sh\n")
	if err := fstest.TestFS(g.tree(id), "a/b/c", "a.txt", "empty", "é", "sp ace", "a/run"); err != nil {
		t.Error(err)
	}
	t.Run("the empty tree is one too", func(t *testing.T) {
		if err := fstest.TestFS(g.tree(ZeroID)); err != nil {
			t.Error(err)
		}
	})
}

func TestTreeOfEachKind(t *testing.T) {
	g := newRepo(t)
	g.write("d/f", "text")
	g.write("run", "x")
	os.Chmod(filepath.Join(g.dir, "run"), 0o755)
	os.Symlink("d", filepath.Join(g.dir, "link"))
	os.Symlink("/etc/passwd", filepath.Join(g.dir, "away"))
	g.write("\xff\xfe", "raw")
	g.write("new\nline", "x")
	id := g.commit("g", "x")
	g.git("update-index", "--add", "--cacheinfo", "160000,"+id+",sub")
	g.git("commit", "-q", "-m", "x")
	tree := g.tree("HEAD")

	var lines []string
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			lines = append(lines, fmt.Sprintf("%s %q %d", info.Mode(), path, info.Size()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`drwxr-xr-x "." 0`, `Lrwxrwxrwx "away" 11`, `drwxr-xr-x "d" 0`, `-rw-r--r-- "d/f" 4`, `-rw-r--r-- "g" 1`,
		`Lrwxrwxrwx "link" 1`, `-rw-r--r-- "new\nline" 1`, `-rwxr-xr-x "run" 1`, `drwxr-xr-x "sub" 0`,
		`-rw-r--r-- "\xff\xfe" 3`,
	}
	sameText(t, "walk", strings.Join(lines, "\n"), strings.Join(want, "\n"))

	if text, err := fs.ReadFile(tree, "away"); err != nil || string(text) != "/etc/passwd" {
		t.Errorf("a link was followed: %q, %v", text, err)
	}
	if target, err := fs.ReadLink(tree, "link"); err != nil || target != "d" {
		t.Errorf("got %q, %v", target, err)
	}
	if text, err := tree.ReadFile("\xff\xfe"); err != nil || string(text) != "raw" {
		t.Errorf("a raw name: %q, %v", text, err)
	}
	if list, err := tree.ReadDir("sub"); err != nil || len(list) != 0 {
		t.Errorf("a submodule: %v, %v", list, err)
	}
	for _, path := range []string{"link/f", "g/x", "nothing", "sub/x", "d/f/x"} {
		if _, err := tree.Open(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"", "/d", "d/", "d//f", "./d", "d/..", "../x", "d\x00"} {
		if _, err := tree.Open(path); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if info, err := tree.Stat("g"); err != nil || info.ModTime().Unix() != 1700000000 {
		t.Errorf("time: %v, %v", info, err)
	}
	if _, err := tree.ReadDir("g"); err == nil || err.Error() != "readdir g: not a directory" {
		t.Errorf("got %v", err)
	}
	if tree.ID() != g.git("rev-parse", "HEAD^{tree}") {
		t.Errorf("got %s", tree.ID())
	}
}

func TestWriteTarUnpacksToWhatGitArchives(t *testing.T) {
	g := newRepo(t)
	rnd := rand.New(rand.NewPCG(13, 14))
	ids := randomTrees(g, rnd, 12)
	long := strings.Repeat("n/", 120) + strings.Repeat("l", 200)
	g.write(long, "x")
	os.Symlink(strings.Repeat("t", 300), filepath.Join(g.dir, "long-link"))
	ids = append(ids, g.commit("f", "x"))
	for i, id := range ids {
		ours, theirs := t.TempDir(), t.TempDir()
		var out bytes.Buffer
		if err := g.tree(id).WriteTar(context.Background(), &out, os.Getuid(), os.Getgid()); err != nil {
			t.Fatal(err)
		}
		unpackTar(t, ours, out.Bytes())
		archive := g.git("archive", "--format=tar", id)
		unpackTar(t, theirs, []byte(archive))
		cmd := exec.Command("diff", "-r", "--no-dereference", ours, theirs)
		if diff, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("tree %d: %s", i, diff)
		}
	}
}

func unpackTar(t *testing.T, dir string, archive []byte) {
	t.Helper()
	cmd := exec.Command("tar", "-x", "-f", "-", "-C", dir)
	cmd.Stdin = bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
}

func TestWriteTarOwnersModesAndOrder(t *testing.T) {
	g := newRepo(t)
	g.write("d/run", "x")
	os.Chmod(filepath.Join(g.dir, "d/run"), 0o755)
	os.Symlink("d", filepath.Join(g.dir, "link"))
	g.commit("d.x", "text")
	var out bytes.Buffer
	if err := g.tree("HEAD").WriteTar(context.Background(), &out, 1000, 1001); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for tr := tar.NewReader(&out); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%c %o %d:%d %s %s %d", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Name, h.Linkname,
			h.ModTime.Unix()))
	}
	want := []string{
		"0 644 1000:1001 d.x  1700000000", "5 755 1000:1001 d/  1700000000",
		"0 755 1000:1001 d/run  1700000000", "2 777 1000:1001 link d 1700000000",
	}
	sameText(t, "entries", strings.Join(lines, "\n"), strings.Join(want, "\n"))
}

// failAfter is a receiver that goes away.
type failAfter struct{ n int }

func (f *failAfter) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func TestWriteTarFailsLoudly(t *testing.T) {
	g := newRepo(t)
	g.write("a/f", "x")
	g.write("z/f", "y")
	g.commit("f", "x")
	ctx, cancel := context.WithCancel(context.Background())
	tree := g.tree("HEAD")
	if err := tree.WriteTar(ctx, &failAfter{600}, 0, 0); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	blob := g.git("rev-parse", "HEAD:z/f")
	g.remove(blob)
	err := g.tree("HEAD").WriteTar(ctx, io.Discard, 0, 0)
	if err == nil {
		t.Fatal("a file that is missing was left out")
	}
	sameText(t, "error", err.Error(), "cannot write tree "+tree.ID()+` as tar: "z/f": object `+blob+" is missing")
	cancel()
	if err := tree.WriteTar(ctx, io.Discard, 0, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFindAgreesWithGit(t *testing.T) {
	g := newRepo(t)
	ids := randomTrees(g, rand.New(rand.NewPCG(15, 16)), 20)
	for _, id := range ids {
		tree := g.tree(id)
		var got []string
		err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				got = append(got, path)
				_, err = tree.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, line := range strings.Split(strings.TrimSuffix(g.git("ls-tree", "-r", "-z", id), "\x00"), "\x00") {
			if meta, path, ok := strings.Cut(line, "\t"); ok && !strings.HasPrefix(meta, "160000") {
				want = append(want, path)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", id, got, want)
		}
	}
}
