package hooks

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
)

// streamAbove is the size from which a blob is not read into memory when it is
// opened, in bytes.
const streamAbove = 1 << 20

// stream opens an object for reading from start to end. What is small comes
// out of memory; what is large straight out of its file, and when it is stored
// as a delta, by way of unnamed temporary files: memory does not grow with the
// size of blobs. The reader fails when the content is not exactly as long as
// announced or its checksum is wrong.
func (s *store) stream(id plumbing.Hash) (typ plumbing.ObjectType, size int64, rc io.ReadCloser, err error) {
	if o, ok := s.cache.get(cacheKey{id: id}); ok {
		return o.typ, int64(len(o.data)), io.NopCloser(bytes.NewReader(o.data)), nil
	}
	err = s.lookAt(id, func(w where) (err error) {
		if typ, size, err = s.headerAt(w); err != nil {
			return err
		}
		if size > streamAbove {
			rc, err = w.stream(size)
			return err
		}
		o, err := s.readAt(w)
		rc = io.NopCloser(bytes.NewReader(o.data))
		return err
	})
	return typ, size, rc, err
}

func (w where) stream(size int64) (io.ReadCloser, error) {
	if w.pack == nil {
		f, err := openLoose(w.loose)
		if err != nil {
			return nil, err
		}
		return &exact{f, size}, nil
	}
	e, err := w.pack.entry(w.off)
	if err != nil {
		return nil, err
	}
	if e.base != 0 {
		return w.pack.unfold(e)
	}
	return w.pack.exact(e)
}

func (p *pack) exact(e entry) (io.ReadCloser, error) {
	z, err := p.inflate(e.data)
	if err != nil {
		return nil, err
	}
	return &exact{z, e.size}, nil
}

// exact reads a stream that has to end after exactly left bytes.
type exact struct {
	io.ReadCloser
	left int64
}

func (x *exact) Read(b []byte) (int, error) {
	if x.left == 0 {
		if err := atEnd(x.ReadCloser); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := x.ReadCloser.Read(b[:min(int64(len(b)), x.left)])
	x.left -= int64(n)
	if err == io.EOF {
		err = nil
		if x.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// unfold writes a large object that is stored as deltas upon deltas to a
// temporary file, one step after the other, and returns that file.
func (p *pack) unfold(e entry) (io.ReadCloser, error) {
	var deltas []entry
	for e.base != 0 {
		if deltas = append(deltas, e); len(deltas) > maxChain {
			return nil, errDamaged
		}
		var err error
		if e, err = p.entry(e.base); err != nil {
			return nil, err
		}
	}
	src, err := p.exact(e)
	if err != nil {
		return nil, err
	}
	f, err := spool(src)
	src.Close()
	for i := len(deltas) - 1; i >= 0 && err == nil; i-- {
		next, err := p.patchFile(f, deltas[i])
		f.Close()
		if err != nil {
			return nil, err
		}
		f = next
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// spool copies a stream to a temporary file that has no name any more, and
// winds it back.
func spool(src io.Reader) (*os.File, error) {
	return intoFile(func(f *os.File) error {
		_, err := io.Copy(f, src)
		return err
	})
}

func intoFile(write func(*os.File) error) (*os.File, error) {
	f, err := os.CreateTemp("", "pushlane-object-")
	if err != nil {
		return nil, err
	}
	err = errors.Join(os.Remove(f.Name()), write(f))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (p *pack) patchFile(base *os.File, e entry) (*os.File, error) {
	z, err := p.exact(e)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return intoFile(func(f *os.File) error {
		w := bufio.NewWriterSize(f, 64<<10)
		if err := applyDelta(w, base, bufio.NewReader(z)); err != nil {
			return err
		}
		return w.Flush()
	})
}

// applyDelta is a delta's meaning: two sizes, then orders to copy a stretch of
// the base or to take the next bytes as they are.
func applyDelta(dst io.Writer, base *os.File, delta *bufio.Reader) error {
	info, err := base.Stat()
	if err != nil {
		return err
	}
	from, err1 := binary.ReadUvarint(delta)
	left, err2 := binary.ReadUvarint(delta)
	if err1 != nil || err2 != nil || from != uint64(info.Size()) {
		return errDamaged
	}
	for {
		op, err := delta.ReadByte()
		if err == io.EOF && left == 0 {
			return nil
		}
		if err != nil || op == 0 {
			return errors.Join(errDamaged, noEOF(err))
		}
		var src io.Reader = delta
		n := uint64(op)
		if op&0x80 != 0 {
			var off uint64
			if off, n, err = copyOrder(op, delta); err != nil {
				return err
			}
			src = io.NewSectionReader(base, int64(off), int64(n))
		}
		if n > left {
			return errDamaged
		}
		if _, err := io.CopyN(dst, src, int64(n)); err != nil {
			return noEOF(err)
		}
		left -= n
	}
}

// copyOrder reads the offset (up to 4 bytes) and length (up to 3) of a copy
// order; the low bits of op say which bytes are there.
func copyOrder(op byte, r io.ByteReader) (off, n uint64, err error) {
	for bit := range 7 {
		if op>>bit&1 == 0 {
			continue
		}
		b, err := r.ReadByte()
		if err != nil {
			return 0, 0, noEOF(err)
		}
		if bit < 4 {
			off |= uint64(b) << (8 * bit)
		} else {
			n |= uint64(b) << (8 * (bit - 4))
		}
	}
	if n == 0 {
		n = 0x10000
	}
	return off, n, nil
}
