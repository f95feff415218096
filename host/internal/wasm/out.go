package wasm

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

var (
	errNotDir   = errors.New("not a folder")
	errIsDir    = errors.New("a folder")
	errNotEmpty = errors.New("not empty")
	errNoSpace  = errors.New("no space left")
)

// Out is a writable folder in memory, with a cap on the bytes and on the files
// and folders in it. Files are stored by path. It is safe for concurrent use.
type Out struct {
	maxBytes int64
	maxFiles int

	mu    sync.Mutex
	files map[string]*outFile // by clean relative path
	dirs  map[string]bool
	bytes int64
}

type outFile struct {
	out     *Out
	data    []byte
	opened  int  // descriptors that hold it
	removed bool // from its folder; its bytes count until it is closed
}

// NewOut makes an empty folder for at most maxBytes bytes in at most maxFiles
// files and folders. A plugin that writes more sees a full disk.
func NewOut(maxBytes int64, maxFiles int) *Out {
	return &Out{maxBytes: maxBytes, maxFiles: maxFiles, files: map[string]*outFile{}, dirs: map[string]bool{}}
}

// Limits are the bytes and the files that it takes.
func (o *Out) Limits() (bytes int64, files int) { return o.maxBytes, o.maxFiles }

// Files gives the paths of all files, slash-separated raw bytes, sorted.
func (o *Out) Files() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.files))
}

// Each calls f with every file, in order of the names. f must not retain the content.
func (o *Out) Each(do func(name string, data []byte)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(o.files)) {
		do(name, o.files[name].data)
	}
}

// Put adds a whole file, as a plugin could have.
func (o *Out) Put(name string, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if name == "." || !validName(name) || o.files[name] != nil {
		return fs.ErrInvalid
	}
	if len(o.files) >= o.maxFiles || o.bytes+int64(len(data)) > o.maxBytes {
		return errNoSpace
	}
	o.files[name] = &outFile{out: o, data: data}
	o.bytes += int64(len(data))
	return nil
}

// ReadFile gives a file's content; fs.ErrNotExist where there is none.
func (o *Out) ReadFile(path string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.files[path]
	if f == nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	return slices.Clone(f.data), nil
}

func (o *Out) size() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

func (o *Out) stat(path string) (stat, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.look(path)
}

// look is stat with the lock held.
func (o *Out) look(path string) (stat, error) {
	if path == "." || o.dirs[path] {
		return stat{kind: typeDir}, nil
	}
	if f := o.files[path]; f != nil {
		return stat{kind: typeRegular, size: int64(len(f.data))}, nil
	}
	for dir := parent(path); dir != "."; dir = parent(dir) {
		if o.files[dir] != nil {
			return stat{}, errNotDir
		}
	}
	return stat{}, fs.ErrNotExist
}

func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

// room checks that a new name can be created at path.
func (o *Out) room(path string) error {
	st, err := o.look(parent(path))
	switch {
	case err != nil:
		return err
	case st.kind != typeDir:
		return errNotDir
	case len(o.files)+len(o.dirs) >= o.maxFiles:
		return errNoSpace
	}
	return nil
}

func (o *Out) list(path string) ([]entry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	st, err := o.look(path)
	if err != nil {
		return nil, err
	}
	if st.kind != typeDir {
		return nil, errNotDir
	}
	var all []entry
	for name := range o.files {
		if parent(name) == path {
			all = append(all, entry{name[strings.LastIndexByte(name, '/')+1:], typeRegular})
		}
	}
	for name := range o.dirs {
		if parent(name) == path {
			all = append(all, entry{name[strings.LastIndexByte(name, '/')+1:], typeDir})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

func (o *Out) open(path string, how openHow) (content, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	st, err := o.look(path)
	switch {
	case err == nil && st.kind == typeDir:
		return nil, errIsDir
	case err == nil && how.create && how.exclusive:
		return nil, fs.ErrExist
	case err != nil && !(how.create && errors.Is(err, fs.ErrNotExist)):
		return nil, err
	case err != nil:
		if err := o.room(path); err != nil {
			return nil, err
		}
		o.files[path] = &outFile{out: o}
	}
	f := o.files[path]
	if how.truncate {
		f.resize(0)
	}
	f.opened++
	return f, nil
}

func (o *Out) readlink(string) (string, error) { return "", fs.ErrInvalid }

func (o *Out) mkdir(path string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.look(path); err == nil {
		return fs.ErrExist
	}
	if err := o.room(path); err != nil {
		return err
	}
	o.dirs[path] = true
	return nil
}

func (o *Out) remove(path string, dir bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	st, err := o.look(path)
	switch {
	case err != nil:
		return err
	case path == ".":
		return fs.ErrPermission
	case dir && st.kind != typeDir:
		return errNotDir
	case !dir && st.kind == typeDir:
		return errIsDir
	case dir && !o.empty(path):
		return errNotEmpty
	case dir:
		delete(o.dirs, path)
		return nil
	}
	o.unlink(path)
	return nil
}

func (o *Out) unlink(path string) {
	f := o.files[path]
	delete(o.files, path)
	f.removed = true
	f.settle()
}

func (o *Out) empty(dir string) bool {
	for name := range o.files {
		if strings.HasPrefix(name, dir+"/") {
			return false
		}
	}
	for name := range o.dirs {
		if strings.HasPrefix(name, dir+"/") {
			return false
		}
	}
	return true
}

// rename moves a file over a file or a free name. Folders stay where they are.
func (o *Out) rename(from, to string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	st, err := o.look(from)
	if err != nil {
		return err
	}
	if st.kind == typeDir {
		return fs.ErrPermission
	}
	target, err := o.look(to)
	switch {
	case from == to:
		return nil
	case err == nil && target.kind == typeDir:
		return errIsDir
	case err == nil:
		o.unlink(to)
	default:
		if dir, err := o.look(parent(to)); err != nil || dir.kind != typeDir {
			return errors.Join(err, errNotDir)
		}
	}
	o.files[to] = o.files[from]
	delete(o.files, from)
	return nil
}

func (f *outFile) size() int64 {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	return int64(len(f.data))
}

func (f *outFile) readAt(p []byte, off int64) (int, error) {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	return n, nil
}

func (f *outFile) writeAt(p []byte, off int64) error {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	if off > f.out.maxBytes || off+int64(len(p)) > int64(len(f.data)) && !f.resize(off+int64(len(p))) {
		return errNoSpace
	}
	copy(f.data[off:], p)
	return nil
}

func (f *outFile) truncate(size int64) error {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	if !f.resize(size) {
		return errNoSpace
	}
	return nil
}

// resize is for holders of the lock; it reports whether there was room.
func (f *outFile) resize(size int64) bool {
	more := size - int64(len(f.data))
	if size < 0 || size > f.out.maxBytes || more > f.out.maxBytes-f.out.bytes {
		return false
	}
	f.out.bytes += more
	if more <= 0 {
		clear(f.data[size:])
		f.data = f.data[:size]
		if size < int64(cap(f.data))/2 { // released memory does not count either
			f.data = slices.Clone(f.data)
		}
	} else {
		f.data = append(f.data, make([]byte, more)...)
	}
	return true
}

func (f *outFile) close() {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	f.opened--
	f.settle()
}

// settle gives back the bytes of a file that no one can reach any more.
func (f *outFile) settle() {
	if f.removed && f.opened == 0 {
		f.out.bytes -= int64(len(f.data))
		f.data = nil
	}
}
