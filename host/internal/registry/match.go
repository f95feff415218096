package registry

import "strings"

// maxPattern is the length in bytes from which OpenSSH matches no list that a
// pattern is in.
const maxPattern = 1023

// matchList is OpenSSH's match_pattern_list: whether a text matches one of the
// patterns that commas separate, and none of those with a ! before it.
func matchList(text, patterns string) bool {
	positive := false
	for rest, more := patterns, patterns != ""; more; {
		var pattern string
		pattern, rest, more = strings.Cut(rest, ",")
		more = more && rest != "" // what is behind the last comma is not a pattern
		pattern, not := strings.CutPrefix(pattern, "!")
		if len(pattern) >= maxPattern {
			return false
		}
		if !matchPattern(text, pattern) {
			continue
		}
		if not {
			return false
		}
		positive = true
	}
	return positive
}

// matchPattern matches bytes: * is any number of them, ? is one, and all others
// are themselves.
func matchPattern(text, pattern string) bool {
	t, p := 0, 0
	star, from := -1, 0 // the last star, and where what it takes begins to be tried
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			t++
			p++
		case star >= 0:
			from++
			t, p = from, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
