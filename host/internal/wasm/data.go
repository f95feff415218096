package wasm

// mergeGap is how many zero bytes are put between two data segments to make
// them one.
const mergeGap = 64

// mergeData writes the data section with neighbouring segments joined. Go's
// linker makes thousands of small ones, and setting each up takes most of an
// instance's start. It gives nil when the segments are not all plain, in
// order and apart from each other, or may be used by memory.init.
func mergeData(module []byte, s section, f *facts) []byte {
	for _, other := range f.sections {
		if other.id == 12 {
			return nil
		}
	}
	r := &reader{data: module, pos: s.body, end: s.end}
	var body []byte // of the segment that grows
	var out []byte
	start, end, made := int64(0), int64(-1), uint32(0)
	flush := func() {
		if end < 0 {
			return
		}
		out = appendS64(append(out, 0, 0x41), int64(int32(start)))
		out = appendU32(append(out, 0x0b), uint32(len(body)))
		out = append(out, body...)
		made++
	}
	for range r.count("data segments", maxSegments) {
		at, fine := plainSegment(r)
		if !fine || at < end {
			return nil
		}
		n := int(r.u32())
		if end < 0 || at-end > mergeGap {
			flush()
			start, body = at, body[:0]
		} else {
			body = append(body, make([]byte, at-end)...)
		}
		body = append(body, module[r.pos:r.pos+n]...)
		r.skip(n)
		end = at + int64(n)
	}
	flush()
	if r.err != nil {
		return nil
	}
	return append(appendU32(nil, made), out...)
}

// plainSegment reads the head of a segment that goes to a constant place of
// the memory.
func plainSegment(r *reader) (at int64, fine bool) {
	if r.u32() != 0 || r.byte() != 0x41 {
		return 0, false
	}
	from := r.pos
	r.leb(5)
	if r.err != nil {
		return 0, false
	}
	var v int64
	for i, c := range r.data[from:r.pos] {
		v |= int64(c&0x7f) << (7 * i)
		if c&0xc0 == 0x40 { // the last byte of a negative number
			v |= -1 << (7 * (i + 1))
		}
	}
	return int64(uint32(v)), r.byte() == 0x0b
}
