// Package plaintext reads configuration files of all editors: with byte order
// marks, UTF-16 and CR LF.
package plaintext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// Of is a configuration file as every reader of one means it: UTF-8 without
// a byte order mark, whose lines end in LF. It takes UTF-8, and UTF-16 with a
// byte order mark. The error says what the bytes are not; UTF-8 is not checked.
func Of(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe, 0, 0}), bytes.HasPrefix(data, []byte{0, 0, 0xfe, 0xff}):
		return nil, errors.New("the file is UTF-32; save it as UTF-8")
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fromUTF16(data[2:], binary.BigEndian)
	}
	return lines(bytes.TrimPrefix(data, []byte("\ufeff"))), nil
}

// lines makes LF of CR LF. A CR alone stays: nothing takes it for a line's end.
func lines(data []byte) []byte {
	if bytes.IndexByte(data, '\r') < 0 {
		return data
	}
	return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
}

func fromUTF16(data []byte, order binary.ByteOrder) ([]byte, error) {
	bad := errors.New("the file begins as UTF-16 and is not; save it as UTF-8")
	if len(data)%2 != 0 {
		return nil, bad
	}
	var out []byte
	for i := 0; i < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) {
			if i += 2; i >= len(data) {
				return nil, bad
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(data[i:]))); r == utf8.RuneError {
				return nil, bad
			}
		}
		if r == 0 || r == 0xfffe || r == 0xfeff {
			return nil, bad
		}
		out = utf8.AppendRune(out, r)
	}
	return lines(out), nil
}
