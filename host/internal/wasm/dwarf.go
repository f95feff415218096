package wasm

import (
	"bytes"
	"fmt"
	"path"
)

// The line tables of DWARF 2 to 5, read for traces. They come from a module
// that means harm until shown otherwise: no count is believed, and all of it
// is one pass over the bytes that are there. (The debug/dwarf package makes
// room for as many folders as a table claims, and joins every file with its
// folder as it reads the head.)

const (
	maxFolders = 100_000 // and files, of one table
	maxForms   = 16      // parts of the name of a file
)

// rowsOf gives the source lines of bytes of the code section, "" where none is
// known. Tables that are wrong end the search and spoil nothing.
func rowsOf(module []byte, sections []section, want []uint32) []string {
	found := make([]string, len(want))
	parts := map[string]section{}
	for _, s := range sections {
		if s.id == 0 {
			parts[s.name] = s
		}
	}
	all := parts[".debug_line"]
	for at := all.body; at+4 <= all.end; {
		r := &reader{data: module, pos: at, end: all.end}
		size := r.fixed(4)
		if size > uint64(r.left()) { // as in DWARF of 64 bits
			return found
		}
		at = r.pos + int(size)
		t := lineTable{r: &reader{data: module, pos: r.pos, end: at}, parts: parts, want: want, hits: make([]row, len(want))}
		t.read()
		for i, hit := range t.hits {
			if hit.line > 0 {
				found[i] = t.text(hit)
			}
		}
	}
	return found
}

// row is a line of a table.
type row struct {
	address            uint32
	file, line, column uint64
}

// lineTable is one unit's table.
type lineTable struct {
	r     *reader
	parts map[string]section // by their names
	want  []uint32
	hits  []row // the row of each

	version    uint64
	unit       byte // length of the shortest instruction
	base       int8 // of the lines of special operations
	span       byte
	operations byte   // the first special one
	operands   []byte // how many each of the others takes
	folders    [][]byte
	files      []sourceFile
}

type sourceFile struct {
	name   []byte
	folder uint64
}

// read reads the head and carries the program out.
func (t *lineTable) read() {
	r := t.r
	if t.version = r.fixed(2); t.version < 2 || t.version > 5 {
		return
	}
	if t.version == 5 {
		r.skip(2) // sizes of addresses and segments
	}
	size := r.fixed(4)
	if size > uint64(r.left()) {
		return
	}
	program := r.pos + int(size)
	t.unit = r.byte()
	if t.version >= 4 {
		r.skip(1) // operations in an instruction: of no machine but VLIW
	}
	r.skip(1) // default_is_stmt
	t.base, t.span, t.operations = int8(r.byte()), r.byte(), r.byte()
	if t.span == 0 || t.operations == 0 {
		return
	}
	for range t.operations - 1 {
		t.operands = append(t.operands, r.byte())
	}
	if t.version == 5 {
		t.folders, _ = t.names()
		t.namedFiles()
	} else {
		t.oldNames()
	}
	if r.err != nil || program < r.pos {
		return
	}
	r.pos = program
	t.run()
}

// oldNames reads folders and files of DWARF 2 to 4; both count from 1, folder
// 0 being where the compiler was.
func (t *lineTable) oldNames() {
	r := t.r
	t.folders, t.files = [][]byte{nil}, []sourceFile{{}}
	for r.err == nil && len(t.folders) < maxFolders {
		folder := r.text()
		if len(folder) == 0 {
			break
		}
		t.folders = append(t.folders, folder)
	}
	for r.err == nil && len(t.files) < maxFolders {
		name := r.text()
		if len(name) == 0 {
			break
		}
		folder := r.unsigned()
		r.unsigned() // time and length
		r.unsigned()
		t.files = append(t.files, sourceFile{name, folder})
	}
}

// namedFiles reads the files of DWARF 5.
func (t *lineTable) namedFiles() {
	names, folders := t.names()
	for i, name := range names {
		t.files = append(t.files, sourceFile{name, folders[i]})
	}
}

// names reads a list of DWARF 5: of which parts its entries are made, then the
// entries. Two kinds of parts count, names and numbers of folders.
func (t *lineTable) names() (names [][]byte, folders []uint64) {
	r := t.r
	var kinds, forms []uint64
	for range r.count("parts of a name", maxForms) {
		kinds, forms = append(kinds, r.unsigned()), append(forms, r.unsigned())
	}
	n := r.count("names", maxFolders)
	if len(forms) == 0 { // entries of no bytes may be as many as they like
		return nil, nil
	}
	for range n {
		var name []byte
		var folder uint64
		for i, form := range forms {
			text, number := t.part(form)
			switch kinds[i] {
			case 1:
				name = text
			case 2:
				folder = number
			}
		}
		if r.err != nil {
			break
		}
		names, folders = append(names, name), append(folders, folder)
	}
	return names, folders
}

// part reads one part of an entry.
func (t *lineTable) part(form uint64) (text []byte, number uint64) {
	r := t.r
	switch form {
	case 0x08: // string
		return r.text(), 0
	case 0x1f: // line_strp
		return t.elsewhere(".debug_line_str", r.fixed(4)), 0
	case 0x0e: // strp
		return t.elsewhere(".debug_str", r.fixed(4)), 0
	case 0x0b: // data1, data2, data4, data8, data16
		return nil, r.fixed(1)
	case 0x05:
		return nil, r.fixed(2)
	case 0x06:
		return nil, r.fixed(4)
	case 0x07:
		return nil, r.fixed(8)
	case 0x1e:
		r.skip(16)
	case 0x0f: // udata
		return nil, r.unsigned()
	default:
		r.fail("a name at byte %d has the unknown form %#x", r.pos, form)
	}
	return nil, 0
}

// elsewhere gives a text of another section.
func (t *lineTable) elsewhere(name string, offset uint64) []byte {
	s := t.parts[name]
	if offset >= uint64(s.end-s.body) {
		return nil
	}
	return (&reader{data: t.r.data, pos: s.body + int(offset), end: s.end}).text()
}

// run carries the program out: every row holds up to the next one.
func (t *lineTable) run() {
	r := t.r
	first := row{file: 1, line: 1}
	now, last, left := first, row{}, false // left: the linker left this code out
	emit := func() {
		if !left {
			t.hit(last, now.address)
		}
		last = now
	}
	for r.err == nil && r.left() > 0 {
		switch op := r.byte(); {
		case op >= t.operations:
			step := op - t.operations
			now.address += uint32(step/t.span) * uint32(t.unit)
			now.line += uint64(int64(t.base) + int64(step%t.span))
			emit()
		case op == 0: // an operation of more bytes
			size := r.u32()
			if size == 0 || int64(size) > int64(r.left()) {
				return
			}
			next := r.pos + int(size)
			switch r.byte() {
			case 1: // the end of a sequence
				emit()
				now, last, left = first, row{}, false
			case 2:
				now.address = uint32(r.fixed(4))
				left = now.address == 0 || now.address >= 0xffff_fffe // and the rest of it counts on from there
			}
			r.pos = next
		case op == 1:
			emit()
		case op == 2:
			now.address += uint32(r.unsigned()) * uint32(t.unit)
		case op == 3:
			now.line += uint64(r.signed())
		case op == 4:
			now.file = r.unsigned()
		case op == 5:
			now.column = r.unsigned()
		case op == 8:
			now.address += uint32((255-t.operations)/t.span) * uint32(t.unit)
		case op == 9:
			now.address += uint32(r.fixed(2))
		default:
			for range t.operands[op-1] {
				r.unsigned()
			}
		}
	}
}

// hit notes what lies between a row and the next one's address.
func (t *lineTable) hit(from row, to uint32) {
	if from.line == 0 {
		return
	}
	for i, at := range t.want {
		if from.address <= at && at < to {
			t.hits[i] = from
		}
	}
}

// text writes a row as file:line:column. A file in the folder where the
// compiler was has no folder.
func (t *lineTable) text(at row) string {
	if at.file >= uint64(len(t.files)) {
		return ""
	}
	file := t.files[at.file]
	name := string(file.name)
	if file.folder > 0 && file.folder < uint64(len(t.folders)) {
		name = path.Join(string(t.folders[file.folder]), name)
	}
	if name == "" {
		return ""
	}
	if at.column == 0 {
		return fmt.Sprintf("%s:%d", name, at.line)
	}
	return fmt.Sprintf("%s:%d:%d", name, at.line, at.column)
}

// fixed reads a number of n bytes, the lowest first.
func (r *reader) fixed(n int) (v uint64) {
	for i := range n {
		v |= uint64(r.byte()) << (8 * i)
	}
	return v
}

// text reads up to a zero byte, which is passed over.
func (r *reader) text() []byte {
	n := bytes.IndexByte(r.data[r.pos:r.end], 0)
	if n < 0 {
		r.fail("a text at byte %d has no end", r.pos)
		return nil
	}
	s := r.data[r.pos : r.pos+n]
	r.pos += n + 1
	return s
}

// unsigned and signed read LEB128 numbers of 64 bits; what is longer is cut.
func (r *reader) unsigned() uint64 {
	v, _, _ := r.leb64()
	return v
}

func (r *reader) signed() int64 {
	v, bits, last := r.leb64()
	if last&0x40 != 0 && bits < 64 {
		v |= ^uint64(0) << bits
	}
	return int64(v)
}

func (r *reader) leb64() (v uint64, bits int, last byte) {
	for {
		last = r.byte()
		v |= uint64(last&0x7f) << bits
		if bits += 7; last < 0x80 {
			return v, bits, last
		}
	}
}
