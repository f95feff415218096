package hostile

// meters name what a host adds to a module to measure it: a module that
// reaches the counter is bound by nothing. In the minimal module the first
// free numbers are function 1, global 0, local 0 of _start and type 1.
func meters() []Attack {
	exporting := func(e []byte) func() []byte {
		return changed(func(m *module) { m.exports = append(m.exports, e) })
	}
	table := func(m *module) { m.tables = [][]byte{{0x70, 0, 1}} }
	return []Attack{
		{ID: "meter-call", About: "a call of the function that refills the counter", Module: running(i64(0), call(1)),
			Want: `it uses function 1 of 1`, Kind: Refused},
		{ID: "meter-set", About: "setting the counter", Module: running(i64(1<<62), op(0x24, 0)),
			Want: `it uses global 0 of 0`, Kind: Refused},
		{ID: "meter-set-overlong", About: "setting the counter by a number in more bytes than it needs",
			Module: running(i64(1<<62), op(0x24, 0x80, 0x80, 0)), Want: `it uses global 0 of 0`, Kind: Refused},
		{ID: "meter-read", About: "reading the counter, a clock that is not the same in every run",
			Module: running(op(0x23, 0), drop()), Want: `it uses global 0 of 0`, Kind: Refused},
		{ID: "meter-local", About: "the local that the meter works with", Module: running(get(0), drop()),
			Want: `it uses local 0 of 0`, Kind: Refused},
		{ID: "meter-type", About: "a block of the refilling function's type", Module: running(op(0x02, 1, 0x0b)),
			Want: `has a type that does not exist`, Kind: Refused},
		{ID: "meter-indirect-type", About: "an indirect call with the refilling function's type",
			Module: changed(func(m *module) {
				table(m)
				*m = m.with(i64(0), i32(0), callIndirect(1))
			}), Want: `it uses type 1 of 1`, Kind: Refused},
		{ID: "meter-reference", About: "a reference to the refilling function", Module: running(op(0xd2, 1), drop()),
			Want: `it uses function 1 of 1`, Kind: Refused},
		{ID: "meter-in-table", About: "the refilling function in a table", Module: changed(func(m *module) {
			table(m)
			m.elements = [][]byte{seq(op(0), i32(0), op(0x0b, 1, 1))}
		}), Want: `it uses function 1 of 1`, Kind: Refused},
		{ID: "meter-in-element-code", About: "the refilling function in a table, as an expression",
			Module: changed(func(m *module) {
				table(m)
				m.elements = [][]byte{seq(op(4), i32(0), op(0x0b, 1, 0xd2, 1, 0x0b))}
			}), Want: `it uses function 1 of 1`, Kind: Refused},
		{ID: "meter-in-global", About: "a global that starts as the counter", Module: changed(func(m *module) {
			m.globals = [][]byte{{0x7e, 0, 0x23, 1, 0x0b}}
		}), Want: `it uses global 1 of 0`, Kind: Refused},
		{ID: "meter-in-offset", About: "data placed by the counter", Module: changed(func(m *module) {
			m.data = [][]byte{{0, 0x23, 0, 0x0b, 1, 1}}
		}), Want: `it uses global 0 of 0`, Kind: Refused},
		{ID: "meter-start", About: "the refilling function as the start function",
			Module: changed(func(m *module) { m.start = op(1) }), Want: `it uses function 1 of 1`, Kind: Refused},
		{ID: "meter-export-function", About: "an export of the refilling function", Module: exporting(export("refill", 0, 1)),
			Want: `it uses function 1 of 1`, Kind: Refused},
		{ID: "meter-export-counter", About: "an export of the counter", Module: exporting(export("fuel", 3, 0)),
			Want: `it uses global 0 of 0`, Kind: Refused},
		{ID: "meter-export-name", About: "an export by the host's own name", Module: exporting(export("__lane_tick", 0, 0)),
			Want: `it exports "__lane_tick"; names that begin with __lane_ are the host's`, Kind: Refused},
		{ID: "meter-fake-name",
			About: "a function that a name section calls the host's: it spins and is stopped all the same",
			Module: changed(func(m *module) {
				*m = m.with(forever())
				m.customs = [][]byte{custom("name", section(nil, 1, seq(op(1, 0), name("__lane_tick"))))}
			}), Want: stopped, Kind: Stopped},
	}
}

// invalid are function bodies that break a rule of the format: each reaches
// further than it may if no one looks.
func invalid() []Attack {
	reference := func(code ...[]byte) func() []byte {
		return changed(func(m *module) {
			m.tables = [][]byte{{0x70, 0, 1}, {0x6f, 0, 1}}
			*m = m.with(code...)
		})
	}
	vec := op(0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return []Attack{
		{ID: "atomics", About: "operations of threads", Module: running(op(0xfe, 0x03, 0)),
			Want: `operation 0xfe at byte \d+, which this host does not support`, Kind: Refused},
		{ID: "tail-call", About: "a tail call: a loop without a loop", Module: running(op(0x12, 0)),
			Want: `operation 0x12 at byte \d+, which this host does not support`, Kind: Refused},
		{ID: "exceptions", About: "exceptions, which could catch the host's stop", Module: running(op(0x1f, 0x40, 0, 0x0b)),
			Want: `operation 0x1f at byte \d+, which this host does not support`, Kind: Refused},
		{ID: "gc-type", About: "a structure type of garbage collection",
			Module: changed(func(m *module) { m.types = append(m.types, op(0x5f, 0)) }), Want: `that is not a function type`,
			Kind: Refused},
		{ID: "value-type", About: "a local of a type that does not exist",
			Module: changed(func(m *module) { m.bodies[0] = body(op(1, 1, 0x6e)) }),
			Want:   `a value type \(0x6e\) that this host does not know`, Kind: Refused},
		{ID: "relaxed-simd", About: "vector operations that differ between machines",
			Module: running(vec, vec, op(0xfd, 0x80, 0x02), drop()), Want: `operation 0xfd 256`, Kind: Refused},
		{ID: "simd-lane", About: "lane 16 of 16", Module: running(vec, op(0xfd, 21, 16), drop()), Want: `it is not valid: `,
			Kind: Refused},
		{ID: "simd-shuffle", About: "a shuffle of lane 255",
			Module: running(vec, vec, op(0xfd, 13, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), drop()),
			Want:   `it is not valid: `, Kind: Refused},
		{ID: "simd-align", About: "a vector load aligned to 2^30", Module: running(i32(0), op(0xfd, 0, 30, 0), drop()),
			Want: `it is not valid: `, Kind: Refused},
		{ID: "bulk-unknown", About: "a bulk operation that does not exist", Module: running(op(0xfc, 99)),
			Want: `operation 0xfc 99`, Kind: Refused},
		{ID: "ref-undeclared", About: "a reference to a function that nothing declares", Module: changed(func(m *module) {
			*m = m.with(op(0xd2, 1), drop())
			m.funcs, m.bodies = op(0, 0), append(m.bodies, body(nil))
		}), Want: `it is not valid: `, Kind: Refused},
		{ID: "ref-kinds", About: "a host reference put where functions are called",
			Module: reference(i32(0), op(0xd0, 0x6f), op(0x26, 0)), Want: `it is not valid: `, Kind: Refused},
		{ID: "ref-as-number", About: "a reference read as a number: an address of the host's",
			Module: reference(op(0xd0, 0x70), op(0x1a), op(0xd0, 0x70), op(0xa7), drop()), Want: `it is not valid: `,
			Kind: Refused},
		{ID: "ref-from-number", About: "a number called as a reference",
			Module: reference(i32(0), i64(0x41414141), op(0x26, 0)), Want: `it is not valid: `, Kind: Refused},
		{ID: "ref-host-elements", About: "functions in a table of host references", Module: changed(func(m *module) {
			m.tables = [][]byte{{0x6f, 0, 1}}
			m.elements = [][]byte{seq(op(0), i32(0), op(0x0b, 1, 0))}
		}), Want: `it is not valid: `, Kind: Refused},
		{ID: "stack-left", About: "a value left on the stack", Module: running(i32(0)), Want: `it is not valid: `,
			Kind: Refused},
		{ID: "stack-underflow", About: "taking a value that is not there", Module: running(drop()), Want: `it is not valid: `,
			Kind: Refused},
		{ID: "branch-out", About: "a branch out of its function", Module: running(op(0x0c, 5)), Want: `it uses label 5 of 1`,
			Kind: Refused},
		{ID: "code-behind-end", About: "code behind a function's end", Module: running(op(0x0b, 0x01)),
			Want: `a function has 2 bytes behind its end`, Kind: Refused},
		{ID: "code-without-end", About: "a function without an end",
			Module: changed(func(m *module) { m.bodies[0] = sized(op(0, 0x01)) }), Want: `it ends in the middle of something`,
			Kind: Refused},
		{ID: "else-alone", About: "an else without an if", Module: running(op(0x05)), Want: `it is not valid: `,
			Kind: Refused},
		{ID: "data-beyond-end", About: "a data segment longer than the file",
			Module: changed(func(m *module) { m.data = [][]byte{{0, 0x41, 0, 0x0b, 100, 1}} }),
			Want:   `a data segment claims 100 bytes`, Kind: Refused},
		{ID: "data-count-more", About: "a data count above the segments there are", Module: changed(func(m *module) {
			m.dataCount, m.data = op(9), [][]byte{{1, 1, 'x'}}
			*m = m.with(i32(0), i32(0), i32(0), memoryInit(8))
		}), Want: `it is not valid: `, Kind: Refused},
		{ID: "data-count-missing", About: "memory.init without a data count", Module: changed(func(m *module) {
			m.data = [][]byte{{1, 1, 'x'}}
			*m = m.with(i32(0), i32(0), i32(0), memoryInit(0))
		}), Want: `it is not valid: `, Kind: Refused},
		{ID: "data-kind", About: "a data segment of a kind that does not exist",
			Module: changed(func(m *module) { m.data = [][]byte{{3, 1, 'x'}} }), Want: `a data segment of unknown kind 3`,
			Kind: Refused},
		{ID: "element-kind", About: "an element segment of a kind that does not exist",
			Module: changed(func(m *module) { m.elements = [][]byte{{8, 0}} }), Want: `an element segment of unknown kind 8`,
			Kind: Refused},
	}
}
