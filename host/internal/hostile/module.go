package hostile

import (
	"bytes"
	"slices"
)

// module is put together section by section, so that an attack can say which
// byte is wrong. Sections that are nil are left out.
type module struct {
	types, imports, tables, memories, globals, exports, elements, bodies, data [][]byte

	funcs     []byte // type of each function
	start     []byte // content of the section
	dataCount []byte // likewise
	customs   [][]byte
	manifest  string // TOML; empty: no section
}

// manifest is one that any host takes; output says how the answer is read.
func manifest(output string) string {
	return "name = \"hostile\"\nversion = \"1\"\nabi = 1\noutput = \"" + output + "\"\n"
}

// minimal is a plugin that does nothing.
func minimal() module {
	return module{
		types:    [][]byte{funcType("", "")},
		funcs:    []byte{0},
		memories: [][]byte{{0, 1}},
		exports:  [][]byte{export("_start", 0, 0), export("memory", 2, 0)},
		bodies:   [][]byte{body(nil)},
		manifest: manifest("text"),
	}
}

// with gives _start other code.
func (m module) with(code ...[]byte) module {
	m.bodies = slices.Clone(m.bodies)
	m.bodies[0] = body(nil, code...)
	return m
}

// changed is the minimal module with one thing wrong.
func changed(change func(*module)) func() []byte {
	return func() []byte {
		m := minimal()
		change(&m)
		return m.bytes()
	}
}

// running is the minimal module with other code.
func running(code ...[]byte) func() []byte {
	return func() []byte { return minimal().with(code...).bytes() }
}

func (m module) bytes() []byte {
	out := header(1, 0)
	for _, s := range []struct {
		id    byte
		items [][]byte
	}{{1, m.types}, {2, m.imports}, {3, each(m.funcs)}, {4, m.tables}, {5, m.memories}, {6, m.globals}, {7, m.exports},
		{8, nil}, {9, m.elements}, {12, nil}, {10, m.bodies}, {11, m.data}} {
		switch {
		case s.id == 8 && m.start != nil:
			out = section(out, 8, m.start)
		case s.id == 12 && m.dataCount != nil:
			out = section(out, 12, m.dataCount)
		case s.items != nil:
			out = section(out, s.id, vector(s.items...))
		}
	}
	for _, c := range m.customs {
		out = section(out, 0, c)
	}
	if m.manifest != "" {
		out = section(out, 0, custom("lane.manifest", []byte(m.manifest)))
	}
	return out
}

// header is the magic number, a version and a layer.
func header(version, layer byte) []byte { return []byte{0, 'a', 's', 'm', version, 0, layer, 0} }

// raw is a module of bytes that no one has put in order.
func raw(parts ...[]byte) func() []byte {
	return func() []byte { return append(header(1, 0), slices.Concat(parts...)...) }
}

func section(out []byte, id byte, content []byte) []byte {
	return append(append(append(out, id), u32(uint32(len(content)))...), content...)
}

func custom(title string, content []byte) []byte { return append(name(title), content...) }

func each(b []byte) [][]byte {
	var all [][]byte
	for _, c := range b {
		all = append(all, []byte{c})
	}
	return all
}

func vector(items ...[]byte) []byte {
	return append(u32(uint32(len(items))), bytes.Join(items, nil)...)
}

func name(s string) []byte { return append(u32(uint32(len(s))), s...) }

func export(title string, kind, index byte) []byte { return append(name(title), kind, index) }

func imported(from, title string, kind byte, rest ...byte) []byte {
	return slices.Concat(name(from), name(title), []byte{kind}, rest)
}

// funcType spells parameters and results with a letter each: i and I for 32
// and 64 bits.
func funcType(params, results string) []byte {
	return append(append([]byte{0x60}, vector(valTypes(params)...)...), vector(valTypes(results)...)...)
}

func valTypes(letters string) [][]byte {
	var all [][]byte
	for _, c := range letters {
		all = append(all, []byte{map[rune]byte{'i': 0x7f, 'I': 0x7e, 'v': 0x7b, 'r': 0x70}[c]})
	}
	return all
}

// body is a function's code, to which the last end is added.
func body(locals []byte, code ...[]byte) []byte {
	if locals == nil {
		locals = []byte{0}
	}
	return sized(slices.Concat(locals, bytes.Join(code, nil), []byte{0x0b}))
}

func sized(b []byte) []byte { return append(u32(uint32(len(b))), b...) }

// most is the largest number of 32 bits: what a count claims that lies.
func most() []byte { return u32(1<<32 - 1) }

// u32 is an unsigned LEB128 number.
func u32(v uint32) []byte {
	var b []byte
	for v >= 0x80 {
		b, v = append(b, byte(v)|0x80), v>>7
	}
	return append(b, byte(v))
}

// s64 is a signed LEB128 number.
func s64(v int64) []byte {
	var b []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
