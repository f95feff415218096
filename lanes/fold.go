package lanes

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns the same form for all paths that are one file in a checkout on some
// system: one Unicode normal form, one case, without the code points that HFS+
// ignores, and without the dots and spaces that Windows drops at the end of a name.
// Of a path that is not UTF-8 only the ASCII letters are folded.
func Fold(path string) string { return fold(path, "") }

// foldPattern is Fold for a pattern: the end of a name with wildcards is not
// cut, as `*.` would become all names.
func foldPattern(pattern string) string { return fold(pattern, `*?[\`) }

func fold(path, wild string) string {
	if isFolded(path) {
		return path
	}
	if !utf8.ValidString(path) {
		return asciiLower(path)
	}
	path = strings.Map(dropIgnorable, path)
	path = norm.NFC.String(cases.Fold().String(norm.NFD.String(path)))
	names := strings.Split(path, "/")
	for i, name := range names {
		if trimmed := strings.TrimRight(name, ". "); trimmed != "" && !strings.ContainsAny(name, wild) {
			names[i] = trimmed
		}
	}
	return strings.Join(names, "/")
}

// isFolded is true for the usual path: ASCII without capitals, whose names end
// in neither a dot nor a space.
func isFolded(path string) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c >= utf8.RuneSelf, 'A' <= c && c <= 'Z':
			return false
		case (c == '.' || c == ' ') && (i+1 == len(path) || path[i+1] == '/'):
			return false
		}
	}
	return true
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// dropIgnorable drops what HFS+ ignores in names: zero-width and direction
// marks, and the byte order mark.
func dropIgnorable(r rune) rune {
	if 0x200c <= r && r <= 0x200f || 0x202a <= r && r <= 0x202e || 0x206a <= r && r <= 0x206f || r == 0xfeff {
		return -1
	}
	return r
}

// folds are the folded paths of an event, sorted, and where each came from.
type folds struct {
	m    *matcher
	from []int32
}

func (m *matcher) foldsOf(index []int32) *folds {
	f := &folds{from: index, m: &matcher{paths: make([]string, len(index)), toil: m.toil}}
	folded := make(map[int32]string, len(index))
	for _, i := range index {
		folded[i] = Fold(m.paths[i])
	}
	slices.SortStableFunc(f.from, func(a, b int32) int { return strings.Compare(folded[a], folded[b]) })
	for k, i := range f.from {
		f.m.paths[k] = folded[i]
	}
	return f
}

// foldedOf gives the paths that a pattern has to be compared with once more:
// all of them where folding changes the pattern, else those that it changes.
func (m *matcher) foldedOf(pattern string) *folds {
	if isFolded(pattern) {
		if m.odd == nil {
			m.odd = m.foldsOf(m.indexes(func(p string) bool { return !isFolded(p) }))
		}
		return m.odd
	}
	if m.all == nil {
		m.all = m.foldsOf(m.indexes(func(string) bool { return true }))
	}
	return m.all
}

func (m *matcher) indexes(want func(string) bool) []int32 {
	var list []int32
	for i, p := range m.paths {
		if want(p) {
			list = append(list, int32(i))
		}
	}
	return list
}

// firstFolded finds the first path that a lane's patterns match but for case
// or normal form. What is ignored is ignored by its exact name alone: two names
// that are one elsewhere are judged.
func (m *matcher) firstFolded(lane Lane, skip map[int32]bool) (at int, glob string) {
	at = -1
	for _, pattern := range lane.Paths {
		g, err := m.glob(foldPattern(pattern))
		if err != nil {
			continue // what folding made of it is not a pattern
		}
		of := m.foldedOf(pattern)
		for _, k := range of.m.search(&g) {
			i := of.from[k]
			if !skip[i] && (at < 0 || int(i) < at) {
				at, glob = int(i), pattern
			}
		}
	}
	return at, glob
}

// shortName is a name as Windows makes one for a longer name: "PUSHLA~1" or
// "SOURCE~1.TXT" is the same file as one whose name it does not tell.
var shortName = regexp.MustCompile(`(^|/)[^/~.]{1,7}~[0-9]{1,6}(\.[^/.]{0,3})?(/|$)`)

// firstShort finds the first path with such a name in it, -1 where none has.
func (m *matcher) firstShort(skip map[int32]bool) int {
	for i, p := range m.paths {
		if strings.IndexByte(p, '~') >= 0 && !skip[int32(i)] && shortName.MatchString(p) {
			return i
		}
	}
	return -1
}
