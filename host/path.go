package host

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// quotePath shows a path as it is where a terminal can, else quoted, so that
// a name with a newline never makes a line of its own.
func quotePath(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !keep(r) || r == '\t' }) {
		return path
	}
	return strconv.Quote(path)
}

func uriPath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
