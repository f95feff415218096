package hooks

import (
	"bytes"
	"io"
	"io/fs"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// blobFile is an open file of a tree. It streams as long as it is read in
// order; the first jump elsewhere in a large one copies it to the spool, so that
// memory does not grow with the file.
type blobFile struct {
	objs  *store
	spool *Spool
	id    plumbing.Hash
	info  fileInfo
	path  string

	mu     sync.Mutex
	stream io.ReadCloser // nil once the content is in whole
	whole  wholeBlob
	at     int64 // where the stream is
	pos    int64 // where the next Read begins
	closed bool
}

// wholeBlob is content that can be read from anywhere.
type wholeBlob interface {
	io.ReaderAt
	io.Closer
}

// memBlob is content in memory.
type memBlob struct{ *bytes.Reader }

func (memBlob) Close() error { return nil }

func openBlob(t *Tree, id plumbing.Hash, info fileInfo, path string) (*blobFile, error) {
	f := &blobFile{objs: t.objs, spool: t.spool, id: id, info: info, path: path}
	if info.size <= streamAbove {
		o, err := t.objs.read(id)
		f.whole = memBlob{bytes.NewReader(o.data)}
		return f, err
	}
	_, _, stream, err := t.objs.stream(id, t.spool)
	if spooled, ok := stream.(*spoolReader); ok {
		f.whole = spooled
	} else {
		f.stream = stream
	}
	return f, err
}

func (f *blobFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *blobFile) Read(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, f.fail("read", fs.ErrClosed)
	}
	if f.stream != nil && f.at != f.pos {
		if err := f.keep(); err != nil {
			return 0, f.fail("read", err)
		}
	}
	var n int
	var err error
	if f.stream == nil {
		n, err = f.whole.ReadAt(b, f.pos)
		if n > 0 && err == io.EOF {
			err = nil
		}
	} else {
		n, err = f.stream.Read(b)
		f.at += int64(n)
	}
	f.pos += int64(n)
	if err != nil && err != io.EOF {
		err = f.fail("read", err)
	}
	return n, err
}

// Seek sets where the next Read starts.
func (f *blobFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, f.fail("seek", fs.ErrClosed)
	}
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += f.info.size
	}
	if offset < 0 || whence < io.SeekStart || whence > io.SeekEnd {
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	f.pos = offset
	return offset, nil
}

// ReadAt reads at an offset, wherever Read is. Where the stream has just come
// there it reads on.
func (f *blobFile) ReadAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return 0, f.fail("read", fs.ErrClosed)
	}
	if f.stream != nil && f.at == off {
		defer f.mu.Unlock()
		return f.readOn(b)
	}
	err := f.keep()
	whole := f.whole
	f.mu.Unlock()
	if err != nil {
		return 0, f.fail("read", err)
	}
	return whole.ReadAt(b, off)
}

func (f *blobFile) readOn(b []byte) (int, error) {
	n, err := io.ReadFull(f.stream, b)
	f.at += int64(n)
	switch {
	case err == io.EOF, err == io.ErrUnexpectedEOF && f.at == f.info.size:
		return n, io.EOF
	case err != nil:
		return n, f.fail("read", err)
	}
	return n, nil
}

// keep turns the stream into something that can be read from anywhere.
func (f *blobFile) keep() error {
	if f.stream == nil {
		return nil
	}
	whole, err := f.spool.open(f.id, func() (*temp, error) { return f.objs.intoFile(f.id, f.spool) })
	if err != nil {
		return err
	}
	f.stream.Close()
	f.stream, f.whole = nil, whole
	return nil
}

func (f *blobFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	if f.stream != nil {
		return f.stream.Close()
	}
	return f.whole.Close()
}

func (f *blobFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.path, Err: err}
}
