package wasm

import (
	"strconv"
	"strings"
)

// Source lines in traces. What runs is the metered module, whose code lies
// elsewhere than the author's; what says which line it came from (DWARF) is
// about the original. So the metered module gets debug information of one row,
// whose only use is that wazero then says at which byte of its code each frame
// was. When a plugin breaks, that byte is traced back through the meter's moves
// to the original's, and looked up in the original's own debug information.
// All of that happens where the plugin runs: in its worker.

// hasLines tells whether a module says which lines its code came from.
func hasLines(f *facts) bool {
	for _, s := range f.sections {
		if s.id == 0 && s.name == ".debug_line" {
			return true
		}
	}
	return false
}

// oneRow is debug information (DWARF 4) of one unit of one row that covers all
// code.
func oneRow() []byte {
	const all = 0x7f // the highest byte of the last address
	sections := []struct {
		name string
		data []byte
	}{
		{".debug_abbrev", []byte{1, 0x11, 0, 0x10, 0x17, 0x11, 1, 0x12, 6, 0, 0, 0}}, // unit: stmt_list, low_pc, high_pc
		{".debug_info", []byte{20, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, all}},
		{".debug_line", []byte{48, 0, 0, 0, 4, 0, 25, 0, 0, 0,
			1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, '@', 0, 0, 0, 0, 0,
			0, 5, 2, 1, 0, 0, 0, 1, // at address 1, row
			2, 0x80, 0x80, 0x80, 0xf8, 7, // advance
			0, 1, 1}}, // end
	}
	var out []byte
	for _, s := range sections {
		out = appendSection(out, 0, append(appendName(nil, s.name), s.data...))
	}
	return out
}

// move says that code from a byte of the metered code section on came from a
// byte of the original's.
type move struct{ to, from int }

// frameLine splits a line of wazero's trace that says at which byte of the code
// the function above it was.
func frameLine(line string) (offset int, is bool) {
	number, found := strings.CutSuffix(line, ": @:1")
	hex, isHex := strings.CutPrefix(number, "0x")
	if !found || !isHex {
		return 0, false
	}
	n, err := strconv.ParseInt(hex, 16, 32)
	return int(n), err == nil
}

// places finds the source lines of bytes of the metered code; where there is
// nothing to be found it gives "".
func (m *Module) places(offsets []int) []string {
	facts := *m.facts // meterCode notes things in it
	var moves []move
	if _, err := meterCode(m.original, &facts, &moves); err != nil {
		return nil
	}
	want := make([]uint32, len(offsets))
	for i, offset := range offsets {
		want[i] = uint32(origin(moves, offset))
	}
	return rowsOf(m.original, facts.sections, want)
}

// origin gives the place in the original of a place in the metered code; of
// what the meter put in, that of the code before it.
func origin(moves []move, offset int) int {
	from := 0
	for i, m := range moves {
		if m.to > offset {
			break
		}
		from = m.from + offset - m.to
		if i+1 < len(moves) {
			from = min(from, moves[i+1].from-1)
		}
	}
	return from
}
