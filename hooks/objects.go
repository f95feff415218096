package hooks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
)

// maxObject is the size up to which an object is read into memory, in bytes;
// what is larger can only be streamed. A tree of this size has about 800,000
// entries.
const maxObject = 32 << 20

// object is one whole object. Its data is shared and must not be changed.
type object struct {
	typ  plumbing.ObjectType
	data []byte
}

// store reads objects from an ordered list of object directories, the first
// hit wins. It is safe for concurrent use and never writes.
//
// It replaces go-git's own object storage, which supports only a single directory,
// packs named pack-*.pack, and one caller at a time.
type store struct {
	partial bool                     // a remote may have what is missing
	where   func() ([]string, error) // finds the object directories
	cache   *objectCache
	pool    *sync.Pool           // of *inflater
	last    atomic.Pointer[pack] // where the last object was found

	mu     sync.RWMutex
	dirs   []string
	packs  []*pack
	listed bool
	closed bool
}

func newStore(where func() ([]string, error), partial bool) *store {
	return &store{where: where, partial: partial, cache: newObjectCache(), pool: newInflaters()}
}

// where is the place of one object: at an offset of a pack, else loose.
type where struct {
	pack  *pack
	off   int64
	loose string
}

// read returns a whole object of at most maxObject bytes.
func (s *store) read(id plumbing.Hash) (object, error) {
	if o, ok := s.cache.get(cacheKey{id: id}); ok {
		return o, nil
	}
	if id == emptyTree {
		return object{typ: plumbing.TreeObject}, nil
	}
	var o object
	err := s.lookAt(id, func(w where) (err error) {
		o, err = s.readAt(w)
		return err
	})
	if err != nil {
		return object{}, err
	}
	s.cache.put(cacheKey{id: id}, o)
	return o, nil
}

func (s *store) readAt(w where) (object, error) {
	if w.pack != nil {
		return s.readPacked(w.pack, w.off)
	}
	f, err := openLoose(w.loose)
	if err != nil {
		return object{}, err
	}
	defer f.Close()
	if f.size > maxObject {
		return object{}, errTooLarge(f.size)
	}
	data := make([]byte, f.size)
	if _, err := io.ReadFull(f, data); err != nil {
		return object{}, noEOF(err)
	}
	return object{f.typ, data}, f.atEnd()
}

// header returns an object's type and size without reading all of it.
func (s *store) header(id plumbing.Hash) (plumbing.ObjectType, int64, error) {
	if o, ok := s.cache.get(cacheKey{id: id}); ok {
		return o.typ, int64(len(o.data)), nil
	}
	if id == emptyTree {
		return plumbing.TreeObject, 0, nil
	}
	var typ plumbing.ObjectType
	var size int64
	err := s.lookAt(id, func(w where) (err error) {
		typ, size, err = s.headerAt(w)
		return err
	})
	return typ, size, err
}

func (s *store) headerAt(w where) (plumbing.ObjectType, int64, error) {
	if w.pack != nil {
		return w.pack.header(w.off)
	}
	f, err := openLoose(w.loose)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	return f.typ, f.size, nil
}

// lookAt finds an object and lets do read it. A loose object can be packed
// and taken away between the two; it is then looked for once more.
func (s *store) lookAt(id plumbing.Hash, do func(where) error) error {
	for again := true; ; again = false {
		w, err := s.locate(id)
		if err != nil {
			return err
		}
		err = do(w)
		switch {
		case err == nil:
			return nil
		case again && w.pack == nil && errors.Is(err, fs.ErrNotExist):
			if _, _, err := s.list(true); err != nil {
				return err
			}
		default:
			return fmt.Errorf("object %s cannot be read: %w", id, err)
		}
	}
}

// locate finds an object in the packs, then among the loose ones, and looks
// again after listing directories and packs anew: since they were listed
// a push may have brought one, or a repack replaced them.
func (s *store) locate(id plumbing.Hash) (where, error) {
	for _, again := range []bool{false, true, true} {
		packs, dirs, err := s.list(again)
		if err != nil {
			return where{}, err
		}
		w, ok, err := s.search(id, packs, dirs)
		if ok || err != nil {
			return w, err
		}
	}
	return where{}, &MissingError{ID: id.String(), Partial: s.partial}
}

func (s *store) search(id plumbing.Hash, packs []*pack, dirs []string) (where, bool, error) {
	last := s.last.Load()
	if last != nil {
		if off, ok, err := last.find(id); ok || err != nil {
			return where{pack: last, off: off}, ok, err
		}
	}
	for _, p := range packs {
		if p == last {
			continue
		}
		off, ok, err := p.find(id)
		if err != nil {
			return where{}, false, err
		}
		if ok {
			s.last.Store(p)
			return where{pack: p, off: off}, true, nil
		}
	}
	name := id.String()
	for _, dir := range dirs {
		path := dir + "/" + name[:2] + "/" + name[2:]
		_, err := os.Lstat(path)
		if err == nil {
			return where{loose: path}, true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return where{}, false, fmt.Errorf("object %s cannot be read: %w", name, err)
		}
	}
	return where{}, false, nil
}

// list returns packs and directories, listing them first when they were not
// yet or again is set. A pack that was known keeps its open files.
func (s *store) list(again bool) ([]*pack, []string, error) {
	s.mu.RLock()
	packs, seen, done, closed := s.packs, s.dirs, s.listed, s.closed
	s.mu.RUnlock()
	if closed {
		return nil, nil, errClosed
	}
	if done && !again {
		return packs, seen, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[string]*pack)
	for _, p := range s.packs {
		known[p.base] = p
	}
	dirs, err := s.where()
	if err != nil {
		return nil, nil, err
	}
	var found []*pack
	for _, dir := range dirs {
		bases, err := listPacks(filepath.Join(dir, "pack"))
		if err != nil {
			return nil, nil, err
		}
		for _, base := range bases {
			p := known[base]
			if p == nil {
				p = &pack{base: base, pool: s.pool}
			}
			found = append(found, p)
		}
	}
	s.packs, s.dirs, s.listed = found, dirs, true
	return found, dirs, nil
}

var errClosed = errors.New("the repository was closed")

// listPacks names every pack of a directory that has its index next to it,
// whatever it is called: git's own maintenance writes loose-*.pack.
func listPacks(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list packs: %w", err)
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	var bases []string
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), ".idx")
		if ok && there[base+".pack"] {
			bases = append(bases, filepath.Join(dir, base))
		}
	}
	return bases, nil
}

func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed = false
	s.last.Store(nil)
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.last.Store(nil)
	var errs []error
	for _, p := range s.packs {
		errs = append(errs, p.close())
	}
	s.packs = nil
	s.cache.forget()
	return errors.Join(errs...)
}

// looseFile is a loose object opened behind its header.
type looseFile struct {
	typ  plumbing.ObjectType
	size int64
	file *os.File
	*objfile.Reader
}

func openLoose(path string) (*looseFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := objfile.NewReader(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	l := &looseFile{file: f, Reader: r}
	if l.typ, l.size, err = r.Header(); err == nil && l.size < 0 {
		err = objfile.ErrNegativeSize
	}
	if err != nil {
		l.Close()
		return nil, noEOF(err)
	}
	return l, nil
}

// atEnd checks that nothing follows what was read, and with it zlib's
// checksum of the whole.
func (l *looseFile) atEnd() error { return atEnd(l.Reader) }

func (l *looseFile) Close() error {
	if l.file == nil {
		return nil
	}
	l.Reader.Close() // gives its buffers back, so never twice
	err := l.file.Close()
	l.file = nil
	return err
}

func atEnd(r io.Reader) error {
	var one [1]byte
	switch n, err := r.Read(one[:]); {
	case n > 0:
		return errors.New("it is longer than its header says")
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return io.ErrNoProgress
}

// noEOF keeps an early end of data from being read as a plain end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func errTooLarge(size int64) error {
	return fmt.Errorf("it has %d bytes, more than the %d that are read at once", size, maxObject)
}
