package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// openFiles counts the temporary files of objects that this process has open,
// and their bytes.
func openFiles(t *testing.T) (n int, bytes int64) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		path := filepath.Join("/proc/self/fd", fd.Name())
		target, err := os.Readlink(path)
		if err != nil || !strings.Contains(target, "pushlane-object-") {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			n, bytes = n+1, bytes+info.Size()
		}
	}
	return n, bytes
}

// bigFile commits a file of size bytes that differs from the others by its mark.
func bigFile(g *gitRepo, name string, size int) string {
	text := strings.Repeat(name, size/len(name)+1)[:size]
	g.write(name, text)
	return text
}

// TestDescriptorsOfOneBlobShareItsFile: two hundred descriptors that jump about
// in one file take its bytes once, and give them back.
func TestDescriptorsOfOneBlobShareItsFile(t *testing.T) {
	g := newRepo(t)
	text := bigFile(g, "big", 3<<20)
	g.commit("f", "x")
	s := NewSpool(t.Context(), MaxSpool)
	tree := g.tree("HEAD").In(s)
	var open []fs.File
	for i := range 200 {
		f, err := tree.Open("big")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, f)
		b := make([]byte, 10)
		if _, err := f.(io.ReaderAt).ReadAt(b, int64(2<<20+i)); err != nil || string(b) != text[2<<20+i:2<<20+i+10] {
			t.Fatalf("descriptor %d: %q, %v", i, b, err)
		}
	}
	if n, bytes := openFiles(t); n != 1 || bytes != 3<<20 {
		t.Errorf("%d files of %d bytes", n, bytes)
	}
	for _, f := range open {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, _ := openFiles(t); n != 1 {
		t.Errorf("%d files: no reader needs the space, and the next reader would write it again", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n, _ := openFiles(t); n != 0 {
		t.Errorf("%d files are left after the run", n)
	}
	if _, err := tree.Open("big"); err != nil {
		t.Errorf("a file that is read in order needs no spool: %v", err)
	}
}

func TestReadingInOrderTakesNoFile(t *testing.T) {
	g := newRepo(t)
	text := bigFile(g, "big", 3<<20)
	g.commit("f", "x")
	s := NewSpool(t.Context(), 0)
	f, err := g.tree("HEAD").In(s).Open("big")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []byte
	b := make([]byte, 100_000)
	for {
		n, err := f.(io.ReaderAt).ReadAt(b, int64(len(got)))
		got = append(got, b[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != text {
		t.Error("read wrong")
	}
	_, err = f.(io.ReaderAt).ReadAt(b, 5)
	if full := new(QuotaError); !errors.As(err, &full) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("back to its start, without space: %v", err)
	}
}

func TestSpoolRefusesWhatDoesNotFit(t *testing.T) {
	g := newRepo(t)
	for _, name := range []string{"a", "b", "c"} {
		bigFile(g, name, 2<<20)
	}
	g.commit("f", "x")
	s := NewSpool(t.Context(), 5<<20)
	defer s.Close()
	tree := g.tree("HEAD").In(s)
	jump := func(name string) (fs.File, error) {
		f, err := tree.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.(io.ReaderAt).ReadAt(make([]byte, 10), 1<<20)
		return f, err
	}
	a, errA := jump("a")
	_, errB := jump("b")
	_, errC := jump("c")
	want := ": a temporary file of 2097152 bytes would take the run's temporary files beyond 5 MiB"
	if errA != nil || errB != nil || errC == nil || !strings.HasSuffix(errC.Error(), want) {
		t.Fatalf("got %v, %v, %v", errA, errB, errC)
	}
	if full := s.Full(); full == nil || full.Wanted != 2<<20 {
		t.Errorf("Full: %v", full)
	}
	if n, bytes := openFiles(t); n != 2 || bytes != 4<<20 {
		t.Errorf("%d files of %d bytes", n, bytes)
	}
	a.Close() // what no reader has open is removed
	if _, err := jump("c"); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
	if n, bytes := openFiles(t); n != 2 || bytes != 4<<20 {
		t.Errorf("%d files of %d bytes", n, bytes)
	}
}

// TestStepsOfDeltasCount: what leads to a file that is stored as a delta counts
// too, and goes as soon as the next step is there.
func TestStepsOfDeltasCount(t *testing.T) {
	g, texts := bigRepo(t, 3<<20)
	size := int64(len(texts[2]))
	for limit, fits := range map[int64]bool{2*size - 100: false, 2 * size: true} {
		s := NewSpool(t.Context(), limit)
		deep := 0
		for _, rev := range []string{"HEAD", "HEAD~1", "HEAD~2"} {
			f, err := g.tree(rev).In(s).Open("big")
			if err != nil {
				if full := new(QuotaError); !errors.As(err, &full) {
					t.Fatal(err)
				}
				continue
			}
			if fits {
				if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 10), 1<<20); err != nil {
					t.Error(err)
				}
			}
			if n, bytes := openFiles(t); bytes != limit-s.left {
				t.Errorf("%s: %d files of %d bytes are open, %d are counted: a step was left", rev, n, bytes, limit-s.left)
			}
			deep++
			f.Close()
		}
		if fits != (deep == 3) {
			t.Errorf("%d bytes: %d of 3 editions fit", limit, deep)
		}
		s.Close()
		if n, _ := openFiles(t); n != 0 {
			t.Errorf("%d files are left", n)
		}
	}
}

func TestSpoolEndsWithItsContext(t *testing.T) {
	g := newRepo(t)
	bigFile(g, "big", 3<<20)
	g.commit("f", "x")
	ctx, cancel := context.WithCancel(t.Context())
	s := NewSpool(ctx, MaxSpool)
	defer s.Close()
	f, err := g.tree("HEAD").In(s).Open("big")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cancel()
	if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 10), 2<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s.left != MaxSpool {
		t.Errorf("%d bytes are still taken", MaxSpool-s.left)
	}
}

func TestSpoolForManyAtOnce(t *testing.T) {
	g := newRepo(t)
	texts := map[string]string{}
	for i := range 4 {
		name := fmt.Sprintf("file%d", i)
		texts[name] = bigFile(g, name, 2<<20)
	}
	g.commit("f", "x")
	s := NewSpool(t.Context(), 5<<20)
	tree := g.tree("HEAD").In(s)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			name := fmt.Sprintf("file%d", i%4)
			for k := range 10 {
				f, err := tree.Open(name)
				if err != nil {
					t.Error(err)
					return
				}
				b, off := make([]byte, 1000), int64(1<<20+i*k)
				_, err = f.(io.ReaderAt).ReadAt(b, off)
				if err == nil && !bytes.Equal(b, []byte(texts[name][off:off+1000])) {
					t.Errorf("%s at %d is wrong", name, off)
				}
				if err != nil && !errors.Is(err, syscall.ENOSPC) {
					t.Error(err)
				}
				f.Close()
			}
		})
	}
	wg.Wait()
	if _, bytes := openFiles(t); bytes > 5<<20 || bytes != 5<<20-s.left {
		t.Errorf("%d bytes are open, %d are left", bytes, s.left)
	}
	s.Close()
	if n, _ := openFiles(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestTreesEndWithTheirSpool(t *testing.T) {
	g := newRepo(t)
	g.write("a/b/c", "x")
	g.commit("f", "x")
	ctx, cancel := context.WithCancel(t.Context())
	tree := g.tree("HEAD").In(NewSpool(ctx, 0))
	if _, err := tree.Stat("a"); err != nil {
		t.Fatal(err)
	}
	cancel()
	for what, err := range map[string]error{"stat": second(tree.Stat("a/b/c")), "list": second(tree.ReadDir("a")),
		"open": second(tree.Open("a/b/c"))} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
