// Package printable makes untrusted text safe for a terminal, a sideband and a page,
// and formats counts, times and ids.
package printable

import (
	"strings"
	"unicode/utf8"
)

// MaxLine is the longest line of a log or message, in bytes; the rest is cut.
const MaxLine = 16 << 10

// Clean makes one line of text from a plugin or a container harmless to a
// terminal, a sideband and a page: no escapes, no control characters but tab,
// no bidirectional overrides, valid UTF-8, at most maxLine bytes. A carriage
// return keeps what a terminal would show last, as progress bars use it.
func Clean(line string) string { return clean(line, false) }

// CleanColor is Clean that leaves colours in: ESC [ digits and semicolons m.
func CleanColor(line string) string { return clean(line, true) }

func clean(line string, color bool) string {
	line = strings.TrimRight(line, "\r\n")
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	if len(line) > MaxLine {
		line = line[:MaxLine] + " … (line cut)"
	}
	if plain(line) {
		return line
	}
	var b strings.Builder
	for i := 0; i < len(line); {
		if n := escapeLen(line[i:]); n > 0 {
			if color && isColor(line[i:i+n]) {
				b.WriteString(line[i : i+n])
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		i += n
		if Rune(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// CleanText cleans every line of text and joins them again.
func CleanText(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 0x20 && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// Rune reports whether a terminal shows a character and does nothing else.
func Rune(r rune) bool {
	switch {
	case r == '\t':
		return true
	case r < 0x20, r >= 0x7f && r < 0xa0: // C0, DEL, C1
		return false
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c: // bidi
		return false
	case r == 0x2028, r == 0x2029, r == 0xfeff:
		return false
	}
	return true
}

// escapeLen is the length of the ANSI escape sequence that s starts with: CSI
// up to its final byte, OSC and the other string types up to their terminator,
// two bytes otherwise; 0 when s starts with none.
func escapeLen(s string) int {
	if s[0] != 0x1b {
		return 0
	}
	if len(s) == 1 {
		return 1
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']', 'P', 'X', '^', '_':
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 1 // the byte after it is text, or cleaned on its own
}

// isColor tells whether an escape sequence only selects how text looks.
func isColor(seq string) bool {
	body, ok := strings.CutPrefix(seq, "\x1b[")
	body, end := strings.CutSuffix(body, "m")
	return ok && end && len(body) <= 32 && strings.Trim(body, "0123456789;") == ""
}
