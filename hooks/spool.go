package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
)

// MaxSpool is the size limit of the temporary files of one Spool, in bytes: twice
// the size up to which git stores deltas (core.bigFileThreshold).
const MaxSpool = 1 << 30

// Spool has the temporary files of one reader of trees: large files that are read
// out of order, or that are stored as deltas. A file that is opened several times is
// in it once. A file that no reader has open stays until its space is needed, or
// until Close. Temporary files have no name and disappear with the process, however
// it ends. A Spool is safe for concurrent use.
type Spool struct {
	ctx   context.Context
	keeps bool

	mu     sync.Mutex
	left   int64
	files  map[plumbing.Hash]*spooled
	idle   []*spooled // that no reader has open, the longest unused first
	full   *QuotaError
	closed bool
}

// NewSpool makes a Spool of at most limit bytes. Writing to it ends with ctx.
func NewSpool(ctx context.Context, limit int64) *Spool {
	return &Spool{ctx: ctx, keeps: true, left: limit, files: map[plumbing.Hash]*spooled{}, full: &QuotaError{Limit: limit}}
}

// QuotaError is a file that cannot be read because it does not fit into a Spool.
// errors.Is treats it as syscall.ENOSPC.
type QuotaError struct {
	Limit  int64 // bytes of the Spool
	Wanted int64 // bytes of the file that did not fit; 0: none was refused
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("a temporary file of %d bytes would take the run's temporary files beyond %d MiB", e.Wanted,
		e.Limit>>20)
}

// Is makes it the system's "no space left on device".
func (e *QuotaError) Is(target error) bool { return target == syscall.ENOSPC }

// NoSpace distinguishes it from a full disk, which is not a quota.
func (e *QuotaError) NoSpace() bool { return true }

// Full is the first file that did not fit, or nil.
func (s *Spool) Full() *QuotaError {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full.Wanted == 0 {
		return nil
	}
	return s.full
}

// Close removes all files, even those that are still open.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, f := range s.files {
		if f.temp != nil {
			errs = append(errs, f.temp.file.Close())
			f.temp = nil
		}
	}
	clear(s.files)
	s.idle = nil
	return errors.Join(errs...)
}

// temp is a temporary file, and the space that it takes.
type temp struct {
	file *os.File
	size int64
}

// create frees space, creates a file of size bytes and calls write to fill it.
func (s *Spool) create(size int64, write func(io.Writer) error) (*temp, error) {
	if err := s.take(size); err != nil {
		return nil, err
	}
	file, err := s.newFile(size, write)
	if err != nil {
		s.give(size)
		return nil, err
	}
	return &temp{file, size}, nil
}

func (s *Spool) newFile(size int64, write func(io.Writer) error) (*os.File, error) {
	f, err := os.CreateTemp("", "pushlane-object-")
	if err != nil {
		return nil, err
	}
	w := &sizedWriter{ctx: s.ctx, w: f, left: size}
	if err = errors.Join(os.Remove(f.Name()), write(w)); err == nil && w.left != 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sizedWriter takes as many bytes as room was made for, while readers wait.
type sizedWriter struct {
	ctx  context.Context
	w    io.Writer
	left int64
}

func (w *sizedWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.left -= int64(len(p)); w.left < 0 {
		return 0, errDamaged
	}
	return w.w.Write(p)
}

// drop gives back a file that was a step on the way to another.
func (s *Spool) drop(t *temp) {
	t.file.Close()
	s.give(t.size)
}

// take frees space: it removes files that no reader has open.
func (s *Spool) take(size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fs.ErrClosed
	}
	for s.left < size && len(s.idle) > 0 {
		s.remove(s.idle[0])
	}
	if s.left < size {
		if s.full.Wanted == 0 {
			s.full.Wanted = size
		}
		return &QuotaError{Limit: s.full.Limit, Wanted: size}
	}
	s.left -= size
	return nil
}

func (s *Spool) give(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left += size
}

// remove closes a file that no reader has open. s.mu is held.
func (s *Spool) remove(f *spooled) {
	f.temp.file.Close()
	s.left += f.temp.size
	f.temp = nil
	delete(s.files, f.id)
	s.idle = slices.DeleteFunc(s.idle, func(o *spooled) bool { return o == f })
}

// spooled is a blob in a Spool.
type spooled struct {
	id    plumbing.Hash
	ready chan struct{} // closed when temp or err is set
	temp  *temp
	err   error
	users int
}

// open gives the file of a blob, made by fill where it is not there.
func (s *Spool) open(id plumbing.Hash, fill func() (*temp, error)) (*spoolReader, error) {
	s.mu.Lock()
	f, there := s.files[id]
	if !there {
		f = &spooled{id: id, ready: make(chan struct{})}
		s.files[id] = f
	}
	f.users++
	s.idle = slices.DeleteFunc(s.idle, func(o *spooled) bool { return o == f })
	s.mu.Unlock()
	if !there {
		t, err := fill()
		s.filled(f, t, err)
	}
	<-f.ready
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f.err != nil:
		return nil, f.err
	case f.temp == nil:
		return nil, fs.ErrClosed
	}
	return &spoolReader{SectionReader: io.NewSectionReader(f.temp.file, 0, f.temp.size), spool: s, from: f}, nil
}

// filled records the result of creating a file. A failed one is tried again by the
// next reader; one that arrives after Close is removed.
func (s *Spool) filled(f *spooled, t *temp, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.temp, f.err = t, err; err != nil {
		delete(s.files, f.id)
	} else if s.closed {
		t.file.Close()
		f.temp = nil
	}
	close(f.ready)
}

// spoolReader is a reader of a blob in a Spool.
type spoolReader struct {
	*io.SectionReader
	spool *Spool
	from  *spooled
	once  sync.Once
}

// Close lets go of the blob.
func (r *spoolReader) Close() error {
	r.once.Do(func() { r.spool.leave(r.from) })
	return nil
}

func (s *Spool) leave(f *spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.users--; f.users > 0 || f.temp == nil {
		return
	}
	s.idle = append(s.idle, f)
	if !s.keeps {
		s.remove(f)
	}
}
