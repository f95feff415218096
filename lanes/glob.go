package lanes

import (
	"errors"
	"fmt"
	"strings"
)

// maxPattern is the longest pattern taken, in bytes: git's own PATH_MAX.
const maxPattern = 4096

// Glob is one pattern with the meaning of git's `:(glob)` pathspec. Patterns
// and paths are bytes, not letters: `?` is one byte. The zero Glob matches
// nothing.
//
//   - `*` and `?` and `[…]` never match a slash;
//   - `**` as a whole name matches any number of folders, so `**/x` is x at
//     any depth and `a/**` is all that is below a; anywhere else `**` is `*`;
//   - `[a-z]`, `[!a-z]`, `[^a-z]` and `[[:alpha:]]` match one byte, `\x` is x;
//   - a pattern without any of these is a file, or a folder with all below it.
//
// Some special cases are git's too. A pattern, or its beginning up to a slash, that
// is also the literal name of a folder (one really called `[id]`) matches that
// folder as well, except under `ignore`. `./` and a doubled slash are dropped. And
// `**` right after the pattern's leading plain text, as in `lib**`, crosses slashes
// although there is no slash before it.
//
// A submodule is matched like a file, only by its path: `lib`. Git accepts `lib/`
// too, but a path alone does not show that it is a submodule.
//
// If git's own commands differ in such cases, the ones that compare trees (git
// diff-tree) count, not the ones that list files.
type Glob struct {
	text   string // as git sees it: normal form, with its trailing slash
	source string // as written
	wild   int    // bytes of text before the first wildcard; len(text) if none
	tail   string // every match of the wildcard part ends in this
	prog   []token
}

type tokenKind uint8

const (
	oneByte   tokenKind = iota
	anyByte             // ?
	classByte           // […]
	star                // *
	manyDirs            // **/ : nothing, or anything up to a slash
	anything            // **
)

type token struct {
	kind tokenKind
	b    byte
	set  *byteSet
	jump string // of manyDirs: a slash and the plain text that must follow it
}

// ParseGlob reads a pattern. It refuses patterns that git refuses, and patterns that
// git accepts but that are mistakes in a lanes file: an absolute path, "..", magic
// words, an unclosed bracket, a pattern that no file can match.
func ParseGlob(pattern string) (Glob, error) {
	if err := checkPattern(pattern); err != nil {
		return Glob{}, fmt.Errorf("bad pattern %q: %w", pattern, err)
	}
	g := Glob{text: normalPath(pattern), source: pattern}
	g.wild = len(g.text)
	if i := strings.IndexAny(g.text, `*?[\`); i >= 0 {
		g.wild = i
	}
	prog, err := compile(g.text[g.wild:])
	if err != nil {
		return Glob{}, fmt.Errorf("bad pattern %q: %w", pattern, err)
	}
	g.prog, g.tail = prog, plainTail(prog)
	if n := len(prog); n > 0 && (strings.HasSuffix(g.tail, "/") || prog[n-1].kind == manyDirs) {
		return Glob{}, fmt.Errorf("bad pattern %q: it ends in a slash and matches no file; write %q", pattern, pattern+"**")
	}
	return g, nil
}

func checkPattern(p string) error {
	switch {
	case p == "":
		return errors.New("it is empty; leave `paths` out to run on every push")
	case len(p) > maxPattern:
		return fmt.Errorf("it is longer than %d bytes", maxPattern)
	case strings.IndexByte(p, 0) >= 0:
		return errors.New("it holds a NUL byte")
	case p[0] == '/':
		return errors.New("it begins with a slash; paths are relative to the repository's top folder")
	case p[0] == ':':
		return errors.New("it begins with a colon, git's sign for magic words; write `\\:` to mean the character")
	case p[0] == '!':
		return errors.New("it begins with !; list it under `ignore`, or write `\\!` to mean the character")
	}
	for name := range strings.SplitSeq(p, "/") {
		if name == ".." {
			return errors.New("it holds \"..\"; paths are relative to the repository's top folder")
		}
	}
	return nil
}

// normalPath drops "." names and doubled slashes and keeps a trailing slash,
// before anything else looks at the pattern: git does it in that order.
func normalPath(p string) string {
	var b strings.Builder
	names := strings.Split(p, "/")
	for i, name := range names {
		if name == "" || name == "." {
			continue
		}
		b.WriteString(name)
		if i < len(names)-1 {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// String returns the pattern as it was written.
func (g Glob) String() string { return g.source }

// Match reports whether the pattern matches the path of a file, relative to the
// repository's top with slashes, as git stores it.
func (g Glob) Match(path string) bool {
	return g.matchWild(path) || g.below(path) || g.inNamesake(path)
}

// inNamesake covers a folder that bears the name of the pattern's beginning:
// for `[id]/*.ts` a file in a folder called `[id]`. Only the rest of the
// pattern is then matched, against the file's own name. It is rare enough to
// be compiled on the spot.
func (g *Glob) inNamesake(path string) bool {
	folder := strings.LastIndexByte(path, '/') + 1
	if folder <= g.wild || !strings.HasPrefix(g.text, path[:folder]) {
		return false
	}
	prog, err := compile(g.text[folder:])
	return err == nil && run(prog, path[folder:])
}

// below reports whether the pattern, taken as plain text, is the path or a
// folder above it.
func (g *Glob) below(path string) bool {
	t := g.text
	if t == "" {
		return g.source != ""
	}
	if !strings.HasPrefix(path, t) {
		return false
	}
	return len(path) == len(t) || t[len(t)-1] == '/' || path[len(t)] == '/'
}

// namesake says that a pattern with wildcards matches a path for its spelling
// alone.
func (g *Glob) namesake(path string) bool { return len(g.prog) > 0 && !g.matchWild(path) }

// equal is Match without the rule about folders, for the names of refs.
func (g *Glob) equal(name string) bool {
	return name == g.text || g.matchWild(name)
}

func (g *Glob) matchWild(path string) bool {
	if len(g.prog) == 0 || len(path) < g.wild || path[:g.wild] != g.text[:g.wild] {
		return false
	}
	rest := path[g.wild:]
	return strings.HasSuffix(rest, g.tail) && run(g.prog, rest)
}

// run matches all of s. It backtracks only to two places, the last star and the
// last double star: everything that an earlier one could still reach, the later
// one reaches too, because the text before a `**/` ends in a slash. So no input
// takes longer than bytes times tokens.
func run(prog []token, s string) bool {
	i, p := 0, 0
	starAt, starTo := -1, 0
	deepAt, deepTo := -1, 0
	for {
		switch {
		case p == len(prog) && i == len(s):
			return true
		case p < len(prog) && prog[p].kind == star:
			starAt, starTo = p, i
			p++
			continue
		case p < len(prog) && prog[p].kind >= manyDirs:
			deepAt, deepTo, starAt = p, i, -1
			if prog[p].kind == anything && p == len(prog)-1 {
				return true
			}
			p++
			continue
		case p < len(prog) && i < len(s) && prog[p].takes(s[i]):
			i, p = i+1, p+1
			continue
		}
		if starAt >= 0 && starTo < len(s) && s[starTo] != '/' {
			starTo++
			i, p = starTo, starAt+1
			continue
		}
		if deepAt < 0 {
			return false
		}
		deepTo = prog[deepAt].next(s, deepTo)
		if deepTo < 0 {
			return false
		}
		i, p, starAt = deepTo, deepAt+1, -1
	}
}

func (t *token) takes(b byte) bool {
	switch t.kind {
	case oneByte:
		return b == t.b
	case anyByte:
		return b != '/'
	default:
		return b != '/' && t.set.has(b)
	}
}

// next is the first place after `from` where what follows a double star may
// begin, or -1.
func (t *token) next(s string, from int) int {
	if from >= len(s) {
		return -1
	}
	if t.kind == anything {
		return from + 1
	}
	if k := strings.Index(s[from:], t.jump); k >= 0 {
		return from + k + 1
	}
	return -1
}
