package oci

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Store is a folder of layers as registries send them, by digest, so that two
// images that share a layer pull it once. It is safe for concurrent use, by
// several processes.
type Store struct {
	Folder string
	Most   int64 // bytes; the least recently used layers leave
}

func (s Store) path(d ocispec.Descriptor) string { return filepath.Join(s.Folder, d.Digest.Encoded()) }

// temporary is a file without a name in the folder.
func (s Store) temporary() (*os.File, error) {
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.Folder, "tmp-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// packed is a layer that is read: from the store, or from a registry and into
// the store.
type packed struct {
	io.ReadCloser
	done func() error // called when the whole layer was found to be what its digest says
}

// open reads a layer. Its content must be checked by the reader: a file of the
// store is not trusted either.
func (s Store) open(ctx context.Context, from fetcher, d ocispec.Descriptor) (packed, error) {
	now := time.Now()
	if f, err := os.Open(s.path(d)); err == nil {
		info, err := f.Stat()
		if err == nil && info.Size() == d.Size {
			_ = os.Chtimes(s.path(d), now, now) // the order of leaving, no more
			return packed{f, func() error { return nil }}, nil
		}
		f.Close()
	}
	r, err := from.Fetch(ctx, d)
	if err != nil {
		return packed{}, err
	}
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		r.Close()
		return packed{}, err
	}
	f, err := os.CreateTemp(s.Folder, "tmp-")
	if err != nil {
		r.Close()
		return packed{}, err
	}
	c := &storing{Reader: io.TeeReader(r, f), r: r, f: f}
	return packed{c, func() error { return os.Rename(f.Name(), s.path(d)) }}, nil
}

// storing reads from a registry into a file.
type storing struct {
	io.Reader
	r io.Closer
	f *os.File
}

func (s *storing) Close() error {
	s.f.Close()
	_ = os.Remove(s.f.Name()) // it has another name where the layer is whole
	return s.r.Close()
}

// Prune removes layers until the store is within its limit, the least recently
// used first, and what a pull that was killed left. It returns the bytes removed.
func (s Store) Prune() (int64, error) {
	list, err := os.ReadDir(s.Folder)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var files []os.FileInfo
	var sum, removed int64
	for _, one := range list {
		info, err := one.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if strings.HasPrefix(info.Name(), "tmp-") && time.Since(info.ModTime()) < time.Hour {
			continue // of a pull under way
		}
		files = append(files, info)
		sum += info.Size()
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if sum <= s.Most && !strings.HasPrefix(f.Name(), "tmp-") {
			continue
		}
		if err := os.Remove(filepath.Join(s.Folder, f.Name())); err != nil && !os.IsNotExist(err) {
			return removed, err
		}
		sum -= f.Size()
		removed += f.Size()
	}
	return removed, nil
}
