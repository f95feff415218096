package wasm

import (
	"slices"
)

// Metering. wazero's own way to stop a running module leaves compiled code at
// every loop and call and makes modules five to ten times slower. Instead the
// module is changed before it is compiled: it gets a counter (a global at the
// end) and a function __lane_tick (at the end), and at the head of every loop
// and of every function that calls others or is long it takes the length of
// the code ahead off the counter. Below zero it calls __lane_tick, which fills
// the counter up; a listener on that one function is where the host looks at
// the clock, the context and the budget, and stops the module if need be.
//
// Only what is added at the end gets new numbers, so nothing else changes.
// For the same reason the original may not use numbers beyond its own: check
// and readBody see to that, else it could name the counter and fill it itself.

const (
	tickName = "__lane_tick"
	// fuelSlice is how many units lie between two ticks: below a
	// millisecond of work.
	fuelSlice = 1 << 16
	// fuelUnit is how many bytes of code make a unit.
	fuelUnit = 16
	// smallLeaf is the length in bytes of functions without loops and calls
	// that are not charged themselves: their callers are.
	smallLeaf = 128
)

// meter checks the function bodies and gives the module with its meter. The
// tick is its last function.
func meter(module []byte, f *facts) ([]byte, error) {
	code, err := meterCode(module, f, nil)
	if err != nil {
		return nil, err
	}
	added := map[byte][]byte{
		1:  {0x60, 1, 0x7e, 0},                                        // type: (i64) -> ()
		3:  appendU32(nil, uint32(len(f.types))),                      // function of that type
		6:  append(appendS64([]byte{0x7e, 1, 0x42}, fuelSlice), 0x0b), // global: i64, can change
		10: tickBody(f),
	}
	out := append(make([]byte, 0, len(module)+len(module)/8+64), coreHeader...)
	done := 0
	for _, s := range f.sections {
		if s.id == 0 {
			continue
		}
		for _, id := range []byte{1, 3, 6} { // sections that are missing
			if order[id] > done && order[id] < order[s.id] {
				out = appendSection(out, id, append([]byte{1}, added[id]...))
			}
		}
		done = order[s.id]
		switch content := module[s.body:s.end]; s.id {
		case 4:
			out = appendSection(out, 4, cappedTables(f))
		case 10:
			out = appendSection(out, 10, append(code, added[10]...))
		case 11:
			if merged := mergeData(module, s, f); merged != nil {
				out = appendSection(out, 11, merged)
			} else {
				out = append(out, module[s.start:s.end]...)
			}
		case 1, 3, 6:
			out = appendSection(out, s.id, lengthen(content, added[s.id]))
		default:
			out = append(out, module[s.start:s.end]...)
		}
	}
	out = append(out, nameSection(module, f)...)
	if hasLines(f) {
		out = append(out, oneRow()...)
	}
	return out, nil
}

// lengthen adds an element at the end of a section that is a vector.
func lengthen(content, element []byte) []byte {
	r := &reader{data: content, end: len(content)}
	n := r.u32()
	out := appendU32(make([]byte, 0, len(content)+len(element)+1), n+1)
	return append(append(out, content[r.pos:]...), element...)
}

// cappedTables writes the table section with a maximum for every table: an
// entry is 8 bytes that no limit of memory counts, so what all tables together
// may grow by is shared out.
func cappedTables(f *facts) []byte {
	out := appendU32(nil, uint32(len(f.tables)))
	room := uint32(maxTable)
	for _, t := range f.tables {
		room -= t.min // check has seen to the sum
	}
	for _, t := range f.tables {
		most := t.min + room/uint32(len(f.tables))
		if t.hasMax {
			most = min(most, t.max)
		}
		out = appendU32(append(out, t.kind, 1), t.min)
		out = appendU32(out, most)
	}
	return out
}

// tickBody is the code of __lane_tick: fill the counter up. Its parameter, how
// far below zero the counter was, is for the listener.
func tickBody(f *facts) []byte {
	code := appendS64([]byte{0, 0x42}, fuelSlice)
	code = appendU32(append(code, 0x24), uint32(f.globals))
	code = append(code, 0x0b)
	return append(appendU32(nil, uint32(len(code))), code...)
}

// meterCode checks and rewrites every function body; the result is the code
// section without the last body's place, its count already one higher. Where
// moves is not nil it gets what came from where.
func meterCode(module []byte, f *facts, moves *[]move) ([]byte, error) {
	i := slices.IndexFunc(f.sections, func(s section) bool { return s.id == 10 })
	if i < 0 {
		return nil, &FormatError{Msg: "it has no code"}
	}
	s := f.sections[i]
	r := &reader{data: module, pos: s.body, end: s.end}
	n := r.u32()
	out := appendU32(make([]byte, 0, (s.end-s.body)/8*9+64), n+1)
	effort, weights := 0, 0
	var scratch []byte
	var b body
	for k := range int(n) {
		size := r.u32()
		if int64(size) > int64(r.left()) {
			r.fail("the code of a function claims %d bytes of %d", size, r.left())
		} else if size > maxBody {
			r.fail("the code of a function is %d bytes long, at most %d are allowed", size, maxBody)
		}
		if r.err != nil {
			return nil, r.err
		}
		in := &reader{data: module, pos: r.pos, end: r.pos + int(size)}
		b.read(in, f, len(f.types[f.funcs[k]].params))
		if in.err != nil {
			return nil, in.err
		}
		if effort += b.branches * b.branches; effort > maxEffort {
			return nil, &FormatError{Msg: "it branches so much that compiling it would take too long"}
		}
		if weights += b.weight; weights > maxWeights {
			return nil, &FormatError{Msg: "it has so much code that compiling it would take too long"}
		}
		f.isHeavy = f.isHeavy || b.weight > heavy
		scratch = b.rewrite(scratch[:0], module, r.pos)
		out = appendU32(out, uint32(len(scratch)))
		if moves != nil {
			for _, m := range b.moves {
				*moves = append(*moves, move{to: len(out) + m.to, from: m.from - s.body})
			}
		}
		out = append(out, scratch...)
		r.skip(int(size))
	}
	if r.err == nil && r.left() > 0 {
		r.fail("the code section has %d bytes too many", r.left())
	}
	return out, r.err
}

// rewrite writes the body that begins at start, with its metering code.
func (b *body) rewrite(out, module []byte, start int) []byte {
	first := b.edits[0].pos
	if b.bulk { // one more group of locals, an i32
		r := &reader{data: module, pos: start, end: first}
		groups := r.u32()
		out = appendU32(out, groups+1)
		out = append(out, module[r.pos:first]...)
		out = append(out, 1, 0x7f)
	} else {
		out = append(out, module[start:first]...)
	}
	at := first
	for i, e := range b.edits {
		out = b.keep(out, module, at, e.pos)
		at = e.pos
		switch {
		case e.region < 0:
			out = b.chargeBulk(out, e.shift)
		case i > 0 || b.calls || b.regions[0] > smallLeaf:
			out = b.charge(out, int64(1+b.regions[e.region]/fuelUnit))
		}
	}
	return b.keep(out, module, at, b.r.end)
}

// keep copies original code and notes where it went.
func (b *body) keep(out, module []byte, from, to int) []byte {
	b.moves = append(b.moves, move{to: len(out), from: from})
	return append(out, module[from:to]...)
}

// charge takes a fixed number of units off the counter.
func (b *body) charge(out []byte, units int64) []byte {
	counter := uint32(b.f.globals)
	out = appendU32(append(out, 0x23), counter) // global.get
	out = appendS64(append(out, 0x42), units)   // i64.const
	out = append(out, 0x7d)                     // i64.sub
	out = appendU32(append(out, 0x24), counter) // global.set
	return b.askHost(out)
}

// chargeBulk takes off what the operation that follows will touch: its last
// operand, an i32 on top of the stack, shifted.
func (b *body) chargeBulk(out []byte, shift byte) []byte {
	counter, scratch := uint32(b.f.globals), uint32(b.locals)
	out = appendU32(append(out, 0x22), scratch) // local.tee
	out = appendU32(append(out, 0x23), counter) // global.get
	out = appendU32(append(out, 0x20), scratch) // local.get
	out = append(out, 0xad)                     // i64.extend_i32_u
	out = append(out, 0x42, shift, 0x88)        // i64.const, i64.shr_u
	out = append(out, 0x7d)                     // i64.sub
	out = appendU32(append(out, 0x24), counter) // global.set
	return b.askHost(out)
}

// askHost calls the tick function when the counter is below zero.
func (b *body) askHost(out []byte) []byte {
	counter := uint32(b.f.globals)
	out = appendU32(append(out, 0x23), counter) // global.get
	out = append(out, 0x42, 0, 0x53)            // i64.const 0, i64.lt_s
	out = append(out, 0x04, 0x40)               // if
	out = appendU32(append(out, 0x23), counter) // global.get
	out = appendU32(append(out, 0x10), uint32(b.f.allFuncs()))
	return append(out, 0x0b)
}
