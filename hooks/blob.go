package hooks

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// blobFile is an open file of a tree. It streams from start to end; the first
// jump elsewhere in a large one copies it to a temporary file without a name,
// so that memory does not grow with the file.
type blobFile struct {
	objs *store
	id   plumbing.Hash
	info fileInfo
	path string

	mu     sync.Mutex
	stream io.ReadCloser // nil once the content is in whole
	whole  io.ReadSeeker
	file   *os.File // what whole reads, when it is a file
	pos    int64    // of stream
	closed bool
}

func openBlob(objs *store, id plumbing.Hash, info fileInfo, path string) (*blobFile, error) {
	f := &blobFile{objs: objs, id: id, info: info, path: path}
	if info.size <= streamAbove {
		o, err := objs.read(id)
		f.whole = bytes.NewReader(o.data)
		return f, err
	}
	_, _, stream, err := objs.stream(id)
	f.stream = stream
	return f, err
}

func (f *blobFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *blobFile) Read(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, f.fail("read", fs.ErrClosed)
	}
	if f.stream == nil {
		return f.whole.Read(b)
	}
	n, err := f.stream.Read(b)
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
	if f.stream != nil && whence == io.SeekCurrent && offset == 0 {
		return f.pos, nil
	}
	if err := f.keep(); err != nil {
		return 0, f.fail("seek", err)
	}
	return f.whole.Seek(offset, whence)
}

// ReadAt reads at an offset, wherever Read is.
func (f *blobFile) ReadAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return 0, f.fail("read", fs.ErrClosed)
	}
	err := f.keep()
	f.mu.Unlock()
	if err != nil {
		return 0, f.fail("read", err)
	}
	return f.whole.(io.ReaderAt).ReadAt(b, off)
}

// keep turns the stream into something that can be sought in.
func (f *blobFile) keep() error {
	if f.stream == nil {
		return nil
	}
	f.stream.Close()
	_, _, again, err := f.objs.stream(f.id)
	if err != nil {
		return err
	}
	defer again.Close()
	file, err := spool(again)
	if err != nil {
		return err
	}
	if _, err := file.Seek(f.pos, io.SeekStart); err != nil {
		return errors.Join(err, file.Close())
	}
	f.stream, f.whole, f.file = nil, file, file
	return nil
}

func (f *blobFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	switch {
	case f.stream != nil:
		return f.stream.Close()
	case f.file != nil:
		return f.file.Close()
	}
	return nil
}

func (f *blobFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.path, Err: err}
}
