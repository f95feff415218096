package hooks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// growing commits versions of files that differ a little, so that packing
// makes deltas of blobs and trees.
func growing(g *gitRepo, commits int) {
	g.t.Helper()
	rnd := rand.New(rand.NewPCG(5, 6))
	var in strings.Builder
	lines := make([]string, 400)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d %x\n", i, rnd.Uint64())
	}
	for i := range commits {
		lines[rnd.IntN(len(lines))] = fmt.Sprintf("changed %x\n", rnd.Uint64())
		text := strings.Join(lines, "")
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\nx\n", i+1, 1700000000+i)
		if i > 0 {
			fmt.Fprintf(&in, "from :%d\n", i)
		}
		fmt.Fprintf(&in, "M 644 inline big\ndata %d\n%s\nM 644 inline d%d/f\ndata 2\n%02d\n", len(text), text, i%7, i)
		for j := range 50 {
			if i == 0 {
				fmt.Fprintf(&in, "M 644 inline many/f%d\ndata 1\nx\n", j)
			}
		}
		fmt.Fprintf(&in, "M 644 inline many/f%d\ndata 2\n%02d\n", i%50, i)
	}
	g.gitIn(in.String(), "fast-import", "--quiet")
}

// readAll checks every object of a repository against git.
func readAll(t *testing.T, g *gitRepo, r *Repo) {
	t.Helper()
	out := g.git("cat-file", "--batch-check", "--batch-all-objects")
	lines := strings.Split(out, "\n")
	rand.New(rand.NewPCG(7, 8)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for _, line := range lines {
		f := strings.Fields(line)
		o, err := r.objs.read(hash(f[0]))
		if err != nil {
			t.Fatal(err)
		}
		sum := fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "%s %d\x00", o.typ, len(o.data)), o.data...)))
		if sum != f[0] || o.typ.String() != f[1] || fmt.Sprint(len(o.data)) != f[2] {
			t.Fatalf("%s was read as %s %s of %d bytes", line, sum, o.typ, len(o.data))
		}
		typ, size, err := r.objs.header(hash(f[0]))
		if err != nil || typ != o.typ || size != int64(len(o.data)) {
			t.Fatalf("header of %s: %s %d %v", line, typ, size, err)
		}
	}
}

func TestEveryObjectIsReadAsGitReadsIt(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	ways := map[string]func(*gitRepo){
		"loose":                     func(g *gitRepo) { unpack(g) },
		"one pack, deltas by place": func(g *gitRepo) { g.git("repack", "-q", "-adf", "--depth=50") },
		"one pack, deltas by id": func(g *gitRepo) {
			g.git("-c", "repack.useDeltaBaseOffset=false", "repack", "-q",
				"-adf")
		},
		"several packs and a multi-pack index": func(g *gitRepo) {
			g.git("repack", "-q", "-d")
			g.git("multi-pack-index", "write")
		},
		"packs that maintenance calls loose-*": func(g *gitRepo) {
			unpack(g)
			g.git("maintenance", "run", "--task=loose-objects")
			g.git("maintenance", "run", "--task=loose-objects")
			if found, _ := filepath.Glob(g.dir + "/.git/objects/pack/loose-*.pack"); len(found) != 1 {
				t.Fatalf("maintenance made %q", found)
			}
		},
		"offsets of 64 bits": func(g *gitRepo) {
			g.git("repack", "-q", "-adf")
			pack, _ := filepath.Glob(g.dir + "/.git/objects/pack/pack-*.pack")
			os.Remove(strings.TrimSuffix(pack[0], "pack") + "idx")
			g.git("index-pack", "--index-version=2,0x40", pack[0])
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			growing(g, 60)
			way(g)
			r := g.open()
			readAll(t, g, r)
			r.objs.cache = newObjectCache() // and each on its own, without the help of the others
			id := hash(g.git("rev-parse", "main:big"))
			if _, err := r.objs.read(id); err != nil {
				t.Error(err)
			}
		})
	}
}

// unpack turns all packs into loose objects.
func unpack(g *gitRepo) {
	g.t.Helper()
	packs, _ := filepath.Glob(g.dir + "/.git/objects/pack/*.pack")
	for _, p := range packs {
		out := filepath.Join(g.t.TempDir(), "p")
		if err := os.Rename(p, out); err != nil {
			g.t.Fatal(err)
		}
		os.Remove(strings.TrimSuffix(p, "pack") + "idx")
		os.Remove(strings.TrimSuffix(p, "pack") + "rev")
		text, err := os.ReadFile(out)
		if err != nil {
			g.t.Fatal(err)
		}
		g.gitIn(string(text), "unpack-objects", "-q")
	}
}

func TestAnOldIndexIsRefusedWithAHint(t *testing.T) {
	g := newRepo(t)
	growing(g, 5)
	g.git("-c", "pack.indexVersion=1", "repack", "-q", "-adf")
	_, err := g.open().Changes(context.Background(), ZeroID, g.git("rev-parse", "main"))
	if err == nil || !strings.HasSuffix(err.Error(), "cannot be read: its index is not of version 2") {
		t.Fatalf("got %v", err)
	}
	sameText(t, "hint", hintOf(err), "rewrite it with: git repack -a -d")
}

func TestDamagedPacksAreErrors(t *testing.T) {
	g := newRepo(t)
	growing(g, 20)
	g.git("repack", "-q", "-adf")
	head := g.git("rev-parse", "main")
	packs, _ := filepath.Glob(g.dir + "/.git/objects/pack/pack-*.pack")
	base := strings.TrimSuffix(packs[0], ".pack")
	good := make(map[string][]byte)
	for _, ext := range []string{".pack", ".idx"} {
		text, err := os.ReadFile(base + ext)
		if err != nil {
			t.Fatal(err)
		}
		good[ext] = text
		os.Chmod(base+ext, 0o644)
	}
	want, err := g.open().Changes(context.Background(), ZeroID, head)
	if err != nil {
		t.Fatal(err)
	}
	walk := func() ([]Change, error) {
		r := g.open()
		defer r.Close()
		list, err := r.Changes(context.Background(), ZeroID, head)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			_, _, rc, err := r.objs.stream(hash(c.NewID), ownSpool())
			if err != nil {
				return nil, err
			}
			if _, err := io.Copy(io.Discard, rc); err != nil {
				return nil, err
			}
			rc.Close()
		}
		return list, nil
	}
	rnd := rand.New(rand.NewPCG(9, 10))
	failed := 0
	for i := range 300 {
		ext := []string{".pack", ".idx"}[i%2]
		bad := bytes.Clone(good[ext])
		switch i % 3 {
		case 0:
			bad = bad[:rnd.IntN(len(bad))]
		default:
			for range 1 + rnd.IntN(4) {
				bad[rnd.IntN(len(bad))] ^= byte(1 << rnd.IntN(8))
			}
		}
		os.WriteFile(base+ext, bad, 0o644)
		got, err := walk()
		if err != nil {
			failed++
		} else if !slices.Equal(got, want) {
			t.Fatalf("damage %d of %s: wrong answer without an error", i, ext)
		}
		os.WriteFile(base+ext, good[ext], 0o644)
	}
	if failed < 150 {
		t.Errorf("only %d of 300 damages were noticed", failed)
	}
}

func TestNewObjectsAreSeen(t *testing.T) {
	g := newRepo(t)
	a := g.commit("f", "1")
	r := g.open()
	ctx := context.Background()
	if _, err := r.Changes(ctx, ZeroID, a); err != nil {
		t.Fatal(err)
	}
	steps := map[string]func(){
		"a loose object":        func() {},
		"a pack":                func() { g.git("repack", "-q", "-d") },
		"one pack for all":      func() { g.git("repack", "-q", "-a", "-d", "-f") },
		"packs gone, all loose": func() { unpack(g) },
	}
	for _, name := range []string{"a loose object", "a pack", "a loose object", "one pack for all",
		"packs gone, all loose", "one pack for all"} {
		id := g.commit("f", name+fmt.Sprint(len(name))+fmt.Sprint(rand.Uint64()))
		steps[name]()
		if got, err := r.Changes(ctx, a, id); err != nil || len(got) != 1 {
			t.Errorf("%s: got %q, %v", name, paths(got), err)
		}
	}
}

func TestReadersWhileGitRepacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	g := newRepo(t)
	growing(g, 30)
	g.git("checkout", "-q", "main")
	first := g.git("rev-parse", "main")
	kept := g.open()
	var latest atomic.Value
	latest.Store(g.commit("new", "0"))
	stop := make(chan struct{})
	errs := make(chan error, 4)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				r := kept
				if i%2 == 0 {
					r, _ = Open(context.Background(), g.hookEnv())
				}
				r.objs.cache.forget()
				if got, err := r.Changes(context.Background(), first, latest.Load().(string)); err != nil || len(got) != 1 {
					errs <- fmt.Errorf("got %q, %v", paths(got), err)
					return
				}
				if r != kept {
					r.Close()
				}
			}
		}()
	}
	for i := range 12 {
		latest.Store(g.commit("new", fmt.Sprint(i)))
		g.git("repack", "-q", "-a", "-d", "-f", "--window="+fmt.Sprint(5+i))
	}
	close(stop)
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

// bigRepo holds a large incompressible blob and an edition of it, packed as a
// delta.
func bigRepo(t *testing.T, size int) (g *gitRepo, texts [3]string) {
	g = newRepo(t)
	raw := make([]byte, size)
	rnd := rand.New(rand.NewPCG(11, 12))
	for i := range raw {
		raw[i] = byte(rnd.Uint32())
	}
	var in bytes.Buffer // fast-import makes each edition a delta of the one before
	for i := range texts {
		raw[size/2+i] ^= 0xff
		raw = append(raw, byte(i))
		texts[i] = string(raw)
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nx\nM 644 inline big\ndata %d\n%s\n",
			1700000000+i, len(raw), raw)
	}
	g.gitIn(in.String(), "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet")
	return g, texts
}

func TestLargeBlobs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	g, texts := bigRepo(t, 3<<20)
	t.Setenv("TMPDIR", t.TempDir())
	check := func(t *testing.T) {
		for i, want := range texts {
			tree, err := g.open().Tree(context.Background(), fmt.Sprintf("HEAD~%d", 2-i))
			if err != nil {
				t.Fatal(err)
			}
			f, err := tree.Open("big")
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 100)
			if _, err := io.ReadFull(f, got); err != nil || string(got) != want[:100] {
				t.Errorf("edition %d starts wrong, %v", i, err)
			}
			if _, err := f.(io.ReaderAt).ReadAt(got, 2<<20); err != nil || string(got) != want[2<<20:2<<20+100] {
				t.Errorf("edition %d is wrong in the middle, %v", i, err)
			}
			rest, err := io.ReadAll(f)
			if err != nil || string(rest) != want[100:] {
				t.Errorf("edition %d goes on wrong after a look elsewhere, %v", i, err)
			}
			if pos, err := f.(io.Seeker).Seek(-5, io.SeekEnd); err != nil || pos != int64(len(want)-5) {
				t.Errorf("seek: %d, %v", pos, err)
			}
			if rest, err = io.ReadAll(f); err != nil || string(rest) != want[len(want)-5:] {
				t.Errorf("edition %d ends wrong, %v", i, err)
			}
			f.Close()
			if whole, err := tree.ReadFile("big"); err != nil || string(whole) != want {
				t.Errorf("edition %d read at once is wrong, %v", i, err)
			}
		}
	}
	if out := g.git("verify-pack", "-v", packOf(g)); !strings.Contains(out, "chain length = 2") {
		t.Fatalf("there are no deltas:\n%s", out)
	}
	t.Run("packed as deltas", check)
	unpack(g)
	t.Run("loose", check)
	left, _ := os.ReadDir(os.TempDir())
	for _, e := range left {
		t.Errorf("%s was left behind", e.Name())
	}
}

func packOf(g *gitRepo) string {
	packs, _ := filepath.Glob(g.dir + "/.git/objects/pack/pack-*.idx")
	if len(packs) != 1 {
		g.t.Fatalf("packs: %q", packs)
	}
	return packs[0]
}

func TestManyReadersAtOnce(t *testing.T) {
	g := newRepo(t)
	growing(g, 40)
	g.git("repack", "-q", "-d")
	for i := range 3 {
		g.git("checkout", "-q", "main")
		g.commit(fmt.Sprint("loose", i), "x")
	}
	r := g.open()
	r.objs.cache = newObjectCache()
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 8 {
				rev := fmt.Sprintf("main~%d", (i*5+j)%40)
				if i == 0 && j%5 == 0 {
					r.Refresh()
				}
				u, err := r.Range(context.Background(), rev)
				if err == nil {
					_, err = r.Changes(context.Background(), u.Base, u.New)
				}
				if err == nil {
					var tree *Tree
					if tree, err = r.Tree(context.Background(), rev); err == nil {
						err = tree.WriteTar(context.Background(), io.Discard, 0, 0)
					}
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	r.Close()
	if _, err := r.File(context.Background(), g.git("rev-parse", "main"), "big"); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// FuzzTree reads whatever may be in a tree object: it must not panic, and
// what it takes must be what git would write for it, in git's order.
func FuzzTree(f *testing.F) {
	id := strings.Repeat("\x01", idSize)
	f.Add([]byte("100644 a\x00" + id + "40000 b\x00" + id))
	f.Add([]byte("120000 a\x00" + id + "100644 a.b\x00" + id + "40000 a\x00" + id))
	f.Add([]byte("100664 a\x00" + id + "040000 b\x00" + id + "160000 c\x00" + id))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseTree(string(data))
		if err != nil {
			return
		}
		names := make(map[string]bool)
		for i, e := range entries {
			if names[e.name] || !safeName(e.name) || i > 0 && compareEntries(entries[i-1], e) >= 0 {
				t.Fatalf("%q was taken", data)
			}
			names[e.name] = true
			if got, ok := pick(entries, e.name); !ok || got != e {
				t.Fatalf("%q is not found again", e.name)
			}
		}
		sameAsGoGit(t, entries, data)
	})
}

// FuzzDelta compares the two ways a delta is applied: in memory by go-git, and
// by way of files.
func FuzzDelta(f *testing.F) {
	f.Add([]byte("hello world"), []byte("\x0b\x05\x90\x05"))
	f.Add([]byte("hello world"), []byte("\x0b\x08\x03abc\x91\x06\x05"))
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		s := ownSpool()
		file, err := s.copy(bytes.NewReader(base), int64(len(base)))
		if err != nil {
			t.Fatal(err)
		}
		defer s.drop(file)
		var got bytes.Buffer
		orders := bufio.NewReader(bytes.NewReader(delta))
		size, err := deltaSize(file, orders)
		if err == nil {
			err = applyDelta(&got, file, orders, size)
		}
		want, wantErr := packfile.PatchDelta(base, delta)
		if len(base) == 0 || len(delta) < 4 {
			return // go-git takes none of these
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("ours: %v, go-git's: %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("ours: %q, go-git's: %q", got.Bytes(), want)
		}
	})
}
