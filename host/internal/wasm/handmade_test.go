package wasm

import "slices"

// made is a module put together by hand, section by section, so that a test
// can say exactly which byte is wrong.
type made struct {
	types, imports, tables, memories, globals, exports, elems, bodies, datas [][]byte
	funcs                                                                    []byte // type of each function
	start                                                                    []byte
	dataCount                                                                []byte
	manifest                                                                 string // "": the usual one, "-": none
	customs                                                                  [][]byte
}

const usualManifest = "name = \"hand\"\nversion = \"1\"\nabi = 1\noutput = \"text\"\n"

// minimal is a plugin that does nothing.
func minimal() made {
	return made{
		types:    [][]byte{{0x60, 0, 0}},
		funcs:    []byte{0},
		memories: [][]byte{{0, 1}},
		exports:  [][]byte{export("_start", 0, 0), export("memory", 2, 0)},
		bodies:   [][]byte{code()},
	}
}

// with gives _start other code.
func (m made) with(ops ...byte) made {
	m.bodies = slices.Clone(m.bodies)
	m.bodies[0] = code(ops...)
	return m
}

// code is a body without locals; the last end is added.
func code(ops ...byte) []byte { return sized(append(append([]byte{0}, ops...), 0x0b)) }

func sized(b []byte) []byte { return append(appendU32(nil, uint32(len(b))), b...) }

func export(name string, kind, index byte) []byte {
	return append(appendName(nil, name), kind, index)
}

func imported(module, name string, kind, index byte) []byte {
	return append(appendName(appendName(nil, module), name), kind, index)
}

func vec(items [][]byte) []byte {
	return append(appendU32(nil, uint32(len(items))), slices.Concat(items...)...)
}

func (m made) bytes() []byte {
	out := slices.Clone(coreHeader)
	add := func(id byte, items [][]byte) {
		if items != nil {
			out = appendSection(out, id, vec(items))
		}
	}
	add(1, m.types)
	add(2, m.imports)
	if m.funcs != nil {
		out = appendSection(out, 3, append(appendU32(nil, uint32(len(m.funcs))), m.funcs...))
	}
	add(4, m.tables)
	add(5, m.memories)
	add(6, m.globals)
	add(7, m.exports)
	if m.start != nil {
		out = appendSection(out, 8, m.start)
	}
	add(9, m.elems)
	if m.dataCount != nil {
		out = appendSection(out, 12, m.dataCount)
	}
	add(10, m.bodies)
	add(11, m.datas)
	for _, c := range m.customs {
		out = appendSection(out, 0, c)
	}
	switch m.manifest {
	case "-":
	case "":
		out = appendSection(out, 0, append(appendName(nil, manifestSection), usualManifest...))
	default:
		out = appendSection(out, 0, append(appendName(nil, manifestSection), m.manifest...))
	}
	return out
}
