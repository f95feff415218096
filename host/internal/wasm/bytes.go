package wasm

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// reader walks over bytes of a module. The first fault stays and makes every
// further read give zero, so that callers look at err once.
type reader struct {
	data []byte // the whole module
	pos  int
	end  int // where this part of the module ends
	err  error
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &FormatError{Msg: fmt.Sprintf(format, args...)}
	}
	r.pos = r.end
}

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.fail("it ends in the middle of something at byte %d", r.pos)
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	return b
}

// skip passes over n bytes.
func (r *reader) skip(n int) {
	if n < 0 || n > r.left() {
		r.fail("it ends in the middle of something at byte %d", r.pos)
		return
	}
	r.pos += n
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.fail("a number at byte %d is too long", r.pos)
	return 0
}

// leb passes over a signed or unsigned LEB128 number of at most max bytes.
func (r *reader) leb(max int) {
	for range max {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail("a number at byte %d is too long", r.pos)
}

// count reads the length of a vector, each element of which takes at least one
// byte: a length that the module has no bytes for is a lie.
func (r *reader) count(what string, limit int) int {
	n := r.u32()
	if int64(n) > int64(r.left()) {
		r.fail("it claims %d %s in %d bytes", n, what, r.left())
		return 0
	}
	if int(n) > limit {
		r.fail("it has %d %s, at most %d are allowed", n, what, limit)
		return 0
	}
	return int(n)
}

// name reads a name.
func (r *reader) name() string {
	n := r.u32()
	if int64(n) > int64(r.left()) {
		r.fail("a name at byte %d claims %d bytes of %d", r.pos, n, r.left())
		return ""
	}
	if n > maxName {
		r.fail("a name at byte %d is %d bytes long, at most %d are allowed", r.pos, n, maxName)
		return ""
	}
	s := string(r.data[r.pos : r.pos+int(n)])
	r.pos += int(n)
	if !utf8.ValidString(s) {
		r.fail("a name at byte %d is not UTF-8", r.pos-int(n))
	}
	return s
}

// section is one section's place in a module.
type section struct {
	id    byte
	name  string // of a custom section
	start int    // of the id byte
	body  int    // of its content, behind a custom section's name
	end   int
}

var (
	coreHeader      = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	componentHeader = []byte{0, 'a', 's', 'm', 0x0d, 0, 1, 0}
)

// order is the order of the known sections in a module, by id: the data count is
// before the code.
var order = [...]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 12: 10, 10: 11, 11: 12}

// split finds a module's sections. Their sizes and order are right afterwards,
// what is in them is not looked at.
func split(module []byte) ([]section, error) {
	if err := header(module); err != nil {
		return nil, err
	}
	r := &reader{data: module, pos: 8, end: len(module)}
	var all []section
	last := 0
	for r.err == nil && r.left() > 0 {
		s := section{start: r.pos}
		s.id = r.byte()
		size := r.u32()
		if int64(size) > int64(r.left()) {
			r.fail("section %d claims %d bytes of %d", s.id, size, r.left())
		}
		s.body, s.end = r.pos, r.pos+int(size)
		if s.id == 0 && r.err == nil {
			in := &reader{data: module, pos: s.body, end: s.end}
			s.name = in.name()
			s.body, r.err = in.pos, in.err
		} else if r.err == nil {
			last = sectionOrder(r, s.id, last)
		}
		r.skip(int(size))
		if all = append(all, s); len(all) > maxSections {
			r.fail("it has more than %d sections", maxSections)
		}
	}
	return all, r.err
}

func sectionOrder(r *reader, id byte, last int) int {
	if int(id) >= len(order) {
		r.fail("it has a section of unknown kind %d", id)
		return last
	}
	if order[id] == last {
		r.fail("it has section %d twice", id)
	} else if order[id] < last {
		r.fail("section %d is out of order", id)
	}
	return order[id]
}

func header(module []byte) error {
	switch {
	case bytes.HasPrefix(module, coreHeader):
		return nil
	case bytes.HasPrefix(module, componentHeader):
		return &FormatError{Msg: "it is a WebAssembly component, a plugin is a core module",
			Help: "build for wasip1 (Go: GOOS=wasip1 GOARCH=wasm; Rust: --target wasm32-wasip1)"}
	case bytes.HasPrefix(module, coreHeader[:4]) && len(module) >= 8:
		return &FormatError{Msg: fmt.Sprintf("it is WebAssembly of version % x, this host reads version 1", module[4:8])}
	case len(module) == 0:
		return &FormatError{Msg: "it is empty"}
	}
	return &FormatError{Msg: "it is not a WebAssembly module"}
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// appendS64 writes a signed LEB128 number.
func appendS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}

func appendSection(b []byte, id byte, body []byte) []byte {
	return append(appendU32(append(b, id), uint32(len(body))), body...)
}
