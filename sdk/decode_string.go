package sdk

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string whose first quote is next.
func (d *decoder) quoted(raw bool) string {
	d.pos++
	if n := strings.IndexByte(d.s[d.pos:], '"'); n >= 0 && plainASCII(d.s[d.pos:d.pos+n]) {
		text := d.s[d.pos : d.pos+n]
		d.pos += n + 1
		return text
	}
	start, ascii := d.pos, true
	for d.pos < len(d.s) {
		switch c := d.s[d.pos]; {
		case c == '"':
			part := d.s[start:d.pos]
			d.pos++
			if !ascii && !raw {
				part = strings.ToValidUTF8(part, "\uFFFD")
			}
			return part
		case c == '\\':
			return d.escaped(start, raw)
		case c < 0x20:
			d.fail("a control character in a string")
			return ""
		case c >= utf8.RuneSelf:
			ascii = false
		}
		d.pos++
	}
	d.fail("a string without end")
	return ""
}

// plainASCII reports whether a text needs no escapes in JSON. It is a small separate
// function: a loop is charged for the whole function that contains it.
func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

// escaped reads the rest of a string from its first backslash on.
func (d *decoder) escaped(start int, raw bool) string {
	b := append(make([]byte, 0, 2*(d.pos-start)+16), d.s[start:d.pos]...)
	for d.pos < len(d.s) {
		c := d.s[d.pos]
		d.pos++
		switch {
		case c == '"' && raw:
			return string(b)
		case c == '"':
			return strings.ToValidUTF8(string(b), "\uFFFD")
		case c == '\\':
			if b = d.escape(b, raw); d.err != nil {
				return ""
			}
		case c < 0x20:
			d.pos--
			d.fail("a control character in a string")
			return ""
		default:
			b = append(b, c)
		}
	}
	d.fail("a string without end")
	return ""
}

// escape appends the meaning of the escape after a backslash.
func (d *decoder) escape(b []byte, raw bool) []byte {
	if d.pos >= len(d.s) {
		d.fail("a string without end")
		return b
	}
	c := d.s[d.pos]
	d.pos++
	switch c {
	case '"', '\\', '/':
		return append(b, c)
	case 'b':
		return append(b, '\b')
	case 'f':
		return append(b, '\f')
	case 'n':
		return append(b, '\n')
	case 'r':
		return append(b, '\r')
	case 't':
		return append(b, '\t')
	case 'u':
		return d.unicode(b, raw)
	}
	d.fail("an unknown escape in a string")
	return b
}

// unicode appends the code point of a \u escape, of two for a pair. A lone
// surrogate is a byte of a file name, or U+FFFD.
func (d *decoder) unicode(b []byte, raw bool) []byte {
	r := d.hex4()
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(b, r)
	}
	if r < 0xDC00 && strings.HasPrefix(d.s[d.pos:], `\u`) {
		back := d.pos
		d.pos += 2
		if pair := utf16.DecodeRune(r, d.hex4()); pair != utf8.RuneError {
			return utf8.AppendRune(b, pair)
		}
		d.pos = back
	}
	if raw && 0xDC80 <= r && r <= 0xDCFF {
		return append(b, byte(r-0xDC00))
	}
	return utf8.AppendRune(b, utf8.RuneError)
}

func (d *decoder) hex4() rune {
	if d.pos+4 > len(d.s) {
		d.fail("want four hexadecimal digits")
		return 0
	}
	var r rune
	for _, c := range []byte(d.s[d.pos : d.pos+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			d.fail("want four hexadecimal digits")
			return 0
		}
		r = r<<4 | rune(c)
	}
	d.pos += 4
	return r
}
