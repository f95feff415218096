package hooks

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// The layout of a version 2 pack index: a header, 256 running counts by first
// byte, n ids in order, n checksums, n offsets, the offsets that need 64 bits,
// and the pack's and its own checksum.
const (
	idSize     = 20
	idxFanout  = 8
	idxNames   = idxFanout + 256*4
	idxPerItem = idSize + 4 + 4
	packHeader = 12
	maxChain   = 4096 // deltas upon deltas; git makes 50, 250 at most
)

// pack is one pack and its index, opened at the first question and read by
// offset, so that any number of callers can use it at once. Nothing of the
// index but its first kilobyte is cached in memory.
type pack struct {
	base string     // path without .pack or .idx
	pool *sync.Pool // of *inflater

	mu     sync.Mutex // guards opening and closing
	ready  atomic.Bool
	idx    *os.File
	data   *os.File
	size   int64 // of the pack without its checksum
	count  uint32
	fanout [256]uint32
}

// open opens the files at the first call. A failure is not cached: the process may
// have had no file descriptor at that moment.
func (p *pack) open() error {
	if p.ready.Load() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready.Load() {
		return nil
	}
	if err := p.openFiles(); err != nil {
		p.closeFiles()
		return fmt.Errorf("pack %s cannot be read: %w", p.base, err)
	}
	p.ready.Store(true)
	return nil
}

func (p *pack) openFiles() (err error) {
	if p.idx, err = os.Open(p.base + ".idx"); err != nil {
		return err
	}
	if p.data, err = os.Open(p.base + ".pack"); err != nil {
		return err
	}
	if err := p.readIndexHead(); err != nil {
		return noEOF(err)
	}
	return noEOF(p.readPackHead())
}

func (p *pack) readIndexHead() error {
	info, err := p.idx.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, idxNames)
	if _, err := p.idx.ReadAt(head, 0); err != nil {
		return err
	}
	if !bytes.Equal(head[:8], []byte("\xfftOc\x00\x00\x00\x02")) {
		return withHint(errors.New("its index is not of version 2"), "rewrite it with: git repack -a -d")
	}
	for i := range p.fanout {
		p.fanout[i] = binary.BigEndian.Uint32(head[idxFanout+4*i:])
		if i > 0 && p.fanout[i] < p.fanout[i-1] {
			return errors.New("its index is damaged: the counts go down")
		}
	}
	p.count = p.fanout[255]
	if info.Size() < idxNames+int64(p.count)*idxPerItem+2*idSize {
		return errors.New("its index is cut short")
	}
	return nil
}

// readPackHead checks that the pack is the one the index was made for.
func (p *pack) readPackHead() error {
	info, err := p.data.Stat()
	if err != nil {
		return err
	}
	p.size = info.Size() - idSize
	var head [packHeader]byte
	if _, err := p.data.ReadAt(head[:], 0); err != nil {
		return err
	}
	version := binary.BigEndian.Uint32(head[4:])
	if string(head[:4]) != "PACK" || version != 2 && version != 3 {
		return errors.New("it is not a pack of version 2 or 3")
	}
	var want, got [idSize]byte
	end, err := p.idx.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := p.idx.ReadAt(want[:], end-2*idSize); err != nil {
		return err
	}
	if _, err := p.data.ReadAt(got[:], p.size); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(head[8:]) != p.count || want != got {
		return errors.New("pack and index do not belong together")
	}
	return nil
}

// close closes the files; callers that still read them get an error.
func (p *pack) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closeFiles()
}

func (p *pack) closeFiles() error {
	var errs []error
	for _, f := range []*os.File{p.idx, p.data} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// find looks an id up. A pack that was taken away holds nothing; what it held
// is somewhere else now.
func (p *pack) find(id plumbing.Hash) (off int64, ok bool, err error) {
	if err := p.open(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return 0, false, nil
		}
		return 0, false, err
	}
	lo, hi := uint32(0), p.fanout[id[0]]
	if id[0] > 0 {
		lo = p.fanout[id[0]-1]
	}
	pos, ok, err := p.position(id, lo, hi)
	if !ok || err != nil {
		return 0, false, err
	}
	off, err = p.offset(pos)
	return off, err == nil, err
}

// position finds an id between two positions: by halves while they are far
// apart, the last stretch in one read.
func (p *pack) position(id plumbing.Hash, lo, hi uint32) (uint32, bool, error) {
	var one [idSize]byte
	const stretch = 512
	for hi-lo > stretch {
		mid := lo + (hi-lo)/2
		if _, err := p.idx.ReadAt(one[:], idxNames+int64(mid)*idSize); err != nil {
			return 0, false, noEOF(err)
		}
		if bytes.Compare(one[:], id[:]) <= 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	var buf [stretch * idSize]byte
	names := buf[:(hi-lo)*idSize]
	if _, err := p.idx.ReadAt(names, idxNames+int64(lo)*idSize); err != nil {
		return 0, false, noEOF(err)
	}
	for i := range hi - lo {
		if bytes.Equal(names[i*idSize:(i+1)*idSize], id[:]) {
			return lo + i, true, nil
		}
	}
	return 0, false, nil
}

func (p *pack) offset(pos uint32) (int64, error) {
	offsets := idxNames + int64(p.count)*(idSize+4)
	var b [8]byte
	if _, err := p.idx.ReadAt(b[:4], offsets+int64(pos)*4); err != nil {
		return 0, noEOF(err)
	}
	off := int64(binary.BigEndian.Uint32(b[:4]))
	if off&(1<<31) == 0 {
		return off, nil
	}
	far := offsets + int64(p.count)*4 + (off&^(1<<31))*8
	if _, err := p.idx.ReadAt(b[:], far); err != nil {
		return 0, noEOF(err)
	}
	return int64(binary.BigEndian.Uint64(b[:])), nil
}

// entry is the head of one object in a pack.
type entry struct {
	typ  plumbing.ObjectType
	size int64 // of the inflated data: of the object, or of the delta
	data int64 // where the deflated data starts
	base int64 // where the object is that a delta changes
}

// maxHead is more than the head of any object takes, in bytes.
const maxHead = 64

var errOutside = errors.New("its offset is outside the pack")

func (p *pack) entry(off int64) (entry, error) {
	if off < packHeader || off >= p.size {
		return entry{}, errOutside
	}
	var buf [maxHead]byte
	n, err := p.data.ReadAt(buf[:min(maxHead, p.size-off)], off)
	if err != nil && err != io.EOF {
		return entry{}, err
	}
	return p.parseHead(buf[:n], off)
}

// enter is entry, with a reader that begins at the data: of most objects the
// file is then read once. The caller closes the reader.
func (p *pack) enter(off int64) (entry, *inflater, error) {
	if off < packHeader || off >= p.size {
		return entry{}, nil, errOutside
	}
	z := p.at(off)
	head, err := z.buf.Peek(maxHead)
	if err == nil || err == io.EOF {
		var e entry
		if e, err = p.parseHead(head, off); err == nil {
			_, err = z.buf.Discard(int(e.data - off))
			return e, z, err
		}
	}
	z.Close()
	return entry{}, nil, err
}

func (p *pack) parseHead(b []byte, off int64) (entry, error) {
	e, used, ok := parseEntry(b)
	if !ok {
		return entry{}, errDamaged
	}
	switch e.typ {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		back, n, ok := parseBack(b[used:])
		if !ok || back <= 0 || back > off-packHeader {
			return entry{}, errDamaged
		}
		e.base, used = off-back, used+n
	case plumbing.REFDeltaObject:
		if len(b) < used+idSize {
			return entry{}, errDamaged
		}
		base, ok, err := p.find(plumbing.Hash(b[used : used+idSize]))
		if err != nil || !ok {
			return entry{}, errors.Join(errors.New("the base object of its delta is not in its pack"), err)
		}
		e.base, used = base, used+idSize
	default:
		return entry{}, errDamaged
	}
	e.data = off + int64(used)
	return e, nil
}

var errDamaged = withHint(errors.New("the pack is damaged"), "see what is broken with: git fsck")

// parseEntry reads an object's type (3 bits) and size (4 bits, then 7 per
// byte, lowest first).
func parseEntry(b []byte) (e entry, used int, ok bool) {
	if len(b) == 0 {
		return e, 0, false
	}
	e.typ = plumbing.ObjectType(b[0] >> 4 & 7)
	e.size = int64(b[0] & 15)
	for shift := 4; b[used]&0x80 != 0; shift += 7 {
		used++
		if used == len(b) || shift > 53 {
			return e, 0, false
		}
		e.size |= int64(b[used]&0x7f) << shift
	}
	return e, used + 1, true
}

// parseBack reads the distance to a delta's base: 7 bits per byte, highest
// first, one added at each continuation.
func parseBack(b []byte) (back int64, used int, ok bool) {
	for i, c := range b {
		back = back<<7 | int64(c&0x7f)
		if c&0x80 == 0 {
			return back, i + 1, true
		}
		if back++; back > 1<<54 {
			break
		}
	}
	return 0, 0, false
}

// header follows deltas to the type, and reads the size out of the first one.
func (p *pack) header(off int64) (plumbing.ObjectType, int64, error) {
	e, err := p.entry(off)
	if err != nil {
		return 0, 0, err
	}
	size := e.size
	if e.base != 0 {
		if size, err = p.deltaSize(e); err != nil {
			return 0, 0, err
		}
	}
	for depth := 0; e.base != 0; depth++ {
		if depth == maxChain {
			return 0, 0, errDamaged
		}
		if e, err = p.entry(e.base); err != nil {
			return 0, 0, err
		}
	}
	return e.typ, size, nil
}

// deltaSize reads how large the object is that a delta makes.
func (p *pack) deltaSize(e entry) (int64, error) {
	z, err := p.inflate(e.data)
	if err != nil {
		return 0, err
	}
	defer z.Close()
	br := bufio.NewReaderSize(z, 32)
	if _, err := binary.ReadUvarint(br); err != nil {
		return 0, noEOF(err)
	}
	size, err := binary.ReadUvarint(br)
	if err != nil || size > 1<<62 {
		return 0, errDamaged
	}
	return int64(size), nil
}

// readPacked returns a whole object of at most maxObject bytes: it takes the nearest
// base that is whole or cached, and applies the deltas to it in turn.
func (s *store) readPacked(p *pack, off int64) (object, error) {
	var deltas []entry
	var places []int64
	var o object
	for {
		known, ok := s.cache.get(cacheKey{pack: p, off: off})
		if ok {
			o = known
			break
		}
		e, z, err := p.enter(off)
		if err != nil {
			return object{}, err
		}
		if e.base == 0 {
			data, err := z.whole(e)
			if err != nil {
				return object{}, err
			}
			o = object{e.typ, data}
			if len(deltas) > 0 {
				s.cache.put(cacheKey{pack: p, off: off}, o)
			}
			break
		}
		z.Close()
		if deltas, places = append(deltas, e), append(places, off); len(deltas) > maxChain {
			return object{}, errDamaged
		}
		off = e.base
	}
	for i := len(deltas) - 1; i >= 0; i-- {
		data, err := p.patch(o.data, deltas[i])
		if err != nil {
			return object{}, err
		}
		o.data = data
		if i > 0 {
			s.cache.put(cacheKey{pack: p, off: places[i]}, o)
		}
	}
	return o, nil
}

// patch applies a delta to a base. go-git's patching does not take an empty
// base or result; git makes no such delta.
func (p *pack) patch(base []byte, e entry) ([]byte, error) {
	delta, err := p.at(e.data).whole(e)
	if err != nil {
		return nil, err
	}
	_, n := binary.Uvarint(delta)
	if n <= 0 {
		return nil, errDamaged
	}
	if size, n := binary.Uvarint(delta[n:]); n <= 0 || size > maxObject {
		return nil, errTooLarge(int64(size))
	}
	return packfile.PatchDelta(base, delta)
}

// whole inflates the data of one entry, at which the reader is, checks its
// length and checksum, and closes the reader.
func (z *inflater) whole(e entry) ([]byte, error) {
	defer z.Close()
	if e.size > maxObject {
		return nil, errTooLarge(e.size)
	}
	if err := z.begin(); err != nil {
		return nil, err
	}
	data := make([]byte, e.size)
	if _, err := io.ReadFull(z, data); err != nil {
		return nil, noEOF(err)
	}
	return data, atEnd(z)
}

// inflater is a zlib reader with its buffers, reused for the next object: creating
// one costs more than reading most objects.
type inflater struct {
	pool *sync.Pool // nil once it was given back
	buf  *bufio.Reader
	zr   io.ReadCloser
}

func newInflaters() *sync.Pool {
	return &sync.Pool{New: func() any { return &inflater{buf: bufio.NewReaderSize(nil, 4096)} }}
}

// at is a reader of the pack's bytes from a place on.
func (p *pack) at(off int64) *inflater {
	z := p.pool.Get().(*inflater)
	z.pool = p.pool
	z.buf.Reset(io.NewSectionReader(p.data, off, p.size-off))
	return z
}

// begin starts to inflate.
func (z *inflater) begin() (err error) {
	if z.zr == nil {
		z.zr, err = zlib.NewReader(z.buf)
	} else {
		err = z.zr.(zlib.Resetter).Reset(z.buf, nil)
	}
	return noEOF(err)
}

func (p *pack) inflate(off int64) (*inflater, error) {
	z := p.at(off)
	if err := z.begin(); err != nil {
		z.Close()
		return nil, err
	}
	return z, nil
}

func (z *inflater) Read(b []byte) (int, error) { return z.zr.Read(b) }

func (z *inflater) Close() error {
	if pool := z.pool; pool != nil {
		z.pool = nil
		pool.Put(z)
	}
	return nil
}
