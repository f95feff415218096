package wasm

// body is one function's code as it is walked over: what it does is found out
// and where the host has to be asked is noted.
type body struct {
	f      *facts
	r      *reader
	locals int // parameters included

	nest    []int // region that each open block belongs to
	current int   // region now
	regions []int // bytes of straight code: of the function, then of each loop
	edits   []edit
	moves   []move // what rewrite kept

	calls    bool // it calls functions
	bulk     bool // it needs the scratch local
	branches int
	weight   int // what it takes to compile, about KiB
}

// edit is a position where metering code is inserted.
type edit struct {
	pos    int
	region int  // whose cost is charged; bulk: -1
	shift  byte // of bulk: cost is the operand >> shift
}

// hostCallCost is what a call of a function that is imported counts for, in
// bytes of code.
const hostCallCost = 512

// read walks over one function: declarations of locals, then code to the last
// end. The room that another one took is used again.
func (b *body) read(r *reader, f *facts, params int) {
	*b = body{f: f, r: r, locals: params, nest: b.nest[:0], regions: append(b.regions[:0], 0), edits: b.edits[:0],
		moves: b.moves[:0]}
	for range r.count("groups of locals", maxLocals) {
		n := r.u32()
		readValType(r)
		if int64(b.locals)+int64(n) > maxLocals {
			r.fail("a function at byte %d has more than %d locals", r.pos, maxLocals)
			return
		}
		b.locals += int(n)
	}
	b.edits = append(b.edits, edit{pos: r.pos})
	b.nest = append(b.nest, 0)
	for r.err == nil && len(b.nest) > 0 {
		start := r.pos
		region := b.current
		b.instruction(r.byte(), start)
		b.regions[region] += r.pos - start
	}
	if r.err == nil && r.left() > 0 {
		r.fail("a function has %d bytes behind its end at byte %d", r.left(), r.pos)
	}
	b.weight += (r.end - b.edits[0].pos) / 4
	b.size()
}

// The weight of an operation: some of a byte or two become dozens of instructions and a way out
// of the function.
func weight(op byte) int {
	switch {
	case op == 0x11: // call_indirect
		return 14
	case op == 0x02, op == 0x03, op == 0x04, op >= 0xa8 && op <= 0xb1, op == 0xfd: // blocks, truncation, vectors
		return 8
	// tables, memory, division
	case op >= 0x25 && op <= 0x40 && op != 0x3f, op >= 0x6d && op <= 0x70, op >= 0x7f && op <= 0x82:
		return 6
	case op == 0x10:
		return 2
	}
	return 0
}

// size refuses what would take long to compile.
func (b *body) size() {
	switch {
	case b.branches > maxBranches:
		b.r.fail("a function that ends at byte %d has %d branches, at most %d are allowed", b.r.end, b.branches, maxBranches)
	case b.weight > maxWeight:
		b.r.fail("a function that ends at byte %d would take too much memory to compile: split it", b.r.end)
	case b.branches*b.locals > maxLocalWork:
		b.r.fail("a function that ends at byte %d has %d branches over %d locals, the product may be %d", b.r.end, b.branches,
			b.locals, maxLocalWork)
	}
}

// instruction reads the operands of one operation.
func (b *body) instruction(op byte, start int) {
	r := b.r
	b.weight += weight(op)
	if op >= 0x02 && op <= 0x11 { // values are carried along
		b.weight += b.f.arity / 4
	}
	switch {
	case op >= 0x02 && op <= 0x0f:
		b.control(op)
	case op == 0x10:
		b.calls = true
		if int(r.index("function", b.f.allFuncs())) < len(b.f.imported) {
			b.regions[b.current] += hostCallCost
		} else {
			b.regions[b.current] += smallLeaf // which is not charged separately
		}
	case op == 0x11:
		b.calls = true
		b.regions[b.current] += smallLeaf
		r.index("type", len(b.f.types))
		r.index("table", len(b.f.tables))
	case op >= 0x20 && op <= 0x22:
		r.index("local", b.locals)
	case op == 0x23 || op == 0x24:
		r.index("global", b.f.globals)
	case op == 0x25 || op == 0x26:
		r.index("table", len(b.f.tables))
	case op >= 0x28 && op <= 0x3e:
		r.u32()
		r.u32()
	case op == 0x3f || op == 0x40:
		r.byte()
		if op == 0x40 {
			b.regions[b.current] += hostCallCost
		}
	case op == 0x1c:
		for range r.count("types", 16) {
			readValType(r)
		}
	case op >= 0x41 && op <= 0x44:
		b.constant(op)
	case op == 0xd0:
		readValType(r)
	case op == 0xd2:
		r.index("function", b.f.allFuncs())
	case op == 0xfc:
		b.bulkOperation(start)
	case op == 0xfd:
		b.vector()
	case op <= 0x01, op == 0x1a, op == 0x1b, op >= 0x45 && op <= 0xc4, op == 0xd1:
	default:
		r.fail("it uses operation %#02x at byte %d, which this host does not support", op, start)
	}
}

func (b *body) constant(op byte) {
	switch op {
	case 0x41:
		b.r.leb(5)
	case 0x42:
		b.r.leb(10)
	case 0x43:
		b.r.skip(4)
	case 0x44:
		b.r.skip(8)
	}
}

// control reads blocks and branches.
func (b *body) control(op byte) {
	r := b.r
	switch op {
	case 0x02, 0x03, 0x04:
		b.open(op)
	case 0x05:
	case 0x0b:
		b.current = b.nest[len(b.nest)-1]
		b.nest = b.nest[:len(b.nest)-1]
	case 0x0c, 0x0d:
		r.index("label", len(b.nest))
		b.branches++
	case 0x0e:
		n := r.count("branches of a table", maxBrTable)
		for range n + 1 {
			r.index("label", len(b.nest))
		}
		b.branches += 1 + n/16
		b.weight += n * (2 + b.f.arity/5)
	case 0x0f:
		b.branches++
	default:
		r.fail("it uses operation %#02x at byte %d, which this host does not support", op, r.pos-1)
	}
}

// open begins a block, loop or if. nest remembers the region to go back to.
func (b *body) open(op byte) {
	r := b.r
	switch t := r.byte(); {
	case t == 0x40 || t >= 0x7b && t <= 0x7f || t == 0x70 || t == 0x6f:
	case t&0xc0 == 0x40:
		r.fail("a block at byte %d has an unknown type", r.pos)
	default: // a signed number that is the index of a type
		r.pos--
		at := r.pos
		r.leb(5)
		if index, fine := positive(r.data[at:r.pos]); !fine || index >= int64(len(b.f.types)) {
			r.fail("a block at byte %d has a type that does not exist", at)
		}
	}
	b.branches++
	if b.nest = append(b.nest, b.current); len(b.nest) > maxNesting {
		r.fail("it nests blocks deeper than %d at byte %d", maxNesting, r.pos)
	}
	if op == 0x03 {
		b.current = len(b.regions)
		b.regions = append(b.regions, 0)
		b.edits = append(b.edits, edit{pos: r.pos, region: b.current})
		b.branches += 3 // the one that meter adds, and the way back
	}
}

// positive reads a signed LEB128 number that must not be negative.
func positive(leb []byte) (int64, bool) {
	var v int64
	for i, c := range leb {
		v |= int64(c&0x7f) << (7 * i)
	}
	return v, leb[len(leb)-1]&0x40 == 0
}

// bulkOperation reads the operations after 0xfc. Those that work on a given number
// of bytes are charged by that number.
func (b *body) bulkOperation(start int) {
	r := b.r
	op := r.u32()
	shift := byte(0)
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		return
	case 8: // memory.init
		r.u32()
		r.byte()
		shift = 4
	case 9, 13: // data.drop, elem.drop
		r.u32()
		return
	case 10: // memory.copy
		r.byte()
		r.byte()
		shift = 4
	case 11: // memory.fill
		r.byte()
		shift = 4
	case 12: // table.init
		r.u32()
		r.index("table", len(b.f.tables))
		shift = 1
	case 14: // table.copy
		r.index("table", len(b.f.tables))
		r.index("table", len(b.f.tables))
		shift = 1
	case 15, 17: // table.grow, table.fill
		r.index("table", len(b.f.tables))
		shift = 1
	case 16: // table.size
		r.index("table", len(b.f.tables))
		return
	default:
		r.fail("it uses operation 0xfc %d at byte %d, which this host does not support", op, start)
		return
	}
	b.bulk = true
	b.branches += 3 // the one that meter adds, and those of its bounds
	b.weight += 45
	b.edits = append(b.edits, edit{pos: start, region: -1, shift: shift})
}

// vector reads the 128-bit operations behind 0xfd.
func (b *body) vector() {
	r := b.r
	switch op := r.u32(); {
	case op <= 11 || op == 92 || op == 93:
		r.u32()
		r.u32()
	case op == 12 || op == 13:
		r.skip(16)
	case op >= 21 && op <= 34:
		r.skip(1)
	case op >= 84 && op <= 91:
		r.u32()
		r.u32()
		r.skip(1)
	case op > 255:
		r.fail("it uses operation 0xfd %d at byte %d, which this host does not support", op, r.pos)
	}
}
