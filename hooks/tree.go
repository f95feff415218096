package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Tree is the tree of a revision as a file system, read from the objects on demand.
// It is safe for concurrent use.
//
// Names are the raw bytes that git keeps. Unlike fs.ValidPath asks, they need
// not be UTF-8; all its other rules hold. A symbolic link is a file of mode
// fs.ModeSymlink whose content is its target, and is never followed: a path
// through a link does not exist. A submodule is an empty directory. Every file
// has the time of the commit, or of the year 1970 when the tree has none.
type Tree struct {
	objs  *store
	spool *Spool
	root  plumbing.Hash // zero for the empty tree
	time  time.Time

	made map[plumbing.Hash][]treeEntry // directories that git does not have; see Only

	mu   sync.Mutex
	dirs map[plumbing.Hash][]treeEntry
	cost int // of dirs, see dirCost
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.ReadLinkFS = (*Tree)(nil)
)

// maxDirBytes is what the directories that a Tree remembers may take, in bytes.
const maxDirBytes = 32 << 20

// dirCost is what a directory's entries take in memory, in bytes.
func dirCost(entries []treeEntry) int {
	n := 0
	for _, e := range entries {
		n += 64 + len(e.name)
	}
	return n
}

// Tree opens the tree of a commit, tree or tag; ZeroID is the empty tree.
func (r *Repo) Tree(ctx context.Context, rev string) (*Tree, error) {
	t, err := r.revisions.treeOf(ctx, rev)
	if err != nil {
		return nil, fmt.Errorf("cannot open the tree of %s: %w", quote(rev), err)
	}
	tree := &Tree{objs: r.objs, spool: ownSpool(), root: t.id, time: time.Unix(t.time, 0).UTC(),
		dirs: make(map[plumbing.Hash][]treeEntry)}
	if _, err := tree.dir(t.id); err != nil {
		return nil, fmt.Errorf("cannot open the tree of %s: %w", quote(rev), err)
	}
	return tree, nil
}

// ownSpool is the Spool of a Tree that was given none: its files go when they
// are closed.
func ownSpool() *Spool {
	s := NewSpool(context.Background(), MaxSpool)
	s.keeps = false
	return s
}

// In makes the tree, and results of Only, use a Spool of the caller. No directory is
// read after its context has ended: a path of two thousand names may lead through
// directories that take a second each.
func (t *Tree) In(s *Spool) *Tree {
	t.spool = s
	return t
}

// File returns a file of a revision, a symbolic link's target for a link. Its
// error is fs.ErrNotExist when the revision has no such file. Files above 32
// MiB are an error; use Tree.
func (r *Repo) File(ctx context.Context, rev, path string) ([]byte, error) {
	t, err := r.Tree(ctx, rev)
	if err != nil {
		return nil, err
	}
	return t.ReadFile(path)
}

// ID is the tree's object id, ZeroID for the empty tree.
func (t *Tree) ID() string { return t.root.String() }

// dir returns a directory's entries.
func (t *Tree) dir(id plumbing.Hash) ([]treeEntry, error) {
	if entries, ok := t.made[id]; ok {
		return entries, nil
	}
	t.mu.Lock()
	entries, ok := t.dirs[id]
	t.mu.Unlock()
	if ok {
		return entries, nil
	}
	if err := t.spool.ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := t.objs.readTree(id)
	if err != nil {
		return nil, err
	}
	cost := dirCost(entries)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cost += cost; t.cost > maxDirBytes {
		clear(t.dirs)
		t.cost = cost
	}
	t.dirs[id] = entries
	return entries, nil
}

// validPath is fs.ValidPath without its rule that names are UTF-8.
func validPath(name string) bool {
	if name == "." {
		return true
	}
	if strings.IndexByte(name, 0) >= 0 {
		return false
	}
	for elem := range strings.SplitSeq(name, "/") {
		if elem == "" || elem == "." || elem == ".." {
			return false
		}
	}
	return true
}

// find walks to a path.
func (t *Tree) find(name string) (treeEntry, error) {
	at := treeEntry{name: ".", mode: modeDir, id: t.root}
	if !validPath(name) {
		return at, fs.ErrInvalid
	}
	if name == "." {
		return at, nil
	}
	for elem := range strings.SplitSeq(name, "/") {
		if !at.isDir() {
			return at, fs.ErrNotExist
		}
		entries, err := t.dir(at.id)
		if err != nil {
			return at, err
		}
		var ok bool
		if at, ok = pick(entries, elem); !ok {
			return at, fs.ErrNotExist
		}
	}
	return at, nil
}

// pick finds a name: as a file, else as a directory, which sorts elsewhere.
func pick(entries []treeEntry, name string) (treeEntry, bool) {
	for _, mode := range []uint32{modeFile, modeDir} {
		i, ok := slices.BinarySearchFunc(entries, treeEntry{name: name, mode: mode}, compareEntries)
		if ok {
			return entries[i], true
		}
	}
	return treeEntry{}, false
}

// Open opens a file or directory. A file reads from its start without being
// held in memory when it is large, and can be sought in.
func (t *Tree) Open(name string) (fs.File, error) {
	e, err := t.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	info, err := t.info(e)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if info.IsDir() {
		return &treeDir{tree: t, entry: e, info: info, path: name}, nil
	}
	f, err := openBlob(t, e.id, info, name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

// ReadDir lists a directory, by name.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.find(name)
	if err == nil && e.mode != modeDir && e.mode != modeModule {
		err = errNotDir
	}
	var list []fs.DirEntry
	if err == nil {
		list, err = t.list(e)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return list, nil
}

var errNotDir = errors.New("not a directory")

func (t *Tree) list(dir treeEntry) ([]fs.DirEntry, error) {
	if dir.mode == modeModule {
		return nil, nil
	}
	entries, err := t.dir(dir.id)
	if err != nil {
		return nil, err
	}
	list := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		list[i] = dirEntry{t, e}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// Stat describes a path; it never follows a symbolic link, so it is Lstat.
func (t *Tree) Stat(name string) (fs.FileInfo, error) { return t.stat("stat", name) }

// Lstat is Stat.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) { return t.stat("lstat", name) }

func (t *Tree) stat(op, name string) (fs.FileInfo, error) {
	e, err := t.find(name)
	if err == nil {
		var info fs.FileInfo
		if info, err = t.info(e); err == nil {
			return info, nil
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: err}
}

// ReadFile returns a file of at most 32 MiB, a link's target for a link.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	e, err := t.find(name)
	if err == nil && (e.mode == modeDir || e.mode == modeModule) {
		err = errors.New("is a directory")
	}
	var o object
	if err == nil {
		o, err = t.blob(e.id)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return slices.Clone(o.data), nil
}

func (t *Tree) blob(id plumbing.Hash) (object, error) {
	e, err := t.objs.typed(plumbing.BlobObject, id)
	if err != nil {
		return object{}, err
	}
	return e.object, nil
}

// maxLink is the longest target a symbolic link can have, in bytes.
const maxLink = 4096

// ReadLink returns the target of a symbolic link, as it was written.
func (t *Tree) ReadLink(name string) (string, error) {
	e, err := t.find(name)
	if err == nil && e.mode != modeLink {
		err = fs.ErrInvalid
	}
	var target string
	if err == nil {
		target, err = t.target(e)
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return target, nil
}

func (t *Tree) target(e treeEntry) (string, error) {
	_, size, err := t.objs.header(e.id)
	if err != nil {
		return "", err
	}
	if size > maxLink {
		return "", fmt.Errorf("link target has %d bytes, more than %d", size, maxLink)
	}
	o, err := t.blob(e.id)
	return string(o.data), err
}

// info describes an entry; for a file it looks up the size.
func (t *Tree) info(e treeEntry) (fileInfo, error) {
	info := fileInfo{name: path.Base(e.name), mode: fileMode(e.mode), time: t.time}
	if info.IsDir() {
		return info, nil
	}
	typ, size, err := t.objs.header(e.id)
	if err == nil && typ != plumbing.BlobObject {
		err = &typeError{e.id, typ, plumbing.BlobObject}
	}
	info.size = size
	return info, err
}

func fileMode(mode uint32) fs.FileMode {
	switch mode {
	case modeExec:
		return 0o755
	case modeLink:
		return fs.ModeSymlink | 0o777
	case modeDir, modeModule:
		return fs.ModeDir | 0o755
	}
	return 0o644
}

type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
	time time.Time
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return i.time }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }

type dirEntry struct {
	tree  *Tree
	entry treeEntry
}

func (d dirEntry) Name() string               { return d.entry.name }
func (d dirEntry) IsDir() bool                { return d.Type().IsDir() }
func (d dirEntry) Type() fs.FileMode          { return fileMode(d.entry.mode).Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return d.tree.info(d.entry) }

// treeDir is an open directory.
type treeDir struct {
	tree  *Tree
	entry treeEntry
	info  fileInfo
	path  string
	rest  []fs.DirEntry
	read  bool
}

func (d *treeDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *treeDir) Close() error               { return nil }

func (d *treeDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("is a directory")}
}

func (d *treeDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		list, err := d.tree.list(d.entry)
		if err != nil {
			return nil, &fs.PathError{Op: "readdir", Path: d.path, Err: err}
		}
		d.rest, d.read = list, true
	}
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out, nil
}
