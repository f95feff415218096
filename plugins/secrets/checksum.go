package main

import (
	"hash/crc32"
	"strings"
)

// checksumRight reports whether a token ends in the checksum of what is between
// it and the prefix's underscore: GitHub and npm write the CRC-32 in six digits
// of base 62. A token with a wrong one is reported all the same, as a server of
// one's own may count otherwise; one with a right one is a token whatever else.
func checksumRight(token string) bool {
	_, text, _ := strings.Cut(token, "_")
	if len(text) < 7 {
		return false
	}
	end := len(text) - 6
	return base62(crc32.ChecksumIEEE([]byte(text[:end]))) == text[end:]
}

// base62 is a number in six digits of base 62.
func base62(n uint32) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [6]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[n%62]
		n /= 62
	}
	return string(b[:])
}
