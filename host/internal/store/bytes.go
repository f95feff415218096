package store

import (
	"strings"
	"unicode/utf8"
)

// A ref or a path is bytes, and PostgreSQL's text is UTF-8 without zeros. So a
// byte that it would refuse becomes a character of a private plane, 256 of
// them from escapeBase on, and comes back as it was. A text that holds such a
// character itself has its bytes escaped one by one.
const escapeBase = 0x10FF00

// escape makes any bytes valid text. What is valid stays as it is.
func escape(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, mustEscape) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || mustEscape(r) {
			for i := range n {
				b.WriteRune(escapeBase + rune(s[i]))
			}
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func mustEscape(r rune) bool { return r == 0 || r >= escapeBase }

// unescape undoes escape.
func unescape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= escapeBase }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r >= escapeBase {
			b.WriteByte(byte(r - escapeBase))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
