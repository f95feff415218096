package hostile

import (
	"encoding/binary"
	"slices"
)

// counts are modules whose counts exceed their bytes. A reader that allocates
// memory for the claimed count ends with its process.
func counts() []Attack {
	lie := func(id byte) func() []byte { return raw(section(nil, id, most())) }
	code := func(parts ...[]byte) func() []byte {
		return changed(func(m *module) { m.bodies[0] = sized(slices.Concat(parts...)) })
	}
	return []Attack{
		{ID: "types-4g", About: "4 G types in 5 bytes", Module: lie(1), Want: `claims 4294967295 types in 0 bytes`,
			Kind: Refused},
		{ID: "imports-4g", About: "4 G imports in 5 bytes", Module: lie(2), Want: `claims 4294967295 imports in 0 bytes`,
			Kind: Refused},
		{ID: "functions-4g", About: "4 G functions in 5 bytes", Module: lie(3),
			Want: `claims 4294967295 functions in 0 bytes`, Kind: Refused},
		{ID: "tables-4g", About: "4 G tables in 5 bytes", Module: lie(4), Want: `claims 4294967295 tables in 0 bytes`,
			Kind: Refused},
		{ID: "memories-4g", About: "4 G memories in 5 bytes", Module: lie(5), Want: `claims 4294967295 memories in 0 bytes`,
			Kind: Refused},
		{ID: "globals-4g", About: "4 G globals in 5 bytes", Module: lie(6), Want: `claims 4294967295 globals in 0 bytes`,
			Kind: Refused},
		{ID: "exports-4g", About: "4 G exports in 5 bytes", Module: lie(7), Want: `claims 4294967295 exports in 0 bytes`,
			Kind: Refused},
		{ID: "elements-4g", About: "4 G element segments in 5 bytes", Module: lie(9),
			Want: `claims 4294967295 element segments in 0 bytes`, Kind: Refused},
		{ID: "data-4g", About: "4 G data segments in 5 bytes", Module: lie(11),
			Want: `claims 4294967295 data segments in 0 bytes`, Kind: Refused},
		{ID: "data-count-4g", About: "a data count of 4 G", Module: lie(12),
			Want: `4294967295 data segments, at most 100000 are allowed`, Kind: Refused},
		{ID: "bodies-268m", About: "17 bytes that claim 268 M function bodies",
			Module: raw(op(10, 5, 0xff, 0xff, 0xff, 0x7f, 0)), Want: `it has 0 functions and code for 268435455`, Kind: Refused},
		{ID: "params-4g", About: "19 bytes with a type of 4 G parameters",
			Module: raw(section(nil, 1, slices.Concat(op(1, 0x60), most(), op(0)))),
			Want:   `claims 4294967295 parameters in 1 bytes`, Kind: Refused},
		{ID: "results-4g", About: "a type of 4 G results",
			Module: raw(section(nil, 1, slices.Concat(op(1, 0x60, 0), most()))), Want: `claims 4294967295 results in 0 bytes`,
			Kind: Refused},
		{ID: "locals-4g", About: "30 bytes with a function of 4 G locals",
			Module: code(op(1), most(), op(0x7f, 0x0b)), Want: `has more than 4096 locals`, Kind: Refused},
		{ID: "locals-overflow", About: "two groups of locals whose sum does not fit into 32 bits",
			Module: code(op(2), most(), op(0x7f), op(2, 0x7f, 0x0b)), Want: `has more than 4096 locals`, Kind: Refused},
		{ID: "local-groups-4g", About: "4 G groups of locals", Module: code(most(), op(0x0b)),
			Want: `claims 4294967295 groups of locals`, Kind: Refused},
		{ID: "br-table-4g", About: "a br_table that claims 4 G branches",
			Module: running(i32(0), op(0x0e), most()), Want: `claims 4294967295 branches of a table`, Kind: Refused},
		{ID: "select-types-4g", About: "a select of 4 G types", Module: running(op(0x1c), most()),
			Want: `claims 4294967295 types`, Kind: Refused},
		{ID: "table-entries-4g", About: "an element segment of 4 G entries", Module: changed(func(m *module) {
			m.tables = [][]byte{{0x70, 0, 1}}
			m.elements = [][]byte{slices.Concat(op(0), i32(0), op(0x0b), most())}
		}), Want: `claims 4294967295 table entries`, Kind: Refused},
		{ID: "data-bytes-4g", About: "a data segment of 4 G bytes", Module: changed(func(m *module) {
			m.data = [][]byte{slices.Concat(op(0), i32(0), op(0x0b), most())}
		}), Want: `a data segment claims 4294967295 bytes`, Kind: Refused},
		{ID: "name-4g", About: "an import with a name of 4 G bytes",
			Module: raw(section(nil, 2, slices.Concat(op(1), most()))), Want: `claims 4294967295 bytes of 0`, Kind: Refused},
		{ID: "custom-name-4g", About: "a custom section with a name longer than itself",
			Module: raw(section(nil, 0, most())), Want: `claims 4294967295 bytes of 0`, Kind: Refused},
		{ID: "section-4g", About: "a custom section of 4 G bytes that has two", Module: raw(op(0), most(), op(1, 'x')),
			Want: `section 0 claims 4294967295 bytes of 2`, Kind: Refused},
		{ID: "names-4g", About: "a name section that claims 4 G names: nothing but traces depends on it",
			Module: changed(func(m *module) {
				m.customs = [][]byte{custom("name", section(nil, 1, most()))}
			}), Want: `^exit 0`, Kind: Harmless},
		{ID: "names-escapes", About: "a function whose name would move a terminal's cursor", Module: changed(func(m *module) {
			*m = m.with(trap())
			m.customs = [][]byte{custom("name", section(nil, 1, slices.Concat(op(1, 0), name("\x1b[2J\x1b]0;mine\a\u202e"))))}
		}), Want: `broke: unreachable`, Kind: Broken},
		{ID: "lines-escapes", About: "a source file whose name would move a terminal's cursor",
			Module: lined(lineTable(4, seq(op(0), []byte("\x1b[2J\u202e.c\x00"), op(0, 0, 0, 0)), lineRow)),
			Want:   `broke: unreachable`, Kind: Broken},
		{ID: "lines-4g-folders", About: "debug information of 4 G folders in 10 bytes",
			Module: lined(lineTable(5, seq(op(0), most()), lineRow)), Want: `broke: unreachable`, Kind: Broken},
		{ID: "lines-4g-files", About: "debug information of 4 G files, each without a name",
			Module: lined(lineTable(5, seq(op(0, 0), op(1, 1, 0x1e), most()), lineRow)), Want: `broke: unreachable`,
			Kind: Broken},
		{ID: "lines-longer", About: "a table of lines that is longer than its section",
			Module: lined(seq(u32le(0xffff_fff0), op(4, 0))), Want: `broke: unreachable`, Kind: Broken},
		{ID: "lines-head", About: "a table of lines whose program begins 2 GiB behind it",
			Module: lined(seq(u32le(8), op(4, 0), u32le(1<<31), op(1, 1))), Want: `broke: unreachable`, Kind: Broken},
		{ID: "lines-no-span", About: "a table of lines that has its reader divide by zero",
			Module: lined(seq(u32le(20), op(2, 0), u32le(9), op(1, 1, 0, 0, 1, 0, 0), times(7, op(0xff)))),
			Want:   `broke: unreachable`, Kind: Broken},
		{ID: "lines-30m", About: "30 million lines that all lie at the same byte",
			Module: lined(lineTable(4, op(0, 0), seq(lineRow, times(30<<20, op(1))))), Want: `broke: unreachable`, Kind: Broken},
		{ID: "lines-long-folder", About: "a folder of 1 MiB that a million files lie in: a TiB of names if they were joined",
			Module: lined(lineTable(4, seq(times(1<<20, op('d')), op(0, 0), times(1<<20, op('f', 0, 1, 0, 0)), op(0)), lineRow)),
			Want:   `broke: unreachable`, Kind: Broken},
		{ID: "lines-tables-500k", About: "500,000 tables of lines",
			Module: lined(times(500_000, lineTable(4, op(0, 0), lineRow))), Want: `broke: unreachable`, Kind: Broken},
	}
}

// lined is a module that breaks and says in DWARF which lines it came from.
func lined(table []byte) func() []byte {
	return changed(func(m *module) {
		*m = m.with(trap())
		m.customs = [][]byte{custom(".debug_line", table)}
	})
}

// lineTable is one table of a version of DWARF, with its names and program.
func lineTable(version byte, names, program []byte) []byte {
	rest := seq(op(1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1), names)
	head := op(version, 0)
	if version == 5 {
		head = append(head, 4, 0)
	}
	all := seq(head, u32le(uint32(len(rest))), rest, program)
	return append(u32le(uint32(len(all))), all...)
}

// lineRow says that all code from byte 1 on is line 1.
var lineRow = op(0, 5, 2, 1, 0, 0, 0, 1, 2, 0x80, 0x80, 0x80, 0x10, 0, 1, 1)

func u32le(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// sizes are modules of which everything is true and too much.
func sizes() []Attack {
	ifs := func(n int) []byte { return times(n, i32(0), op(0x04, 0x40, 0x0b)) }
	return []Attack{
		{ID: "file-65m", About: "a module of 65 MiB", Module: func() []byte {
			return append(minimal().bytes(),
				make([]byte, 65<<20)...)
		},
			Want: `bytes long, at most 67108864 are allowed`, Kind: Refused},
		{ID: "custom-33m", About: "a custom section of 33 MiB", Module: changed(func(m *module) {
			m.customs = [][]byte{custom("x", make([]byte, 33<<20))}
		}), Want: `a custom section of 34603008 bytes, at most 33554432 are allowed`, Kind: Refused},
		{ID: "sections-2000", About: "2,000 empty custom sections", Module: changed(func(m *module) {
			m.customs = slices.Repeat([][]byte{custom("", nil)}, 2000)
		}), Want: `it has more than 1024 sections`, Kind: Refused},
		{ID: "nested-100k", About: "blocks nested 100,000 deep",
			Module: running(times(100_000, op(0x02, 0x40)), times(100_000, op(0x0b))), Want: `nests blocks deeper than 32768`,
			Kind: Refused},
		{ID: "ifs-70k", About: "70,000 ifs, one behind the other", Module: running(ifs(70_000)),
			Want: `has 70000 branches, at most 65536 are allowed|too much memory to compile`, Kind: Refused},
		{ID: "ifs-by-locals", About: "4,000 ifs over 4,000 locals: seconds to compile", Module: changed(func(m *module) {
			m.bodies[0] = body(seq(op(1), u32(4000), op(0x7f)), ifs(4000))
		}), Want: `has 4000 branches over 4000 locals, the product may be 1000000`, Kind: Refused},
		{ID: "ifs-everywhere", About: "9,000 ifs in each of 60 functions", Module: changed(func(m *module) {
			m.funcs = make([]byte, 60)
			m.bodies = slices.Repeat([][]byte{body(nil, ifs(9000))}, 60)
		}), Want: `branches so much that compiling it would take too long`, Kind: Refused},
		{ID: "br-table-1m", About: "a br_table of a million branches",
			Module: running(i32(0), op(0x0e), u32(1<<20), make([]byte, 1<<20+1)),
			Want:   `it has 1048576 branches of a table, at most 65536 are allowed`, Kind: Refused},
		{ID: "br-table-70k", About: "a br_table of 70,000 branches",
			Module: running(i32(0), op(0x0e), u32(70_000), make([]byte, 70_001)),
			Want:   `it has 70000 branches of a table, at most 65536 are allowed`, Kind: Refused},
		{ID: "body-3m", About: "a function of 3 MiB of straight code", Module: running(times(1<<20, i32(0), drop())),
			Want: `bytes long, at most 2097152 are allowed`, Kind: Refused},
		{ID: "loops-17k", About: "17,000 loops in 50 KiB: a minute to compile",
			Module: running(times(17_000, op(0x03, 0x40, 0x0b))), Want: `has 68000 branches, at most 65536 are allowed`,
			Kind: Refused},
		{ID: "fills-22k", About: "22,000 memory.fill in 220 KiB: a gigabyte to compile",
			Module: running(times(22_000, i32(0), i32(1), i32(9), memoryFill())),
			Want:   `has 66000 branches, at most 65536 are allowed`, Kind: Refused},
		{ID: "loads-345k", About: "345,000 loads in a function: two gigabytes to compile",
			Module: running(times(345_000, i32(8), op(0x28, 2, 0), drop())), Want: `would take too much memory to compile`,
			Kind: Refused},
		{ID: "truncations-300k", About: "300,000 truncations in a function: two gigabytes to compile",
			Module: changed(func(m *module) {
				m.bodies[0] = body(op(1, 1, 0x7c), times(300_000, get(0), op(0xaa, 0x1a)))
			}), Want: `would take too much memory to compile`, Kind: Refused},
		{ID: "indirect-200k", About: "200,000 indirect calls in a function: nearly three gigabytes to compile",
			Module: changed(func(m *module) {
				m.tables = [][]byte{{0x70, 0, 1}}
				*m = m.with(times(200_000, i32(0), callIndirect(0)))
			}), Want: `would take too much memory to compile`, Kind: Refused},
		{ID: "loads-in-130-functions", About: "36,000 loads in each of 130 functions: half a minute to compile",
			Module: changed(func(m *module) {
				m.funcs, m.bodies = make([]byte, 130), slices.Repeat(
					[][]byte{body(nil, times(36_000, i32(8), op(0x28, 2, 0), drop()))}, 130)
			}), Want: `so much code that compiling it would take too long`, Kind: Refused},
		{ID: "loads-allowed", About: "the most that is let through, in ten functions", Module: changed(func(m *module) {
			m.funcs, m.bodies = make([]byte, 10), slices.Repeat(
				[][]byte{body(nil, times(36_000, i32(8), op(0x28, 2, 0), drop()))}, 10)
		}), Want: `^exit 0`, Kind: Harmless},
		{ID: "types-wide", About: "16,000 types of 255 parameters: seconds and gigabytes to tell apart",
			Module: changed(func(m *module) {
				m.types = append(m.types, slices.Repeat([][]byte{funcType(letters('i', 255), letters('i', 200))}, 16_000)...)
			}), Want: `types have more than 100000 parameters and results`, Kind: Refused},
		{ID: "elements-20m", About: "20 million entries in element segments that all lie over each other",
			Module: changed(func(m *module) {
				m.tables = [][]byte{seq(op(0x70, 0), u32(1<<20))}
				m.elements = slices.Repeat([][]byte{seq(op(0), i32(0), op(0x0b), u32(1<<20), make([]byte, 1<<20))}, 20)
			}), Want: `element segments have more than 1048576 entries`, Kind: Refused},
		{ID: "br-table-values", About: "a br_table of 60,000 branches that each carry 256 values",
			Module: changed(func(m *module) {
				m.types = append(m.types, funcType("", letters('i', 256)))
				*m = m.with(op(0x02, 1), times(256, i32(1)), i32(0), op(0x0e), u32(60_000), make([]byte, 60_001), op(0x0b),
					times(256, drop()))
			}), Want: `would take too much memory to compile`, Kind: Refused},
		{ID: "branches-values", About: "45,000 branches that each carry 256 values", Module: changed(func(m *module) {
			m.types = append(m.types, funcType("", letters('i', 256)))
			*m = m.with(op(0x02, 1), times(256, i32(1)), times(45_000, i32(1), op(0x0d, 0)), op(0x0b), times(256, drop()))
		}), Want: `would take too much memory to compile`, Kind: Refused},
		{ID: "params-1000", About: "a type of 1,000 parameters", Module: changed(func(m *module) {
			m.types = append(m.types, slices.Concat(op(0x60), u32(1000), slices.Repeat(op(0x7f), 1000), op(0)))
		}), Want: `it has 1000 parameters, at most 256 are allowed`, Kind: Refused},
		{ID: "table-4g", About: "a table that starts with 4 G entries", Module: changed(func(m *module) {
			m.tables = [][]byte{seq(op(0x70, 0), most())}
		}), Want: `tables start with 4294967295 entries, at most 1048576 are allowed`, Kind: Refused},
		{ID: "tables-16m", About: "16 tables of a million entries", Module: changed(func(m *module) {
			m.tables = slices.Repeat([][]byte{seq(op(0x70, 0), u32(1<<20))}, 16)
		}), Want: `tables start with 2097152 entries, at most 1048576 are allowed`, Kind: Refused},
		{ID: "memory-65536", About: "a memory that starts with all 65,536 pages", Module: changed(func(m *module) {
			m.memories = [][]byte{seq(op(0), u32(1<<16))}
		}), Want: `it starts with 4096 MiB of memory, this host allows`, Kind: Refused},
		{ID: "memory-65537", About: "a memory of more pages than there can be", Module: changed(func(m *module) {
			m.memories = [][]byte{seq(op(0), u32(1<<16+1))}
		}), Want: `a memory of more than 65536 pages`, Kind: Refused},
	}
}
