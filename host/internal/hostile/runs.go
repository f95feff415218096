package hostile

import "slices"

// stopped is the error of a module that was ended: it reached its limit of fuel or
// of time, whichever comes first on this machine.
const stopped = `^plugin "[a-z0-9-]+" was stopped: (more than \d+ units of fuel|it reached its time limit)`

// tooDeep is how a recursion without an end has to end.
const tooDeep = `broke: .*stack overflow`

// loops use unlimited time, or the whole stack.
func loops() []Attack {
	before := func(m module) func() []byte { m.start = op(0); return m.bytes }
	return []Attack{
		{ID: "spin", About: "a loop without an end", Module: running(forever()), Want: stopped, Kind: Stopped},
		{ID: "spin-in-start", About: "a loop in the start function, before anyone calls it",
			Module: before(minimal().with(forever())), Want: stopped, Kind: Stopped},
		{ID: "spin-br-table", About: "a loop by way of a table of branches",
			Module: running(op(0x03, 0x40), i32(0), op(0x0e, 1, 0, 0), op(0x0b)), Want: stopped, Kind: Stopped},
		{ID: "spin-br-if", About: "a loop that only might go on", Module: running(while(i32(1))), Want: stopped,
			Kind: Stopped},
		{ID: "spin-long", About: "a loop around 900 KiB of straight code",
			Module: running(forever(times(300_000, i32(0), drop()))), Want: stopped, Kind: Stopped},
		{ID: "calls-2-60", About: "2^60 calls without a loop", Module: func() []byte { return fan(60, 1) }, Want: stopped,
			Kind: Stopped},
		{ID: "calls-long-leaf", About: "a million calls a loop of a function that is long and calls nothing",
			Module: func() []byte {
				m := minimal().with(forever(call(1)))
				m.funcs, m.bodies = op(0, 0), append(m.bodies, body(nil, times(250_000, i32(0), drop())))
				return m.bytes()
			}, Want: stopped, Kind: Stopped},
		{ID: "calls-small-leaf", About: "calls of functions too small to be charged, 20,000 in a row and again",
			Module: func() []byte {
				m := minimal().with(forever(times(20_000, call(1))))
				m.funcs, m.bodies = op(0, 0), append(m.bodies, body(nil, times(40, i32(0), drop())))
				return m.bytes()
			}, Want: stopped, Kind: Stopped},
		{ID: "recursion", About: "a function that calls itself", Module: running(call(0)), Want: tooDeep, Kind: Broken},
		{ID: "recursion-in-start", About: "the same before anyone calls it", Module: before(minimal().with(call(0))),
			Want: tooDeep, Kind: Broken},
		{ID: "recursion-mutual", About: "two functions that call each other", Module: func() []byte {
			m := minimal().with(call(1))
			m.funcs, m.bodies = op(0, 0), append(m.bodies, body(nil, call(0)))
			return m.bytes()
		}, Want: tooDeep, Kind: Broken},
		{ID: "recursion-indirect", About: "a function that calls itself through a table", Module: changed(func(m *module) {
			m.tables, m.elements = [][]byte{{0x70, 0, 1}}, [][]byte{seq(op(0), i32(0), op(0x0b, 1, 0))}
			*m = m.with(i32(0), callIndirect(0))
		}), Want: tooDeep, Kind: Broken},
		{ID: "recursion-wide", About: "a recursion with 4,000 values alive in every frame",
			Module: func() []byte { return wide(4000, 'I') }, Want: tooDeep, Kind: Broken},
		{ID: "recursion-wide-vectors", About: "the same with vectors, twice the size",
			Module: func() []byte { return wide(4000, 'v') }, Want: tooDeep, Kind: Broken},
		{ID: "recursion-operands", About: "a recursion with 30,000 operands waiting in every frame", Module: func() []byte {
			const n = 30_000
			return minimal().with(i32(0), times(n, i32(8), op(0x28, 2, 0)), call(0), times(n-1, add()), op(0x36, 2, 0)).bytes()
		}, Want: tooDeep, Kind: Broken},
		{ID: "recursion-parameters", About: "a recursion with 250 parameters and results", Module: func() []byte {
			m := minimal()
			m.types = append(m.types, funcType(letters('I', 250), letters('I', 250)))
			var all []byte
			for i := range 250 {
				all = append(all, get(i)...)
			}
			m.funcs, m.bodies = op(0, 1), [][]byte{body(nil, times(250, i64(7)), call(1), times(250, drop())),
				body(nil, all, call(1))}
			return m.bytes()
		}, Want: tooDeep, Kind: Broken},
	}
}

// fan is n functions, each of which calls the next one twice.
func fan(n, calls int) []byte {
	m := minimal()
	m.funcs, m.bodies = make([]byte, n+1), nil
	for i := range n {
		m.bodies = append(m.bodies, body(nil, times(calls, call(i+1), call(i+1))))
	}
	m.bodies = append(m.bodies, body(nil))
	return m.bytes()
}

// wide calls itself while n locals wait to be used.
func wide(n int, typ byte) []byte {
	load := map[byte][]byte{'I': seq(i32(0), op(0x29, 3, 0)), 'v': seq(i32(0), op(0xfd, 0, 4, 0))}[typ]
	store := map[byte][]byte{'I': op(0x37, 3, 0), 'v': op(0xfd, 11, 4, 0)}[typ]
	var code []byte
	for i := range n {
		code = append(code, seq(load, set(i))...)
	}
	code = append(code, call(0)...)
	for i := range n {
		code = append(code, seq(i32(0), get(i), store)...)
	}
	m := minimal()
	m.bodies[0] = body(slices.Concat(op(1), u32(uint32(n)), valTypes(string(typ))[0]), code)
	return m.bytes()
}

func letters(c byte, n int) string { return string(slices.Repeat([]byte{c}, n)) }

// memories use unlimited memory, or make the machine copy without being charged.
func memories() []Attack {
	const size = 60 << 20
	work := func(segments [][]byte, code ...[]byte) func() []byte {
		return changed(func(m *module) {
			m.memories = [][]byte{seq(op(0), u32(size>>16))}
			if m.data = segments; segments != nil {
				m.dataCount = op(byte(len(segments)))
			}
			*m = m.with(code...)
		})
	}
	grown := func(pages int64, then ...[]byte) []byte {
		return forever(seq(i32(pages), grow(), i32(-1), op(0x46)), when(seq(then...)))
	}
	return []Attack{
		{ID: "grow-by-page", About: "memory grown page by page until there is none", Module: running(grown(1, trap())),
			Want: `broke: unreachable, after it was refused more than 64 MiB of memory`, Kind: Broken},
		{ID: "grow-at-once", About: "all of 4 GiB at once", Module: running(grown(65_535, trap())),
			Want: `broke: unreachable, after it was refused more than 64 MiB of memory`, Kind: Broken},
		{ID: "grow-for-ever", About: "asking for more again and again", Module: running(grown(1)), Want: stopped,
			Kind: Stopped},
		{ID: "grow-negative", About: "growing by 2^32-1 pages, which is -1",
			Module: running(i32(-1), grow(), i32(-1), op(0x47), when(trap())), Want: `^exit 0`, Kind: Harmless},
		{ID: "grow-and-touch", About: "every page that is given is written to", Module: running(
			forever(i32(1), grow(), i32(-1), op(0x46), when(trap()), op(0x3f, 0), i32(1), op(0x6b), i32(16), op(0x74), i32(1),
				op(0x36, 2, 0))),
			Want: `broke: unreachable, after it was refused more than 64 MiB of memory`, Kind: Broken},
		{ID: "fill-loop", About: "memory.fill of 60 MiB again and again",
			Module: work(nil, forever(i32(0), i32(1), i32(size), memoryFill())), Want: stopped, Kind: Stopped},
		{ID: "copy-loop", About: "memory.copy of 30 MiB over itself again and again",
			Module: work(nil, forever(i32(1), i32(0), i32(size/2), memoryCopy())), Want: stopped, Kind: Stopped},
		{ID: "init-loop", About: "memory.init of 1 MiB again and again",
			Module: work([][]byte{seq(op(1), sized(make([]byte, 1<<20)))}, forever(i32(0), i32(0), i32(1<<20), memoryInit(0))),
			Want:   stopped, Kind: Stopped},
		{ID: "fill-straight", About: "memory.fill of 60 MiB, 3,000 times in straight code",
			Module: work(nil, times(3000, i32(0), i32(1), i32(size), memoryFill())), Want: stopped, Kind: Stopped},
		{ID: "fill-outside", About: "memory.fill beyond the end",
			Module: work(nil, i32(size-1), i32(1), i32(2), memoryFill()), Want: `broke: out of bounds memory access`,
			Kind: Broken},
		{ID: "fill-wrapped", About: "memory.fill whose end wraps around 2^32",
			Module: work(nil, i32(-1), i32(1), i32(2), memoryFill()), Want: `broke: out of bounds memory access`, Kind: Broken},
		{ID: "init-outside", About: "memory.init from beyond a segment's end",
			Module: work([][]byte{{1, 1, 'x'}}, i32(0), i32(1), i32(1), memoryInit(0)),
			Want:   `broke: out of bounds memory access`, Kind: Broken},
		{ID: "init-dropped", About: "memory.init from a segment that was dropped",
			Module: work([][]byte{{1, 1, 'x'}}, bulk(9, 0), i32(0), i32(0), i32(1), memoryInit(0)),
			Want:   `broke: out of bounds memory access`, Kind: Broken},
		{ID: "load-outside", About: "a load at 2^32-1 with an offset of 2^32-1",
			Module: running(i32(-1), op(0x28, 2), most(), drop()), Want: `broke: out of bounds memory access`, Kind: Broken},
		{ID: "store-outside", About: "a store one byte too far", Module: running(i32(65_533), i32(1), op(0x36, 2, 0)),
			Want: `broke: out of bounds memory access`, Kind: Broken},
		{ID: "vector-outside", About: "a vector store one byte too far",
			Module: running(i32(65_521), op(0xfd, 12), make([]byte, 16), op(0xfd, 11, 4, 0)),
			Want:   `broke: out of bounds memory access`, Kind: Broken},
		{ID: "data-outside", About: "a data segment beyond the memory", Module: changed(func(m *module) {
			m.data = [][]byte{seq(op(0), i32(65_535), op(0x0b, 2, 1, 2))}
		}), Want: `broke: .*out of bounds memory access`, Kind: Broken},
		{ID: "data-negative", About: "a data segment at -1", Module: changed(func(m *module) {
			m.data = [][]byte{seq(op(0), i32(-1), op(0x0b, 1, 1))}
		}), Want: `broke: .*out of bounds memory access`, Kind: Broken},
		{ID: "data-overlapping", About: "20,000 data segments over each other, the last of them outside",
			Module: changed(func(m *module) {
				m.data = append(slices.Repeat([][]byte{seq(op(0), i32(0), op(0x0b), sized(make([]byte, 1024)))}, 20_000),
					seq(op(0), i32(65_536), op(0x0b, 1, 1)))
			}), Want: `broke: .*out of bounds memory access`, Kind: Broken},
	}
}

// tables hold references: 8 bytes of the host's for each, that no limit of
// memory counts.
func tables() []Attack {
	table := func(min uint32, code ...[]byte) func() []byte {
		return changed(func(m *module) {
			m.tables = [][]byte{seq(op(0x70, 0), u32(min)), {0x6f, 0, 0}}
			m.elements = [][]byte{{1, 0, 1, 0}}
			*m = m.with(code...)
		})
	}
	return []Attack{
		{ID: "table-grow-400m", About: "a table grown by 400 million entries",
			Module: table(1, refNull(), i32(400_000_000), tableGrow(), i32(-1), op(0x47), when(trap())), Want: `^exit 0`,
			Kind: Harmless},
		{ID: "table-grow-by-one", About: "a table grown one by one for ever",
			Module: table(0, forever(refNull(), i32(1), tableGrow(), drop())), Want: stopped, Kind: Stopped},
		{ID: "table-grow-host", About: "a table of host references grown for ever",
			Module: table(0, forever(op(0xd0, 0x6f), i32(1<<16), bulk(15, 1), drop())), Want: stopped, Kind: Stopped},
		{ID: "table-fill-loop", About: "table.fill of a million entries again and again",
			Module: table(1<<20, forever(i32(0), refNull(), i32(1<<20), tableFill())), Want: stopped, Kind: Stopped},
		{ID: "table-copy-loop", About: "table.copy of a million entries again and again",
			Module: table(1<<20, forever(i32(0), i32(0), i32(1<<20), tableCopy())), Want: stopped, Kind: Stopped},
		{ID: "table-init-loop", About: "table.init again and again",
			Module: table(1<<20, forever(i32(0), i32(0), i32(1), tableInit(0))), Want: stopped, Kind: Stopped},
		{ID: "table-outside", About: "table.fill beyond the end", Module: table(1, i32(1), refNull(), i32(1), tableFill()),
			Want: `broke: invalid table access`, Kind: Broken},
		{ID: "table-init-outside", About: "table.init from beyond a segment's end",
			Module: table(1, i32(0), i32(0), i32(2), tableInit(0)), Want: `broke: invalid table access`, Kind: Broken},
		{ID: "call-null", About: "an indirect call of nothing", Module: table(1, i32(0), callIndirect(0)),
			Want: `broke: invalid table access`, Kind: Broken},
		{ID: "call-outside", About: "an indirect call beyond the table", Module: table(1, i32(-1), callIndirect(0)),
			Want: `broke: invalid table access`, Kind: Broken},
		{ID: "call-other-type", About: "an indirect call with another signature", Module: changed(func(m *module) {
			m.types = append(m.types, funcType("iiii", "I"))
			m.tables, m.elements = [][]byte{{0x70, 0, 1}}, [][]byte{seq(op(0), i32(0), op(0x0b, 1, 0))}
			*m = m.with(i32(1), i32(2), i32(3), i32(4), i32(0), callIndirect(1), drop())
		}), Want: `broke: indirect call type mismatch`, Kind: Broken},
		{ID: "elements-outside", About: "an element segment beyond the table: nothing is put in",
			Module: changed(func(m *module) {
				m.tables, m.elements = [][]byte{{0x70, 0, 1}}, [][]byte{seq(op(0), i32(1), op(0x0b, 1, 0))}
			}), Want: `^exit 0:$|invalid table access`, Kind: Harmless},
		{ID: "elements-of-numbers", About: "a table filled from a global that holds a number",
			Module: changed(func(m *module) {
				m.tables, m.globals = [][]byte{{0x70, 0, 1}}, [][]byte{seq(op(0x7e, 0), i64(0x41414141), op(0x0b))}
				m.elements = [][]byte{seq(op(4), i32(0), op(0x0b, 1, 0x23, 0, 0x0b))}
				*m = m.with(i32(0), callIndirect(0))
			}), Want: `it is not valid: `, Kind: Refused},
		{ID: "tables-16-grown", About: "16 tables, each grown as far as it goes", Module: changed(func(m *module) {
			var code []byte
			m.tables = slices.Repeat([][]byte{{0x70, 0, 1}}, 16)
			for i := range 16 {
				code = append(code, while(refNull(), i32(1000), bulk(15, byte(i)), i32(-1), op(0x47))...)
			}
			*m = m.with(code)
		}), Want: `^exit 0|was stopped`, Kind: Harmless},
	}
}
