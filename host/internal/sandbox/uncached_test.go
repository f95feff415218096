package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// smallDisk is a folder with room for a few pages.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("SKIPPED: cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestFullCache: a module whose code cannot be saved runs all the same, and
// says the same; why is said once.
func TestFullCache(t *testing.T) {
	for name, cache := range map[string]func(*testing.T) string{
		"no room for the code": func(t *testing.T) string { return filepath.Join(smallDisk(t, "size=64k"), "modules") },
		"no room for the folder": func(t *testing.T) string {
			return filepath.Join(smallDisk(t, "size=64k,nr_inodes=1"),
				"modules")
		},
		"full once it was there": func(t *testing.T) string {
			dir := smallDisk(t, "size=8m")
			load(t, pool(t, Options{CacheDir: filepath.Join(dir, "modules")}), "noop")
			if err := os.RemoveAll(filepath.Join(dir, "modules")); err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(filepath.Join(dir, "filler"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for page := make([]byte, 4096); err == nil; {
				_, err = f.Write(page)
			}
			return filepath.Join(dir, "modules")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var said []string
			p := pool(t, Options{CacheDir: cache(t), Uncached: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, err.Error())
			}})
			pl := load(t, p, "look")
			if here, theirs := output(t, load(t, pool(t, Options{}), "look").Run), output(t, pl.Run); here != theirs {
				t.Errorf("with a cache:\n%s\nwithout:\n%s", here, theirs)
			}
			pl.retire()
			if _, err := pl.Run(context.Background(), wasm.Call{}); err != nil {
				t.Errorf("in the next process: %v", err)
			}
			if len(said) != 1 || !strings.HasPrefix(said[0],
				"plugins are compiled again whenever their process starts: cannot ") ||
				!strings.Contains(said[0], "no space left on device") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// TestInvalidModuleInAFullCache: what is wrong with a module is said of it.
func TestInvalidModuleInAFullCache(t *testing.T) {
	p := pool(t, Options{CacheDir: filepath.Join(smallDisk(t, "size=64k"), "modules")})
	if _, err := p.Load(t.Context(), "bad", []byte("\x00asm\x01\x00\x00\x00\xff")); err == nil ||
		strings.Contains(err.Error(), "space") {
		t.Errorf("got %v", err)
	}
}
