package author

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// memTree is a tree in memory: files by path. Unlike fstest.MapFS it takes any
// name that git does.
type memTree map[string]memFile

type memFile struct {
	data []byte
	mode fs.FileMode // 0: a plain file; fs.ModeSymlink: data is the target
}

// memInfo describes a file, folder or link.
type memInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i memInfo) Name() string               { return i.name }
func (i memInfo) Size() int64                { return i.size }
func (i memInfo) Mode() fs.FileMode          { return i.mode }
func (i memInfo) Type() fs.FileMode          { return i.mode.Type() }
func (i memInfo) ModTime() time.Time         { return time.Unix(0, 0) }
func (i memInfo) IsDir() bool                { return i.mode.IsDir() }
func (i memInfo) Sys() any                   { return nil }
func (i memInfo) Info() (fs.FileInfo, error) { return i, nil }

// Lstat describes what is at a path; links are never followed.
func (t memTree) Lstat(name string) (fs.FileInfo, error) {
	if f, found := t[name]; found {
		mode := f.mode
		if mode == 0 {
			mode = 0o644
		}
		return memInfo{path.Base(name), int64(len(f.data)), mode}, nil
	}
	for file := range t {
		if name == "." || strings.HasPrefix(file, name+"/") {
			return memInfo{path.Base(name), 0, fs.ModeDir | 0o755}, nil
		}
	}
	if name == "." {
		return memInfo{".", 0, fs.ModeDir | 0o755}, nil
	}
	return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
}

// Stat is Lstat: links of a case's trees are not followed.
func (t memTree) Stat(name string) (fs.FileInfo, error) { return t.Lstat(name) }

// ReadLink gives a link's target.
func (t memTree) ReadLink(name string) (string, error) {
	f, found := t[name]
	if !found || f.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return string(f.data), nil
}

// ReadDir lists a folder, by name.
func (t memTree) ReadDir(name string) ([]fs.DirEntry, error) {
	prefix, seen := name+"/", map[string]bool{}
	if name == "." {
		prefix = ""
	}
	var all []fs.DirEntry
	for file := range t {
		rest, below := strings.CutPrefix(file, prefix)
		first, _, _ := strings.Cut(rest, "/")
		if !below || seen[first] {
			continue
		}
		seen[first] = true
		info, err := t.Lstat(prefix + first)
		if err != nil {
			return nil, err
		}
		all = append(all, info.(memInfo))
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// Open opens a file.
func (t memTree) Open(name string) (fs.File, error) {
	info, err := t.Lstat(name)
	if err != nil {
		return nil, err
	}
	return &memOpen{memInfo: info.(memInfo), Reader: bytes.NewReader(t[name].data)}, nil
}

// memOpen is an open file.
type memOpen struct {
	memInfo
	*bytes.Reader
}

func (o *memOpen) Stat() (fs.FileInfo, error) { return o.memInfo, nil }
func (o *memOpen) Close() error               { return nil }
func (o *memOpen) Size() int64                { return o.size }

var _ io.ReaderAt = (*memOpen)(nil)

// write puts the tree into a real folder.
func (t memTree) write(dir string) error {
	for name, f := range t {
		if err := writeBelow(dir, name, f); err != nil {
			return err
		}
	}
	return nil
}
