package lanes

import (
	"errors"
	"slices"
	"strings"
)

// form is one way to match another tool's pattern, as pieces in order. A glob
// with braces or a regular expression with choices has several.
type form struct {
	pieces []piece
	exact  bool // no path matches that the other tool's pattern does not match
}

type pieceKind uint8

const (
	literal   pieceKind = iota
	oneOf               // one ASCII byte of text
	within              // any bytes but slashes
	across              // any bytes
	folders             // nothing, or folders with their slashes; at the start of a name
	textStart           // of a regular expression
	textEnd
)

type piece struct {
	kind pieceKind
	text string
}

// maxForms bounds what one pattern of another tool is written out to.
const maxForms = 64

var errManyForms = errors.New("it has too many choices")

// product writes every form of a before every form of b.
func product(a, b []form) ([]form, error) {
	if len(a)*len(b) > maxForms {
		return nil, errManyForms
	}
	out := make([]form, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, form{slices.Concat(x.pieces, y.pieces), x.exact && y.exact})
		}
	}
	return out, nil
}

// simple joins neighbours that say the same twice: literals, and stars next to
// stars.
func simple(pieces []piece) []piece {
	var out []piece
	for _, p := range pieces {
		if p.kind == literal && p.text == "" {
			continue
		}
		if len(out) == 0 {
			out = append(out, p)
			continue
		}
		last := &out[len(out)-1]
		switch {
		case p.kind == literal && last.kind == literal:
			last.text += p.text
		case p.kind == across && last.kind >= within && last.kind <= folders:
			last.kind = across
		case p.kind == within && (last.kind == within || last.kind == across):
		default:
			out = append(out, p)
		}
	}
	return out
}

// globs writes a form as patterns of ours: they match what the form matches,
// and no more where it is exact. fold writes letters as [aA].
func (f form) globs(fold bool) ([]string, error) {
	done := []string{""}
	pieces := simple(f.pieces)
	for i, p := range pieces {
		nameStart := i == 0 || pieces[i-1].kind == folders || strings.HasSuffix(pieces[i-1].text, "/")
		last := i == len(pieces)-1
		switch {
		case p.kind == literal:
			done = each(done, escaped(p.text, fold))
		case p.kind == oneOf:
			done = each(done, class(p.text, fold))
		case p.kind == within:
			done = each(done, "*")
		case p.kind == folders:
			done = each(done, "**/")
		case p.kind == across && nameStart && last:
			done = each(done, "**")
		case p.kind == across && nameStart:
			done = each(done, "**/*")
		case p.kind == across:
			done = append(each(done, "*"), each(done, "*/**/*")...)
		}
		if len(done) > maxForms {
			return nil, errManyForms
		}
	}
	return done, nil
}

func each(starts []string, end string) []string {
	out := make([]string, len(starts))
	for i, s := range starts {
		out[i] = s + end
	}
	return out
}

// escaped writes text as a pattern that means it.
func escaped(text string, fold bool) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case fold && isLetter(c):
			b.WriteString(class(text[i:i+1], true))
			continue
		case strings.IndexByte(`*?[\`, c) >= 0, i == 0 && (c == ':' || c == '!'):
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// class writes a bracket expression of ASCII bytes.
func class(bytes string, fold bool) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range len(bytes) {
		c := bytes[i]
		switch {
		case fold && isLetter(c):
			b.WriteByte(c | 0x20)
			b.WriteByte(c &^ 0x20)
			continue
		case !isLetter(c) && (c < '0' || c > '9'):
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteByte(']')
	return b.String()
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// widened writes forms as the patterns of a trigger: they match whatever the
// other tool's pattern matches, and perhaps more. nil without an error is
// every path. Our patterns match without regard to case, except for the dots
// and spaces that end a name: where a pattern looks at those and case does not
// count, its letters are written as [aA].
func widened(forms []form, anyCase bool) ([]string, error) {
	var all []string
	for _, f := range forms {
		f.pieces = shorter(simple(f.pieces))
		if len(f.pieces) == 1 && f.pieces[0].kind == across {
			return nil, nil
		}
		globs, err := f.globs(anyCase && looksAtEnd(f.pieces))
		if err != nil {
			globs, err = twoEnds(f.pieces).globs(anyCase)
		}
		if err != nil {
			return nil, err
		}
		for _, g := range globs {
			if _, err := ParseGlob(g); err != nil {
				return nil, cause(err)
			}
			if !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return all, nil
}

// shorter takes `**/*` for `*` where stars cross slashes: it matches no less.
func shorter(pieces []piece) []piece {
	for i := 0; i+2 < len(pieces); i++ {
		if pieces[i].kind == across && pieces[i+1] == (piece{literal, "/"}) && pieces[i+2].kind == across {
			return shorter(slices.Delete(slices.Clone(pieces), i, i+2))
		}
	}
	return pieces
}

// twoEnds is a form of two ends: what it begins with and what it ends in.
func twoEnds(pieces []piece) form {
	first, last := []piece{{kind: across}}, []piece(nil)
	if pieces[0].kind == literal {
		first = []piece{pieces[0], {kind: across}}
	}
	if end := pieces[len(pieces)-1]; end.kind == literal {
		last = []piece{end}
	}
	return form{pieces: append(first, last...)}
}

// looksAtEnd says that a dot or a space may be the end of a name.
func looksAtEnd(pieces []piece) bool {
	open := false // since the last dot or space there was nothing but stars
	for _, p := range pieces {
		if p.kind == within || p.kind == across || p.kind == folders {
			continue
		}
		if p.kind == oneOf {
			open = open || strings.ContainsAny(p.text, ". ")
			continue
		}
		for _, c := range []byte(p.text) {
			switch {
			case c == '.' || c == ' ':
				open = true
			case c == '/' && open:
				return true
			default:
				open = false
			}
		}
	}
	return open
}

// narrowed writes forms as the patterns of an exclusion: they match nothing
// that the other tool's pattern does not match, and perhaps less. It says
// whether a form was left out.
func narrowed(forms []form) (all []string, less bool) {
	for _, f := range forms {
		pieces, ok := simple(f.pieces), f.exact
		if ok && len(pieces) == 1 && pieces[0].kind == literal {
			pieces, ok = fileOnly(pieces[0].text)
		}
		globs, err := form{pieces: pieces}.globs(false)
		if !ok || err != nil || slices.ContainsFunc(globs, notAsWritten) {
			less = true
			continue
		}
		for _, g := range globs {
			if !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return all, less
}

// fileOnly writes a plain path so that it is that file and never a folder with
// what is below it: one letter becomes a class.
func fileOnly(path string) ([]piece, bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if c := path[i]; isLetter(c) || '0' <= c && c <= '9' {
			return []piece{{literal, path[:i]}, {oneOf, path[i : i+1]}, {literal, path[i+1:]}}, true
		}
	}
	return nil, false
}

// notAsWritten is a pattern that ours does not take, or takes for another one:
// the names "." and "" in a path are dropped.
func notAsWritten(glob string) bool {
	_, err := ParseGlob(glob)
	return err != nil || strings.HasSuffix(glob, "/") || normalPath(glob) != glob
}
