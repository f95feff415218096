package wasm

import (
	"fmt"
	"strings"
)

// The limits of a module. The output of Go's compiler, clang and Rust is below them
// for programs as large as actionlint, yq and CPython, whose largest functions come
// from one switch each. Some megabytes more can take gigabytes or minutes to
// compile; the process that compiles also has its own limits (package sandbox).
// sdk/ABI.md, section 10, lists them for authors.
const (
	maxModule    = 64 << 20 // bytes
	maxSections  = 1024
	maxName      = 64 << 10 // bytes of one name
	maxCustom    = 32 << 20 // bytes of one custom section
	maxTypes     = 16 << 10
	maxParams    = 256     // and results, of one type
	maxAllParams = 100_000 // of all types together
	maxImports   = 1024
	maxFuncs     = 100_000
	maxTables    = 16
	maxTable     = 1 << 20 // entries all tables may ever have
	maxGlobals   = 10_000
	maxExports   = 20_000
	maxSegments  = 100_000
	maxElements  = 1 << 20 // entries of all element segments together
	maxBody      = 2 << 20 // bytes of one function
	maxLocals    = 4096
	maxNesting   = 32 << 10
	maxBrTable   = 64 << 10
	maxBranches  = 64 << 10      // of one function
	maxLocalWork = 1_000_000     // locals times branches of one function
	maxEffort    = 4_300_000_000 // sum of branches² over all functions: compiling takes time like that
	maxWeight    = 2_500_000     // of one function: about the KiB that compiling it takes
	heavy        = 100_000       // functions above are not compiled in parallel
	maxWeights   = 32_000_000    // of all functions together: a Go program of 45 MB
)

// facts is what the walk over a module found out.
type facts struct {
	sections  []section
	types     []signature
	imports   map[string]bool // modules it imports from
	imported  []uint32        // types of imported functions
	funcs     []uint32        // types of its own functions
	tables    []tableLimits
	globals   int
	memories  int
	minMemory int64 // bytes
	params    int   // and results of all types together
	arity     int   // the most parameters or results of a type
	elements  int   // entries of all element segments
	hasStart  bool
	isHeavy   bool // it has a heavy function
}

type signature struct{ params, results string } // a letter for each: i I f F v r

type tableLimits struct {
	kind   byte
	min    uint32
	max    uint32
	hasMax bool
}

func (f *facts) allFuncs() int { return len(f.imported) + len(f.funcs) }

// check walks over a module before wazero sees a byte of it: no number in it
// may claim more than there are bytes, nothing may be larger than the limits
// above, and it may import only what a plugin can have. Function bodies are
// checked by meter.
func check(module []byte) (*facts, error) {
	if len(module) > maxModule {
		return nil, &FormatError{Msg: fmt.Sprintf("it is %d bytes long, at most %d are allowed", len(module), maxModule)}
	}
	sections, err := split(module)
	if err != nil {
		return nil, err
	}
	f := &facts{sections: sections, imports: map[string]bool{}}
	readers := map[byte]func(*reader, *facts){0: readCustom, 1: readTypes, 2: readImports, 3: readFuncs, 4: readTables,
		5: readMemories, 6: readGlobals, 7: readExports, 8: readStart, 9: readElements, 10: readCodeCount, 11: readData,
		12: readDataCount}
	for _, s := range sections {
		r := &reader{data: module, pos: s.body, end: s.end}
		readers[s.id](r, f)
		if r.err == nil && s.id != 0 && s.id != 10 && r.left() > 0 {
			r.fail("section %d has %d bytes too many", s.id, r.left())
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	return f, f.complete(module)
}

// complete checks what no section alone can show.
func (f *facts) complete(module []byte) error {
	if f.memories != 1 {
		return &FormatError{Msg: "it has no memory"}
	}
	var hasCode, hasStart, hasMemory bool
	for _, s := range f.sections {
		hasCode = hasCode || s.id == 10
		if s.id != 7 {
			continue
		}
		r := &reader{data: module, pos: s.body, end: s.end}
		for range r.count("exports", maxExports) {
			name, kind, index := r.name(), r.byte(), r.u32()
			hasMemory = hasMemory || name == "memory" && kind == 2
			if name == "_start" && kind == 0 {
				hasStart = f.signature(index) == signature{}
			}
		}
	}
	switch {
	case !hasStart:
		return &FormatError{Msg: "it exports no function _start without parameters and results",
			Help: "build it as a WASI command (a program), not as a library or reactor"}
	case !hasMemory:
		return &FormatError{Msg: `it does not export its memory as "memory"`}
	case !hasCode && len(f.funcs) > 0:
		return &FormatError{Msg: fmt.Sprintf("it has %d functions and no code", len(f.funcs))}
	}
	return nil
}

// signature of a function by its index; one that does not exist has a strange
// one.
func (f *facts) signature(index uint32) signature {
	switch n := uint32(len(f.imported)); {
	case index < n:
		return f.types[f.imported[index]]
	case index-n < uint32(len(f.funcs)):
		return f.types[f.funcs[index-n]]
	}
	return signature{"?", "?"}
}

func readCustom(r *reader, _ *facts) {
	if r.left() > maxCustom {
		r.fail("it has a custom section of %d bytes, at most %d are allowed", r.left(), maxCustom)
	}
}

func readTypes(r *reader, f *facts) {
	n := r.count("types", maxTypes)
	for range n {
		if r.byte() != 0x60 {
			r.fail("it has a type at byte %d that is not a function type", r.pos)
			return
		}
		t := signature{readValTypes(r, "parameters"), readValTypes(r, "results")}
		f.types = append(f.types, t)
		f.arity = max(f.arity, len(t.params), len(t.results))
		if f.params += len(t.params) + len(t.results); f.params > maxAllParams {
			r.fail("its types have more than %d parameters and results", maxAllParams)
		}
	}
}

func readValTypes(r *reader, what string) string {
	n := r.count(what, maxParams)
	if n == 0 {
		return ""
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = readValType(r)
	}
	return string(b)
}

func readValType(r *reader) byte {
	switch t := r.byte(); t {
	case 0x7f:
		return 'i'
	case 0x7e:
		return 'I'
	case 0x7d:
		return 'f'
	case 0x7c:
		return 'F'
	case 0x7b:
		return 'v'
	case 0x70, 0x6f:
		return 'r'
	default:
		r.fail("it uses a value type (%#02x) that this host does not know", t)
		return '?'
	}
}

func readImports(r *reader, f *facts) {
	for range r.count("imports", maxImports) {
		module, name, kind := r.name(), r.name(), r.byte()
		if r.err != nil {
			return
		}
		want, known := importable(module, name)
		switch {
		case module != wasiModule && module != lane1Module:
			r.fail("it imports %q from module %q; a plugin may import from %s and %s only", name, module, wasiModule,
				lane1Module)
		case kind != 0 || !known:
			r.fail("it imports %q from module %q, which has no such function", name, module)
		}
		index := readTypeIndex(r, f)
		if r.err != nil {
			return
		}
		if f.types[index] != want {
			r.fail("it imports %q from module %q with another signature than that function has", name, module)
		}
		f.imports[module] = true
		f.imported = append(f.imported, index)
	}
}

// importable finds the signature of a function that a plugin may import.
func importable(module, name string) (signature, bool) {
	switch module {
	case wasiModule:
		for _, h := range wasiFuncs() {
			if h.name == name {
				return signature{h.params, h.results()}, true
			}
		}
	case lane1Module:
		for _, l := range lane1Funcs() {
			if l.name == name {
				return signature{l.params, l.results}, true
			}
		}
	}
	return signature{}, false
}

func readTypeIndex(r *reader, f *facts) uint32 {
	index := r.u32()
	if r.err == nil && int(index) >= len(f.types) {
		r.fail("it uses type %d of %d", index, len(f.types))
	}
	return index
}

func readFuncs(r *reader, f *facts) {
	n := r.count("functions", maxFuncs)
	f.funcs = make([]uint32, 0, n)
	for range n {
		f.funcs = append(f.funcs, readTypeIndex(r, f))
	}
}

// readLimits reads flags, minimum and maximum of a table or memory.
func readLimits(r *reader, what string) (low, high uint32, hasMax bool) {
	flags := r.byte()
	if flags > 1 {
		r.fail("it has a %s of kind %d: shared and 64-bit ones are not supported", what, flags)
	}
	low = r.u32()
	if flags == 1 {
		high, hasMax = r.u32(), true
		if r.err == nil && high < low {
			r.fail("it has a %s with a maximum below its minimum", what)
		}
	}
	return low, high, hasMax
}

func readTables(r *reader, f *facts) {
	total := uint64(0)
	for range r.count("tables", maxTables) {
		t := tableLimits{kind: r.byte()}
		if r.err == nil && t.kind != 0x70 && t.kind != 0x6f {
			r.fail("it has a table of unknown kind %#02x", t.kind)
		}
		t.min, t.max, t.hasMax = readLimits(r, "table")
		if total += uint64(t.min); total > maxTable {
			r.fail("its tables start with %d entries, at most %d are allowed", total, maxTable)
		}
		f.tables = append(f.tables, t)
	}
}

func readMemories(r *reader, f *facts) {
	n := r.count("memories", 1)
	f.memories += n
	for range n {
		low, high, _ := readLimits(r, "memory")
		if low > 1<<16 || high > 1<<16 {
			r.fail("it has a memory of more than 65536 pages")
		}
		f.minMemory = int64(low) * pageSize
	}
}

func readGlobals(r *reader, f *facts) {
	for range r.count("globals", maxGlobals) {
		readValType(r)
		if r.byte() > 1 {
			r.fail("it has a global of unknown kind")
		}
		readConst(r, f)
		f.globals++
	}
}

// readConst reads a constant expression. What it refers to has to exist: what
// meter adds to the module must not be within its reach.
func readConst(r *reader, f *facts) {
	for r.err == nil {
		switch op := r.byte(); op {
		case 0x0b:
			return
		case 0x41:
			r.leb(5)
		case 0x42:
			r.leb(10)
		case 0x43:
			r.skip(4)
		case 0x44:
			r.skip(8)
		case 0x23:
			r.index("global", f.globals)
		case 0xd0:
			readValType(r)
		case 0xd2:
			r.index("function", f.allFuncs())
		case 0xfd:
			if r.u32() != 12 {
				r.fail("it has an invalid constant")
			}
			r.skip(16)
		default:
			r.fail("it has a constant with operation %#02x, which is not supported", op)
		}
	}
}

// index reads an index of something there are n of.
func (r *reader) index(what string, n int) uint32 {
	i := r.u32()
	if r.err == nil && int64(i) >= int64(n) {
		r.fail("it uses %s %d of %d", what, i, n)
	}
	return i
}

func readExports(r *reader, f *facts) {
	for range r.count("exports", maxExports) {
		name, kind := r.name(), r.byte()
		switch kind {
		case 0:
			r.index("function", f.allFuncs())
		case 1:
			r.index("table", len(f.tables))
		case 2:
			r.index("memory", f.memories)
		case 3:
			r.index("global", f.globals)
		default:
			r.fail("it exports %q of unknown kind %d", name, kind)
		}
		if strings.HasPrefix(name, "__lane_") {
			r.fail("it exports %q; names that begin with __lane_ are the host's", name)
		}
	}
}

func readStart(r *reader, f *facts) {
	r.index("function", f.allFuncs())
	f.hasStart = true
}

// readElements: flag 1 says there is no place (passive or declared), flag 2 a
// table number (or declared), flag 4 that entries are expressions.
func readElements(r *reader, f *facts) {
	for range r.count("element segments", maxSegments) {
		flags := r.u32()
		if flags > 7 {
			r.fail("it has an element segment of unknown kind %d", flags)
		}
		if flags&1 == 0 {
			if flags&2 != 0 {
				r.index("table", len(f.tables))
			}
			readConst(r, f)
		}
		if flags&3 != 0 {
			r.byte() // kind of the entries
		}
		n := r.count("table entries", maxElements)
		if f.elements += n; f.elements > maxElements {
			r.fail("its element segments have more than %d entries", maxElements)
		}
		for range n {
			if flags&4 != 0 {
				readConst(r, f)
			} else {
				r.index("function", f.allFuncs())
			}
		}
	}
}

func readCodeCount(r *reader, f *facts) {
	if n := r.u32(); r.err == nil && int64(n) != int64(len(f.funcs)) {
		r.fail("it has %d functions and code for %d", len(f.funcs), n)
	}
}

func readDataCount(r *reader, _ *facts) {
	if n := r.u32(); n > maxSegments {
		r.fail("it has %d data segments, at most %d are allowed", n, maxSegments)
	}
}

func readData(r *reader, f *facts) {
	for range r.count("data segments", maxSegments) {
		flags := r.u32()
		if flags > 2 {
			r.fail("it has a data segment of unknown kind %d", flags)
		}
		if flags == 2 {
			r.index("memory", f.memories)
		}
		if flags != 1 {
			readConst(r, f)
		}
		n := r.u32()
		if int64(n) > int64(r.left()) {
			r.fail("a data segment claims %d bytes of %d", n, r.left())
		}
		r.skip(int(n))
	}
}
