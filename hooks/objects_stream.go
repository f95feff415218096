package hooks

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"
)

// streamAbove is the size from which a blob is not read into memory when it is
// opened, in bytes.
const streamAbove = 1 << 20

// stream opens an object for reading from start to end. What is small comes
// out of memory; what is large straight out of its file, and when it is stored
// as a delta, by way of temporary files in the spool: memory does not grow with
// the size of blobs. The reader fails when the content is not exactly as long as
// announced or its checksum is wrong.
func (s *store) stream(id plumbing.Hash, spool *Spool) (typ plumbing.ObjectType, size int64, rc io.ReadCloser,
	err error) {
	if o, ok := s.cache.get(cacheKey{id: id}); ok {
		return o.typ, int64(len(o.data)), io.NopCloser(bytes.NewReader(o.data)), nil
	}
	err = s.lookAt(id, func(w where) (err error) {
		if typ, size, err = s.headerAt(w); err != nil {
			return err
		}
		if size > streamAbove {
			rc, err = w.stream(id, size, spool)
			return err
		}
		o, err := s.readAt(w)
		rc = io.NopCloser(bytes.NewReader(o.data))
		return err
	})
	return typ, size, rc, err
}

// intoFile makes a temporary file of an object, however it is stored by now.
func (s *store) intoFile(id plumbing.Hash, spool *Spool) (t *temp, err error) {
	err = s.lookAt(id, func(w where) error {
		_, size, err := s.headerAt(w)
		if err != nil {
			return err
		}
		if w.pack != nil {
			e, err := w.pack.entry(w.off)
			if err == nil && e.base != 0 {
				t, err = w.pack.unfold(e, spool)
				return err
			}
			if err != nil {
				return err
			}
		}
		src, err := w.stream(id, size, spool)
		if err != nil {
			return err
		}
		defer src.Close()
		t, err = spool.copy(src, size)
		return err
	})
	return t, err
}

func (w where) stream(id plumbing.Hash, size int64, spool *Spool) (io.ReadCloser, error) {
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
		r, err := spool.open(id, func() (*temp, error) { return w.pack.unfold(e, spool) })
		if err != nil {
			return nil, err
		}
		return r, nil
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
// temporary file, one step after the other. A step goes as soon as the next one
// is there.
func (p *pack) unfold(e entry, spool *Spool) (*temp, error) {
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
	t, err := spool.copy(src, e.size)
	src.Close()
	for i := len(deltas) - 1; i >= 0 && err == nil; i-- {
		var next *temp
		next, err = p.patchFile(t, deltas[i], spool)
		spool.drop(t)
		t = next
	}
	return t, err
}

// copy makes a temporary file of a stream of size bytes.
func (s *Spool) copy(src io.Reader, size int64) (*temp, error) {
	return s.create(size, func(w io.Writer) error {
		_, err := io.Copy(w, src)
		return err
	})
}

func (p *pack) patchFile(base *temp, e entry, spool *Spool) (*temp, error) {
	z, err := p.exact(e)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	delta := bufio.NewReader(z)
	size, err := deltaSize(base, delta)
	if err != nil {
		return nil, err
	}
	return spool.create(size, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 64<<10)
		if err := applyDelta(b, base, delta, size); err != nil {
			return err
		}
		return b.Flush()
	})
}

// deltaSize reads how a delta begins: the sizes of its base and of what it
// makes of it.
func deltaSize(base *temp, delta *bufio.Reader) (int64, error) {
	from, err1 := binary.ReadUvarint(delta)
	size, err2 := binary.ReadUvarint(delta)
	if err1 != nil || err2 != nil || from != uint64(base.size) || size > math.MaxInt64 {
		return 0, errDamaged
	}
	return int64(size), nil
}

// applyDelta is a delta's meaning behind its sizes: orders to copy a stretch of
// the base or to take the next bytes as they are, until left bytes are made.
func applyDelta(dst io.Writer, base *temp, delta *bufio.Reader, left int64) error {
	for {
		op, err := delta.ReadByte()
		if err == io.EOF && left == 0 {
			return nil
		}
		if err != nil || op == 0 {
			return errors.Join(errDamaged, noEOF(err))
		}
		var src io.Reader = delta
		n := int64(op)
		if op&0x80 != 0 {
			var off int64
			if off, n, err = copyOrder(op, delta); err != nil {
				return err
			}
			src = io.NewSectionReader(base.file, off, n)
		}
		if n > left {
			return errDamaged
		}
		if _, err := io.CopyN(dst, src, n); err != nil {
			return noEOF(err)
		}
		left -= n
	}
}

// copyOrder reads the offset (up to 4 bytes) and length (up to 3) of a copy
// order; the low bits of op say which bytes are there.
func copyOrder(op byte, r io.ByteReader) (off, n int64, err error) {
	for bit := range 7 {
		if op>>bit&1 == 0 {
			continue
		}
		b, err := r.ReadByte()
		if err != nil {
			return 0, 0, noEOF(err)
		}
		if bit < 4 {
			off |= int64(b) << (8 * bit)
		} else {
			n |= int64(b) << (8 * (bit - 4))
		}
	}
	if n == 0 {
		n = 0x10000
	}
	return off, n, nil
}
