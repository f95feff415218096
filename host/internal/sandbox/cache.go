package sandbox

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pushlane/pushlane/host/internal/durable"
)

// Compiled code is in one folder per module (wasm.CodeFolder). A file next to it,
// of its name and .sums, has the digests of the files that the compiling child
// wrote: code that was damaged or changed since is not run.

const (
	cacheAge  = 30 * 24 * time.Hour // how long unused code is cached
	cacheSize = 2 << 30             // bytes in all; what was used longest ago goes first
)

var digestName = regexp.MustCompile(`^[0-9a-f]{64}(-\w+)?$`)

// sums lists a folder's files with their digests, in the format of sha256sum.
func sums(dir string) ([]byte, error) {
	var b bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a file", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%x  %s\n", sum.Sum(nil), name)
		return err
	})
	return b.Bytes(), err
}

// whole reports whether a folder holds what was put there and nothing else.
func whole(dir string) bool {
	want, err := os.ReadFile(dir + ".sums")
	if err != nil || len(want) == 0 {
		return false
	}
	got, err := sums(dir)
	return err == nil && bytes.Equal(got, want)
}

// keep puts a child's folder into the cache, one process at a time. Code that is
// there whole stays: another process was faster, and its workers may be loading it.
func keep(from, dir string) error {
	unlock, err := lock(filepath.Join(filepath.Dir(dir), "keep.lock"))
	if err != nil {
		return fmt.Errorf("cannot save compiled module: %w", err)
	}
	defer unlock()
	if whole(dir) {
		return nil
	}
	list, err := sums(from)
	if err != nil {
		return fmt.Errorf("cannot save compiled module: %w", err)
	}
	if len(list) == 0 {
		return fmt.Errorf("cannot save compiled module: %s is empty", from)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot save compiled module: %w", err)
	}
	if err := os.Rename(from, dir); err != nil {
		return fmt.Errorf("cannot save compiled module: %w", err)
	}
	if err := durable.Replace(dir+".sums", list, 0o600); err != nil {
		return fmt.Errorf("cannot save compiled module: %w", err)
	}
	return nil
}

// lock waits until no other process holds the file.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// touch notes that code was used.
func touch(dir string, now time.Time) { _ = os.Chtimes(dir, now, now) }

// cached is one module's code.
type cached struct {
	dir  string
	used time.Time
	size int64
}

// prune removes code that was not used for long, the least recently used code if
// the total is too large, and the files of a killed compiler. Other processes may
// prune at the same time: a missing file is not an error.
func prune(dir string, now time.Time) {
	entries, _ := os.ReadDir(dir)
	var all []cached
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		path := filepath.Join(dir, e.Name())
		switch {
		case digestName.MatchString(e.Name()) && e.IsDir():
			all = append(all, cached{path, info.ModTime(), sizeOf(path)})
		case strings.HasPrefix(e.Name(), "compile-") && now.Sub(info.ModTime()) > time.Hour:
			_ = os.RemoveAll(path)
		}
	}
	slices.SortFunc(all, func(a, b cached) int { return b.used.Compare(a.used) })
	total := int64(0)
	for _, c := range all {
		if total += c.size; total > cacheSize || now.Sub(c.used) > cacheAge {
			_ = os.Remove(c.dir + ".sums")
			_ = os.RemoveAll(c.dir)
		}
	}
}

func sizeOf(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			total += info.Size()
		}
		return nil
	})
	return total
}
