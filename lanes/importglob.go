package lanes

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dialect is how another tool reads globs.
type dialect struct {
	anyCase  bool // both sides are lower-cased
	crossing bool // a star matches slashes
	deep     bool // `**/` may be nothing
	ranges   bool // a class may have several ranges, and ^ is ! in it
}

var (
	gobwasGlobs     = dialect{crossing: true}
	doublestarGlobs = dialect{deep: true, ranges: true}
	globsetGlobs    = dialect{crossing: true, deep: true, ranges: true}
)

// forms reads a glob. A glob that the tool would refuse, or whose meaning is
// not sure, is an error.
func (d dialect) forms(glob string) ([]form, error) {
	if !utf8.ValidString(glob) {
		return nil, errors.New("it is not UTF-8")
	}
	if d.anyCase {
		glob = strings.ToLower(glob)
	}
	p := globParser{dialect: d, rest: glob}
	forms, err := p.sequence(0)
	if err != nil {
		return nil, err
	}
	switch {
	case d.deep && !d.crossing:
		forms = withFolderItself(forms)
	case !d.deep && p.any:
		return endless(forms), nil
	case !d.deep:
		forms = withOverlaps(forms)
	}
	return forms, nil
}

// endless lets anything follow: gobwas counts the bytes of a path that is not
// ASCII wrongly where a pattern has ? or a negated class.
func endless(forms []form) []form {
	for i := range forms {
		forms[i].pieces = append(forms[i].pieces, piece{kind: across})
	}
	return forms
}

// withOverlaps adds `aba` to `ab*ba`, which gobwas matches too: there the two
// ends of a pattern may share bytes.
func withOverlaps(forms []form) []form {
	for _, f := range forms {
		p := simple(f.pieces)
		if len(p) != 3 || p[0].kind != literal || p[1].kind != across || p[2].kind != literal {
			continue
		}
		for n := 1; n <= min(len(p[0].text), len(p[2].text)); n++ {
			if rest, ok := strings.CutPrefix(p[2].text, p[0].text[len(p[0].text)-n:]); ok {
				forms = append(forms, form{pieces: []piece{{literal, p[0].text + rest}}})
			}
		}
	}
	return forms
}

// withFolderItself adds `a` to `a/**`, which doublestar matches too.
func withFolderItself(forms []form) []form {
	for _, f := range forms {
		p := simple(f.pieces)
		if n := len(p); n > 1 && p[n-1].kind == across && strings.HasSuffix(p[n-2].text, "/") && p[n-2].kind == literal {
			itself := append(append([]piece{}, p[:n-2]...), piece{literal, strings.TrimSuffix(p[n-2].text, "/")})
			forms = append(forms, form{pieces: itself}) // not always, so it is not an exclusion
		}
	}
	return forms
}

type globParser struct {
	dialect
	rest string
	done string // what was read, for what precedes a star
	any  bool   // it has a ? or a negated class
}

func (p *globParser) take(n int) {
	p.done, p.rest = p.done+p.rest[:n], p.rest[n:]
}

// maxBraces is how far braces may nest.
const maxBraces = 20

// sequence reads up to the end, or inside braces up to a comma or the closing
// brace.
func (p *globParser) sequence(depth int) ([]form, error) {
	if depth > maxBraces {
		return nil, errors.New("its braces are nested too deep")
	}
	forms := []form{{exact: true}}
	for p.rest != "" && !(depth > 0 && strings.IndexByte(",}", p.rest[0]) >= 0) {
		next, err := p.item(depth)
		if err != nil {
			return nil, err
		}
		if forms, err = product(forms, next); err != nil {
			return nil, err
		}
	}
	return forms, nil
}

func one(kind pieceKind, text string, exact bool) []form {
	return []form{{[]piece{{kind, text}}, exact}}
}

func (p *globParser) item(depth int) ([]form, error) {
	switch p.rest[0] {
	case '*':
		return p.stars(depth)
	case '?':
		p.any = true
		p.take(1)
		return one(across, "", false), nil
	case '[':
		return p.class()
	case '{':
		return p.braces(depth)
	case '\\':
		if len(p.rest) < 2 {
			return nil, errors.New("it ends in a lone backslash")
		}
		p.take(1)
	}
	r, n := utf8.DecodeRuneInString(p.rest)
	text := p.rest[:n]
	p.take(n)
	if !p.deep && n > 1 && !p.anyCase {
		return one(literal, text, false), nil // gobwas makes mistakes with some
	}
	if p.anyCase && n > 1 && (unicode.SimpleFold(r) != r || unicode.IsUpper(r) || r == utf8.RuneError) {
		return one(across, "", false), nil
	}
	return one(literal, text, true), nil
}

// stars reads a run of stars.
func (p *globParser) stars(depth int) ([]form, error) {
	n := len(p.rest) - len(strings.TrimLeft(p.rest, "*"))
	after, atStart := p.rest[n:], p.done == "" || strings.HasSuffix(p.done, "/")
	if p.deep && n > 2 {
		return nil, errors.New("it has more than two stars in a row")
	}
	if p.deep && n > 1 {
		if depth > 0 {
			return nil, errors.New("it has a double star inside braces")
		}
		switch {
		case atStart && strings.HasPrefix(after, "/"):
			p.take(n + 1)
			return one(folders, "", true), nil
		case atStart && after == "":
			p.take(n)
			return one(across, "", true), nil
		case strings.ContainsAny(after[:min(1, len(after))], `{\`), p.done != "" && strings.HasSuffix(p.done, "}"):
			return nil, errors.New("it has a double star next to braces or a backslash")
		}
	}
	p.take(n)
	if p.crossing {
		return one(across, "", true), nil
	}
	return one(within, "", true), nil
}

func (p *globParser) braces(depth int) ([]form, error) {
	var all []form
	for {
		p.take(1)
		some, err := p.sequence(depth + 1)
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			// gobwas makes mistakes with a choice that may be nothing.
			all = append(all, form{f.pieces, f.exact && len(f.pieces) > 0})
		}
		if len(all) > maxForms {
			return nil, errManyForms
		}
		switch {
		case p.rest == "":
			return nil, errors.New("its braces do not pair")
		case p.rest[0] == '}':
			p.take(1)
			return all, nil
		}
	}
}

// class reads a bracket expression. Only one of plain ASCII without a slash
// has an equal; every other becomes a star.
func (p *globParser) class() ([]form, error) {
	list, n, not, err := p.members()
	if err != nil {
		return nil, err
	}
	p.take(n)
	if not || strings.ContainsFunc(list, func(r rune) bool { return r >= utf8.RuneSelf || r == '/' || r == 0 }) {
		p.any = true
		return one(across, "", false), nil
	}
	if p.anyCase {
		list += strings.ToUpper(list)
	}
	return one(oneOf, list, true), nil
}

// members lists what a bracket expression holds, and how long it is.
func (p *globParser) members() (list string, n int, not bool, err error) {
	s, bad := p.rest, errors.New("a bracket of it does not close")
	i := 1
	if i < len(s) && (s[i] == '!' || s[i] == '^' && p.ranges) {
		not, i = true, i+1
	}
	if !p.ranges && strings.ContainsAny(s[i:min(len(s), i+1)]+upTo(s, ']'), `]\`) {
		return "", 0, false, errors.New("a bracket of it has no clear meaning")
	}
	var b strings.Builder
	for first := true; i < len(s) && (s[i] != ']' || first); first = false {
		low, w, err := member(s[i:])
		if err != nil {
			return "", 0, false, err
		}
		i += w
		if i+1 < len(s) && s[i] == '-' && s[i+1] != ']' && (p.ranges || first) {
			high, w, err := member(s[i+1:])
			if err != nil || low > high || high-low > utf8.RuneSelf {
				return "", 0, false, errors.New("a range of it is not one")
			}
			for r := low; r <= high; r++ {
				b.WriteRune(r)
			}
			if i += 1 + w; !p.ranges && (i >= len(s) || s[i] != ']') {
				return "", 0, false, bad
			}
			continue
		}
		b.WriteRune(low)
	}
	if i >= len(s) || b.Len() == 0 {
		return "", 0, false, bad
	}
	return b.String(), i + 1, not, nil
}

// upTo is the text before the first c, or all of it.
func upTo(s string, c byte) string {
	if i := strings.IndexByte(s, c); i >= 0 {
		return s[:i]
	}
	return s
}

func member(s string) (rune, int, error) {
	skip := 0
	if s[0] == '\\' {
		skip = 1
	}
	if len(s) <= skip {
		return 0, 0, errors.New("a bracket of it does not close")
	}
	r, n := utf8.DecodeRuneInString(s[skip:])
	return r, n + skip, nil
}
