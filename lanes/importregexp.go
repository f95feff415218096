package lanes

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wordClasses are the escapes that mean more in Python than in Go.
var wordClasses = regexp.MustCompile(`\\[dDwWsSbB]`)

// unsure is what both Python and Go read, each in its own way.
var unsure = regexp.MustCompile(`\{,|\[\[:|\\[QECpP]`)

// regexpForms reads a regular expression of Python that is searched for in a
// path. One that Go does not read has no forms.
func regexpForms(text string) ([]form, error) {
	if rest, ok := strings.CutPrefix(text, "(?x)"); ok {
		text = notVerbose(rest)
	}
	if unsure.MatchString(text) {
		return nil, errors.New("its meaning is unclear")
	}
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	r := regexpReader{words: wordClasses.MatchString(text)}
	forms, err := r.read(re, 0)
	if err != nil {
		return nil, err
	}
	for i, f := range forms {
		forms[i] = anchored(f)
	}
	return forms, nil
}

// notVerbose drops the blanks and comments of a verbose expression.
func notVerbose(text string) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			b.WriteString(text[i : i+2])
			i++
			continue
		case !inClass && strings.IndexByte(" \t\n\r\f\v", c) >= 0:
			continue
		case !inClass && c == '#':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
			continue
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// anchored says what may be before and after a match. An anchor in another
// place is left out: without it no less matches.
func anchored(f form) form {
	pieces := f.pieces
	out := form{exact: f.exact}
	if len(pieces) > 0 && pieces[0].kind == textStart {
		pieces = pieces[1:]
	} else {
		out.pieces = append(out.pieces, piece{kind: across})
	}
	tail := []piece{{kind: across}}
	if n := len(pieces); n > 0 && pieces[n-1].kind == textEnd {
		pieces, tail = pieces[:n-1], nil
	}
	for _, p := range pieces {
		if p.kind == textStart || p.kind == textEnd {
			out.exact = false
			continue
		}
		out.pieces = append(out.pieces, p)
	}
	out.pieces = append(out.pieces, tail...)
	return out
}

type regexpReader struct{ words bool }

const maxRegexpDepth = 50

func (r *regexpReader) read(re *syntax.Regexp, depth int) ([]form, error) {
	if depth > maxRegexpDepth {
		return nil, errors.New("it is nested too deep")
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []form{{exact: true}}, nil
	case syntax.OpLiteral:
		return literalForm(re), nil
	case syntax.OpCharClass:
		return r.class(re), nil
	case syntax.OpBeginText:
		return one(textStart, "", true), nil
	case syntax.OpEndText:
		return one(textEnd, "", true), nil
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []form{{}}, nil
	case syntax.OpCapture:
		return r.read(re.Sub[0], depth+1)
	case syntax.OpConcat:
		return r.concat(re.Sub, depth)
	case syntax.OpAlternate:
		return r.choice(re.Sub, depth)
	case syntax.OpQuest:
		some, err := r.read(re.Sub[0], depth+1)
		return append(some, form{exact: true}), err
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		if inName(re.Sub[0]) {
			return one(within, "", false), nil
		}
	case syntax.OpNoMatch:
		return nil, errors.New("it matches nothing")
	}
	return one(across, "", false), nil
}

func (r *regexpReader) concat(subs []*syntax.Regexp, depth int) ([]form, error) {
	forms := []form{{exact: true}}
	for _, sub := range subs {
		next, err := r.read(sub, depth+1)
		if err != nil {
			return nil, err
		}
		if forms, err = product(forms, next); err != nil {
			return nil, err
		}
	}
	return forms, nil
}

func (r *regexpReader) choice(subs []*syntax.Regexp, depth int) ([]form, error) {
	var all []form
	for _, sub := range subs {
		some, err := r.read(sub, depth+1)
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(all) > maxForms {
			return nil, errManyForms
		}
	}
	return all, nil
}

// literalForm is plain text. Where case does not count, a letter that is not
// ASCII becomes a star; the others rely on our patterns, which fold.
func literalForm(re *syntax.Regexp) []form {
	folded := re.Flags&syntax.FoldCase != 0
	var pieces []piece
	exact := true
	for _, c := range re.Rune {
		switch {
		case c == utf8.RuneError || folded && c >= utf8.RuneSelf && unicode.SimpleFold(c) != c:
			pieces, exact = append(pieces, piece{kind: across}), false
		case folded && c < utf8.RuneSelf && isLetter(byte(c)):
			letter := strings.ToLower(string(c))
			pieces = append(pieces, piece{oneOf, letter + strings.ToUpper(letter)})
		default:
			pieces = append(pieces, piece{literal, string(c)})
		}
	}
	return []form{{pieces, exact}}
}

// class is one character of some. Go gives them as pairs, from and to.
func (r *regexpReader) class(re *syntax.Regexp) []form {
	var b strings.Builder
	for i := 0; i < len(re.Rune); i += 2 {
		if r.words || re.Rune[i+1] >= utf8.RuneSelf {
			return one(across, "", false)
		}
		for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
			b.WriteRune(c)
		}
	}
	list := b.String()
	switch {
	case list == "/":
		return one(literal, "/", true)
	case strings.ContainsAny(list, "/\x00"):
		return one(across, "", false)
	}
	return one(oneOf, list, true)
}

// inName says that an expression matches no slash.
func inName(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return !strings.ContainsRune(string(re.Rune), '/')
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i] <= '/' && '/' <= re.Rune[i+1] {
				return false
			}
		}
		return true
	case syntax.OpCapture:
		return inName(re.Sub[0])
	}
	return false
}
