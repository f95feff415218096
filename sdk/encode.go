package sdk

import (
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendText(b []byte, s string) []byte { return appendQuoted(b, s, false) }

// appendPath appends a file name as a JSON string: bytes, see Change.
func appendPath(b []byte, s string) []byte { return appendQuoted(b, s, true) }

func appendQuoted(b []byte, s string, raw bool) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = appendEscape(append(b, s[done:i]...), c, raw)
		i += size
		done = i
	}
	return append(append(b, s[done:]...), '"')
}

// appendEscape appends one byte that must be escaped in a JSON string.
func appendEscape(b []byte, c byte, raw bool) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, '\\', 'n')
	case c == '\r':
		return append(b, '\\', 'r')
	case c == '\t':
		return append(b, '\\', 't')
	case c < 0x20:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	case raw:
		return append(b, '\\', 'u', 'd', 'c', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(b, "\uFFFD"...)
}

// members writes the members of one object. Its methods with "Opt" leave a
// zero value out.
type members struct {
	b     []byte
	comma bool
}

func object(b []byte) members { return members{b: append(b, '{')} }

func (m *members) end() []byte { return append(m.b, '}') }

// key writes a key that needs no escapes.
func (m *members) key(k string) {
	if m.comma {
		m.b = append(m.b, ',')
	}
	m.comma = true
	m.b = append(append(append(m.b, '"'), k...), '"', ':')
}

func (m *members) text(k, v string) {
	m.key(k)
	m.b = appendText(m.b, v)
}

func (m *members) null(k string) {
	m.key(k)
	m.b = append(m.b, "null"...)
}

func (m *members) textOpt(k, v string) {
	if v != "" {
		m.text(k, v)
	}
}

func (m *members) pathOpt(k, v string) {
	if v != "" {
		m.key(k)
		m.b = appendPath(m.b, v)
	}
}

func (m *members) int(k string, v int64) {
	m.key(k)
	m.b = strconv.AppendInt(m.b, v, 10)
}

func (m *members) intOpt(k string, v int64) {
	if v != 0 {
		m.int(k, v)
	}
}

func (m *members) boolOpt(k string, v bool) {
	if v {
		m.key(k)
		m.b = append(m.b, "true"...)
	}
}

func (m *members) texts(k string, v []string)    { membersList(m, k, v, appendText) }
func (m *members) textsOpt(k string, v []string) { membersListOpt(m, k, v, appendText) }
func (m *members) pathsOpt(k string, v []string) { membersListOpt(m, k, v, appendPath) }

func (m *members) mapOpt(k string, v map[string]string) {
	if len(v) == 0 {
		return
	}
	m.key(k)
	inner := object(m.b)
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if inner.comma {
			inner.b = append(inner.b, ',')
		}
		inner.comma = true
		inner.b = append(appendText(inner.b, key), ':')
		inner.b = appendText(inner.b, v[key])
	}
	m.b = inner.end()
}

func membersListOpt[T any](m *members, k string, v []T, item func([]byte, T) []byte) {
	if len(v) > 0 {
		membersList(m, k, v, item)
	}
}

func membersList[T any](m *members, k string, v []T, item func([]byte, T) []byte) {
	m.key(k)
	m.b = append(m.b, '[')
	for i, e := range v {
		if i > 0 {
			m.b = append(m.b, ',')
		}
		m.b = item(m.b, e)
	}
	m.b = append(m.b, ']')
}
