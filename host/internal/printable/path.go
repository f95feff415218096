package printable

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// QuotePath shows a path as it is where a terminal can, else quoted, so that
// a name with a newline never makes a line of its own.
func QuotePath(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !Rune(r) || r == '\t' }) {
		return path
	}
	return strconv.Quote(path)
}

// URIPath is a path as a URI has it.
func URIPath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
