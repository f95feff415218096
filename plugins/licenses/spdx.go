package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/github/go-spdx/v2/spdxexp"
)

// policy says which licences may be.
type policy struct{ allow, deny []string }

// expression is an SPDX licence expression: an id, or two joined.
type expression struct {
	id          string // with its exception: "X WITH Y"
	op          string // AND or OR
	left, right *expression
}

// refuses says why a licence is refused; "" where it is not. Of a choice one
// part that is allowed is enough.
func (p policy) refuses(e *expression) string {
	switch e.op {
	case "AND":
		if why := p.refuses(e.left); why != "" {
			return why
		}
		return p.refuses(e.right)
	case "OR":
		why := p.refuses(e.left)
		if why == "" || p.refuses(e.right) == "" {
			return ""
		}
		return why
	}
	switch {
	case has(p.deny, e.id):
		return e.id + " is denied"
	case len(p.allow) > 0 && !has(p.allow, e.id):
		return e.id + " is not allowed"
	}
	return ""
}

// has looks an id up, with its exception or without.
func has(list []string, id string) bool {
	bare, _, _ := strings.Cut(id, " WITH ")
	for _, one := range list {
		if strings.EqualFold(plain(one), plain(id)) || strings.EqualFold(plain(one), plain(bare)) {
			return true
		}
	}
	return false
}

// plain leaves out what a licence's text does not say: whether later versions
// may be chosen.
func plain(id string) string {
	for _, end := range []string{"-only", "-or-later", "+"} {
		id = strings.TrimSuffix(id, end)
	}
	return id
}

// maxWords bounds an expression, and with it the recursion.
const maxWords = 200

// parseExpression reads "(MIT OR Apache-2.0) AND BSD-3-Clause". Older crates
// write a slash for OR.
func parseExpression(text string) (*expression, error) {
	text = strings.NewReplacer("(", " ( ", ")", " ) ", "/", " OR ").Replace(text)
	p := &spdxParser{words: strings.Fields(text)}
	if len(p.words) > maxWords {
		return nil, errors.New("it is too long")
	}
	e, err := p.or()
	if err == nil && p.at < len(p.words) {
		err = errors.New("unexpected " + strconv.Quote(p.words[p.at]))
	}
	return e, err
}

type spdxParser struct {
	words []string
	at    int
}

// take goes on if the next word is this one.
func (p *spdxParser) take(word string) bool {
	if p.at < len(p.words) && strings.EqualFold(p.words[p.at], word) {
		p.at++
		return true
	}
	return false
}

func (p *spdxParser) or() (*expression, error) { return p.joined("OR", p.and) }

func (p *spdxParser) and() (*expression, error) { return p.joined("AND", p.one) }

func (p *spdxParser) joined(op string, part func() (*expression, error)) (*expression, error) {
	left, err := part()
	for err == nil && p.take(op) {
		var right *expression
		right, err = part()
		left = &expression{op: op, left: left, right: right}
	}
	return left, err
}

func (p *spdxParser) one() (*expression, error) {
	if p.take("(") {
		e, err := p.or()
		if err == nil && !p.take(")") {
			err = errors.New("a bracket is not closed")
		}
		return e, err
	}
	id, err := p.id()
	if err == nil && p.take("WITH") {
		var exception string
		exception, err = p.id()
		id += " WITH " + exception
	}
	if err == nil && !known(id) {
		err = errors.New(strconv.Quote(id) + " is not on the SPDX list")
	}
	return &expression{id: id}, err
}

func (p *spdxParser) id() (string, error) {
	if p.at == len(p.words) {
		return "", errors.New("it ends early")
	}
	word := p.words[p.at]
	for _, c := range []byte(word) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '+' ||
			c == ':') {
			return "", errors.New(strconv.Quote(word) + " is not a licence id")
		}
	}
	switch strings.ToUpper(word) {
	case "AND", "OR", "WITH", "SEE", "UNLICENSED", "NONE", "NOASSERTION", "CUSTOM":
		return "", errors.New(strconv.Quote(word) + " is not a licence id")
	}
	p.at++
	return word, nil
}

// known reports whether an id, perhaps with an exception, is on the SPDX list
// or is a LicenseRef of the project's own.
func known(id string) bool {
	ok, _ := spdxexp.ValidateLicenses([]string{id})
	return ok
}

// checkIDs refuses a setting that names what is not an id: nothing would ever match
// it.
func checkIDs(setting string, ids []string) error {
	for _, id := range ids {
		if !known(id) {
			return errors.New("setting " + setting + ": " + strconv.Quote(id) +
				" is not an SPDX licence id (see https://spdx.org/licenses)")
		}
	}
	return nil
}
