package wasm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSameBytesAreTheSameModule(t *testing.T) {
	e := open(t, Options{})
	var wg sync.WaitGroup
	got := make([]*Module, 20)
	for i := range got {
		wg.Go(func() {
			m, err := e.Load(t.Context(), fmt.Sprint("name", i), minimal().bytes())
			if err != nil {
				t.Error(err)
			}
			got[i] = m
		})
	}
	wg.Wait()
	for _, m := range got {
		if m != got[0] {
			t.Fatal("two modules of one digest")
		}
	}
	if m := got[0]; len(m.Digest()) != 64 || m.Manifest().Name != "hand" || !strings.HasPrefix(m.Name(), "name") {
		t.Errorf("got %q %q %q", m.Digest(), m.Manifest().Name, m.Name())
	}
}

// TestCacheFolder: native code is read from the cache, so it must be ours
// alone.
func TestCacheFolder(t *testing.T) {
	top := t.TempDir()
	dir := func(name string, mode os.FileMode) string {
		p := filepath.Join(top, name)
		if err := os.Mkdir(p, 0o700); err != nil {
			t.Fatal(err)
		}
		os.Chmod(p, mode)
		return p
	}
	file := filepath.Join(top, "file")
	os.WriteFile(file, nil, 0o600)
	link := filepath.Join(top, "link")
	os.Symlink(dir("target", 0o700), link)
	other := dir("other", 0o700)
	if os.Geteuid() == 0 {
		os.Chown(other, 12345, 12345)
	} else {
		other = "/"
	}
	tests := map[string]string{
		filepath.Join(top, "new", "deep"): "",
		dir("mine", 0o700):                "",
		dir("readable", 0o755):            "",
		dir("group can write", 0o770):     "others can write it (mode 0770)",
		dir("everybody can write", 0o777): "others can write it (mode 0777)",
		file:                              "it is not a folder",
		link:                              "it is not a folder",
		other:                             "it belongs to another user",
	}
	for path, want := range tests {
		e, err := Open(t.Context(), Options{CacheDir: path})
		if err == nil {
			e.Close(t.Context())
		}
		if want == "" && err != nil || want != "" && (err == nil ||
			err.Error() != fmt.Sprintf("cannot use module cache %s: %s", path, want)) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(top, "new", "deep")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a new cache has mode %v, %v", info.Mode(), err)
	}
}

// TestDamagedCache: a cache entry that was cut off is compiled anew.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir() + "/modules"
	run := func() {
		t.Helper()
		m, err := open(t, Options{CacheDir: dir}).Load(t.Context(), "x", minimal().bytes())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Run(t.Context(), Call{}); err != nil {
			t.Fatal(err)
		}
	}
	run()
	damaged := 0
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			info, _ := d.Info()
			os.Truncate(path, info.Size()/2)
			damaged++
		}
		return nil
	})
	if damaged == 0 {
		t.Fatal("nothing was cached")
	}
	run()
}

// TestMemoryOfAll: instances together cannot have more than the engine's
// budget, and what they had is given back.
func TestMemoryOfAll(t *testing.T) {
	e := open(t, Options{AllMemory: 8 << 20})
	m := minimal()
	m.memories = [][]byte{append([]byte{0}, appendU32(nil, 100)...)} // 6.25 MiB
	m = m.with(0x03, 0x40, 0x0c, 0, 0x0b)
	mod, err := e.Load(t.Context(), "big", m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			ctx, cancel := contextWithin(t, 200*time.Millisecond)
			defer cancel()
			_, err := mod.Run(ctx, Call{})
			errs <- err
		}()
	}
	var limits, stops int
	for range 2 {
		err := <-errs
		var limit *LimitError
		switch {
		case errors.As(err, &limit):
			limits++
		case errors.Is(err, errTimeIsUp):
			stops++
		default:
			t.Error(err)
		}
	}
	if limits != 1 || stops != 1 {
		t.Errorf("%d refused, %d ran", limits, stops)
	}
	if left := given(e); left != 8<<20 {
		t.Errorf("%d bytes left of %d", left, 8<<20)
	}
}

func TestMemoryAboveTheHosts(t *testing.T) {
	e := open(t, Options{MaxMemory: 1 << 20})
	m, err := e.Load(t.Context(), "x", minimal().bytes())
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Run(t.Context(), Call{Memory: 2 << 20})
	wantError(t, err, []string{`cannot run plugin "x": 2097152 bytes of memory asked for, this host allows 1048576`})
	_, err = m.Run(t.Context(), Call{Memory: 100})
	wantError(t, err, []string{`plugin "x" was stopped: more than 100 bytes of memory`})
}

// TestWarm: an instance that was started ahead gives the same answer, and
// waits for its request however greedy it is.
func TestWarm(t *testing.T) {
	cold, warm := open(t, Options{}), open(t, Options{Warm: 1})
	for _, name := range []string{"look", "escape", "garbage"} {
		a, b := load(t, cold, name), load(t, warm, name)
		awaitWarm(b)
		call := func() Call {
			return Call{World: &Local{Src: &gitTree{files: map[string]string{"a": "hello", "dir/file": "0123456789"}}},
				Out: NewOut(100, 3)}
		}
		x, errX := a.Run(t.Context(), call())
		y, errY := b.Run(t.Context(), call())
		if errX != nil || errY != nil || string(x.Stdout) != string(y.Stdout) || x.Used.Fuel != y.Used.Fuel ||
			x.Used.Calls != y.Used.Calls {
			t.Errorf("%s: cold %v %v %q\nwarm %v %v %q", name, x.Used, errX, x.Stdout, y.Used, errY, y.Stdout)
		}
	}
	greedy := []string{"spin", "eat", "recurse", "sleep", "floodout", "trap"}
	for _, name := range greedy {
		m := load(t, warm, name)
		awaitWarm(m)
		ctx, cancel := contextWithin(t, 100*time.Millisecond)
		if _, err := m.Run(ctx, Call{Memory: 16 << 20, MaxStdout: 1000}); err == nil {
			t.Errorf("%s did no harm", name)
		}
		cancel()
	}
	if spent := warm.opts.AllMemory - warm.budget.Load(); spent > 10*(earlyMemory+1<<20) {
		t.Errorf("waiting instances hold %d bytes", spent)
	}
}

func TestClosedEngine(t *testing.T) {
	e := open(t, Options{})
	e.Close(t.Context())
	_, err := e.Load(t.Context(), "x", minimal().bytes())
	wantError(t, err, []string{`cannot load plugin "x": the engine is closed`})
}
