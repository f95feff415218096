package wasm

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
)

// maxVectors bounds the buffers of one read or write, as systems do.
const maxVectors = 1024

// errnoOf translates. What is not an answer but a breakage ends the run: a plugin
// must not judge what could not be read.
func (s *session) errnoOf(err error, d *desc, path string) errno {
	switch {
	case err == nil:
		return ok
	case errors.Is(err, errLink):
		return eLoop
	case errors.Is(err, errReadOnly):
		return eRofs
	case errors.Is(err, errNotDir):
		return eNotdir
	case errors.Is(err, errIsDir):
		return eIsdir
	case errors.Is(err, errNotEmpty):
		return eNotempty
	case errors.Is(err, errNoSpace):
		return eNospc
	case errors.Is(err, fs.ErrNotExist):
		return eNoent
	case errors.Is(err, fs.ErrExist):
		return eExist
	case errors.Is(err, fs.ErrPermission):
		return eAcces
	case errors.Is(err, fs.ErrInvalid):
		return eInval
	}
	s.stop(fmt.Errorf("cannot read %s for it: %w", guestName(d.mount, path), err))
	return eInval
}

// vectors goes through the guest's list of buffers until do has had enough.
func vectors(g guest, list, n uint64, do func(b []byte) (more bool, no errno)) errno {
	if n &= 0xffffffff; n > maxVectors {
		return eInval
	}
	iov, inside := g.area(list, n*8)
	if !inside {
		return eFault
	}
	iov = append([]byte(nil), iov...) // reading may write over it
	for ; len(iov) > 0; iov = iov[8:] {
		b, inside := g.area(uint64(le.Uint32(iov)), uint64(le.Uint32(iov[4:])))
		if !inside {
			return eFault
		}
		if len(b) == 0 {
			continue
		}
		if more, no := do(b); no != ok || !more {
			return no
		}
	}
	return ok
}

func fdRead(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	switch {
	case !found || d.stdio > 1:
		return eBadf
	case d.dir:
		return eIsdir
	}
	total := 0
	no := vectors(g, p[1], p[2], func(b []byte) (bool, errno) {
		if d.stdio == 1 {
			n := copy(b, s.stdin)
			s.stdin = s.stdin[n:]
			total += n
			return n == len(b), ok
		}
		n, no := s.read(d, b, d.pos)
		d.pos += int64(n)
		total += n
		return n == len(b), no
	})
	if no != ok {
		return no
	}
	return g.put32(p[3], uint32(total))
}

// read reads from a file; 0 bytes are its end.
func (s *session) read(d *desc, b []byte, off int64) (int, errno) {
	n, err := d.file.readAt(b, off)
	if err == io.EOF {
		err = nil
	}
	return n, s.errnoOf(err, d, d.path)
}

func fdPread(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	switch {
	case !found:
		return eBadf
	case d.stdio > 0:
		return eSpipe
	case d.dir:
		return eIsdir
	case int64(p[3]) < 0:
		return eInval
	}
	total := int64(0)
	no := vectors(g, p[1], p[2], func(b []byte) (bool, errno) {
		n, no := s.read(d, b, int64(p[3])+total)
		total += int64(n)
		return n == len(b), no
	})
	if no != ok {
		return no
	}
	return g.put32(p[4], uint32(total))
}

func fdWrite(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	if !found || d.stdio == 1 {
		return eBadf
	}
	total := 0
	no := vectors(g, p[1], p[2], func(b []byte) (bool, errno) {
		total += len(b)
		switch d.stdio {
		case 2:
			return true, s.writeOut(b)
		case 3:
			return true, s.writeLog(b)
		}
		if d.append && d.file != nil {
			d.pos = d.file.size()
		}
		no := s.write(d, b, d.pos)
		d.pos += int64(len(b))
		return true, no
	})
	if no != ok {
		return no
	}
	return g.put32(p[3], uint32(total))
}

func (s *session) writeOut(b []byte) errno {
	if int64(s.stdout.Len()+len(b)) > s.call.MaxStdout {
		s.limit("standard output", s.call.MaxStdout, "bytes")
	}
	s.stdout.Write(b)
	return ok
}

func (s *session) writeLog(b []byte) errno {
	if err := s.log.write(b); err != nil {
		s.stop(fmt.Errorf("cannot keep its log: %w", err))
	}
	return ok
}

func (s *session) write(d *desc, b []byte, off int64) errno {
	w, can := d.file.(writable)
	switch {
	case d.dir:
		return eIsdir
	case !can || !d.write:
		return eBadf
	}
	return s.errnoOf(w.writeAt(b, off), d, d.path)
}

func fdPwrite(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	switch {
	case !found:
		return eBadf
	case d.stdio > 0:
		return eSpipe
	case int64(p[3]) < 0:
		return eInval
	}
	total := int64(0)
	no := vectors(g, p[1], p[2], func(b []byte) (bool, errno) {
		no := s.write(d, b, int64(p[3])+total)
		total += int64(len(b))
		return true, no
	})
	if no != ok {
		return no
	}
	return g.put32(p[4], uint32(total))
}

func fdSeek(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	switch {
	case !found:
		return eBadf
	case d.stdio > 0:
		return eSpipe
	case d.dir:
		return eIsdir
	}
	off := int64(p[1])
	switch uint32(p[2]) {
	case 0:
	case 1:
		off += d.pos
	case 2:
		off += d.file.size()
	default:
		return eInval
	}
	if off < 0 {
		return eInval
	}
	d.pos = off
	return g.put64(p[3], uint64(off))
}

func fdTell(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	switch {
	case !found:
		return eBadf
	case d.stdio > 0:
		return eSpipe
	}
	return g.put64(p[1], uint64(d.pos))
}

func fdClose(s *session, _ guest, p []uint64) errno { return s.files.drop(p[0]) }

func fdRenumber(s *session, _ guest, p []uint64) errno {
	from, found := s.files.get(p[0])
	to, taken := s.files.get(p[1])
	switch {
	case !found || !taken:
		return eBadf
	case from.top != "" || to.top != "" || from.stdio > 0 || to.stdio > 0:
		return eNotsup
	case from == to:
		return ok
	}
	to.close()
	s.files.all[uint32(p[1])] = from
	s.files.all[uint32(p[0])] = nil
	s.files.open--
	return ok
}

// fdNothing is for calls that ask for nothing a guest could notice.
func fdNothing(s *session, _ guest, p []uint64) errno {
	if _, found := s.files.get(p[0]); !found {
		return eBadf
	}
	return ok
}

// early gives the descriptors every instance starts with, before its call.
func (s *session) early(fd uint64) (*desc, bool) {
	n := int(uint32(fd))
	switch {
	case s.isBound:
		return s.files.get(fd)
	case n < firstMount:
		return &desc{stdio: n + 1}, true
	case n < firstMount+len(mounts):
		return &desc{top: mounts[n-firstMount], dir: true, path: "."}, true
	}
	return nil, false
}

func fdFdstatGet(s *session, g guest, p []uint64) errno {
	d, found := s.early(p[0])
	if !found {
		return eBadf
	}
	b, inside := g.area(p[1], 24)
	if !inside {
		return eFault
	}
	clear(b)
	switch {
	case d.stdio > 0:
		b[0] = typeChar
	case d.dir:
		b[0] = typeDir
	default:
		b[0] = typeRegular
	}
	if d.append {
		b[2] = 1
	}
	le.PutUint64(b[8:], 1<<30-1)
	le.PutUint64(b[16:], 1<<30-1)
	return ok
}

func fdSetFlags(s *session, _ guest, p []uint64) errno {
	d, found := s.early(p[0])
	if !found {
		return eBadf
	}
	d.append = p[1]&1 != 0
	return ok
}

func fdPrestatGet(s *session, g guest, p []uint64) errno {
	d, found := s.early(p[0])
	if !found || d.top == "" {
		return eBadf
	}
	return g.put64(p[1], uint64(len(d.top))<<32)
}

func fdPrestatDirName(s *session, g guest, p []uint64) errno {
	d, found := s.early(p[0])
	switch {
	case !found || d.top == "":
		return eBadf
	case uint32(p[2]) < uint32(len(d.top)):
		return eNametoolong
	case !g.WriteString(uint32(p[1]), d.top):
		return eFault
	}
	return ok
}

func fdFilestatGet(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	if !found {
		return eBadf
	}
	st, err := d.stat()
	if err != nil {
		return s.errnoOf(err, d, d.path)
	}
	if d.stdio == 1 { // so that a reader of the whole file can allocate at once
		st.size = int64(len(s.stdin))
	}
	return putStat(g, p[1], st, d.mount, d.path)
}

// putStat writes a filestat. Times are 0, the same in every run; the inode
// number is made of the name.
func putStat(g guest, ptr uint64, st stat, mount int, path string) errno {
	b, inside := g.area(ptr, 64)
	if !inside {
		return eFault
	}
	clear(b)
	le.PutUint64(b, uint64(mount+1))
	le.PutUint64(b[8:], inode(path))
	b[16] = st.kind
	le.PutUint64(b[24:], 1)
	le.PutUint64(b[32:], uint64(st.size))
	return ok
}

func inode(path string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, path)
	return h.Sum64() | 1
}

func fdSetSize(s *session, _ guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	if !found {
		return eBadf
	}
	w, can := d.file.(writable)
	if !can || !d.write || int64(p[1]) < 0 {
		return eInval
	}
	return s.errnoOf(w.truncate(int64(p[1])), d, d.path)
}

// maxListed is how many entries of folders being read are cached, all
// descriptors together, before they are read again.
const maxListed = 100_000

// forgetLists frees memory: a folder of a pushed tree may have a million entries,
// and each descriptor could hold a list of them.
func (f *files) forgetLists() {
	total := 0
	for _, d := range f.all {
		if d != nil {
			total += len(d.listed)
		}
	}
	for _, d := range f.all {
		if d != nil && total > maxListed {
			d.listed = nil
		}
	}
}

// fdReaddir writes entries from the cookie on; the last one may be cut off.
func fdReaddir(s *session, g guest, p []uint64) errno {
	d, found := s.files.get(p[0])
	switch {
	case !found:
		return eBadf
	case !d.dir:
		return eNotdir
	}
	buf, inside := g.area(p[1], p[2])
	if !inside {
		return eFault
	}
	cookie := p[3]
	if d.listed == nil || cookie == 0 {
		all, err := d.vol.list(d.path)
		if err != nil {
			return s.errnoOf(err, d, d.path)
		}
		s.files.forgetLists()
		d.listed = append([]entry{{".", typeDir}, {"..", typeDir}}, all...)
	}
	used := 0
	for ; cookie < uint64(len(d.listed)) && used < len(buf); cookie++ {
		used += copy(buf[used:], dirent(d.path, d.listed[cookie], cookie+1))
	}
	return g.put32(p[4], uint32(used))
}

func dirent(dir string, e entry, next uint64) []byte {
	path := e.name
	if dir != "." {
		path = dir + "/" + e.name
	}
	b := make([]byte, 24, 24+len(e.name))
	le.PutUint64(b, next)
	le.PutUint64(b[8:], inode(path))
	le.PutUint32(b[16:], uint32(len(e.name)))
	b[20] = e.kind
	return append(b, e.name...)
}
