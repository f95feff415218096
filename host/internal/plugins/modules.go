package plugins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/zone"
)

// Modules of others are stored by digest below the state folder, those that
// only unprotected runs asked for apart from the others: they go first, and
// never take the place of one that a protected ref needs.
const (
	maxUnprotectedModules = 512 << 20 // bytes of all modules of unprotected runs on disk; the oldest go
	maxModulesInMemory    = 256 << 20 // bytes of modules that were read
)

// moduleFolders are where a run's modules may be read, its own first.
func (s *Store) moduleFolders(z zone.Zone) []string {
	protected := filepath.Join(s.state, "plugins")
	if z.Trust == zone.Unprotected {
		return []string{filepath.Join(protected, "unprotected"), protected}
	}
	return []string{protected}
}

func moduleFile(folder, digest string) string { return filepath.Join(folder, digest+".wasm") }

// keepModule stores a module, with its signatures, for runs of a zone. The
// caller has checked it.
func (s *Store) keepModule(z zone.Zone, p registry.Package) error {
	dir := s.moduleFolders(z)[0]
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot store plugin: %w", err)
	}
	if z.Trust == zone.Unprotected {
		if err := dropOldest(dir, maxUnprotectedModules-int64(len(p.Module))); err != nil {
			return fmt.Errorf("cannot store plugin: %w", err)
		}
	}
	scratch, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return fmt.Errorf("cannot store plugin: %w", err)
	}
	defer os.RemoveAll(scratch)
	temp := registry.Source{Kind: "file", Name: filepath.Join(scratch, "m.wasm")}
	if _, err := (registry.Client{}).Push(context.Background(), temp, p); err != nil {
		return err
	}
	files, err := os.ReadDir(scratch)
	for _, f := range slices.Backward(files) { // the module comes last: then its signatures are there
		if err == nil {
			err = os.Rename(filepath.Join(scratch, f.Name()), moduleFile(dir, p.Digest())+strings.TrimPrefix(f.Name(), "m.wasm"))
		}
	}
	return err
}

// dropOldest removes the files of a folder that were written first, until no
// more than most bytes are left.
func dropOldest(dir string, most int64) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		files, total = append(files, info), total+info.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if total <= most {
			return nil
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= f.Size()
	}
	return nil
}

// kept is a cached third-party module, as it was read last.
type kept struct {
	pack  registry.Package
	looks string // of its files
}

// keptModule reads a stored module; one that was damaged is not there. It is
// read again where its files have changed.
func (s *Store) keptModule(folder, digest string) (registry.Package, error) {
	file := moduleFile(folder, digest)
	looks := looksOf(file)
	s.mu.Lock()
	known := s.kept[file]
	s.mu.Unlock()
	if known.looks == looks && looks != "" {
		return known.pack, nil
	}
	p, err := registry.Client{}.Fetch(context.Background(), registry.Source{Kind: "file", Name: file})
	if err != nil {
		return p, err
	}
	if p = p.Summed(); p.Digest() != digest {
		return p, fmt.Errorf("cannot use stored plugin %s: it is damaged", printable.ShortDigest(digest))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size := len(p.Module)
	for _, k := range s.kept {
		size += len(k.pack.Module)
	}
	if size > maxModulesInMemory {
		clear(s.kept)
	}
	s.kept[file] = kept{p, looks}
	return p, nil
}

// looksOf tells a module's files, signatures and all, from what they were.
func looksOf(module string) string {
	var b strings.Builder
	for _, f := range registry.Files(module) {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", f, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
