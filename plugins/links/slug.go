package main

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/util"
)

// slugs counts how often each anchor came.
type slugs map[string]int

// heading adds the anchor that GitHub gives a heading: lower case, blanks as
// hyphens, marks that are part of no word left out, a number behind the second
// of a name. GitHub keeps the blank next to a picture; other forges do not.
func (p *page) heading(words string, seen slugs) {
	name := slug(strings.TrimRight(words, " \t\n"))
	n := seen[name]
	if seen[name]++; n > 0 {
		name += "-" + strconv.Itoa(n)
	}
	p.anchors[name] = true
	p.anchors[strings.TrimLeft(name, "-")] = true
}

// slug is the anchor of a text: of letters, marks, numbers and connectors (the
// Unicode categories L, M, N and Pc), blanks and hyphens.
func slug(words string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(words) {
		switch {
		case r == ' ' || r == '-':
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r), unicode.Is(unicode.Pc, r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// meant resolves the backslash escapes and the entities of a text, in one pass:
// what one of them gives is not read again.
func meant(text string) string {
	if !strings.ContainsAny(text, `\&`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && util.IsPunct(text[i+1]):
			i++
			b.WriteByte(text[i])
		case text[i] == '&':
			said, n := entity(text[i:])
			b.WriteString(said)
			i += n - 1
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// entity resolves the entity that a text begins with, and says how long it is.
func entity(text string) (string, int) {
	const longest = 40
	end := strings.IndexByte(text[:min(len(text), longest)], ';') + 1
	if end == 0 {
		return "&", 1
	}
	whole := []byte(text[:end])
	return string(util.ResolveEntityNames(util.ResolveNumericReferences(whole))), end
}

var (
	attributes = regexp.MustCompile(`(?is)\b(?:id|name)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>` + "`" + `]+))`)
	headings   = regexp.MustCompile(`(?is)<h[1-6](?:\s[^>]*)?>(.*?)</h[1-6]\s*>`)
	tags       = regexp.MustCompile(`(?s)<[^>]*>`)
)

// html adds the anchors of HTML: id and name of any element, and headings.
func (p *page) html(text string, seen slugs) {
	for _, m := range attributes.FindAllStringSubmatch(text, -1) {
		p.anchors[strings.TrimPrefix(meantEntities(m[1]+m[2]+m[3]), "user-content-")] = true
	}
	for _, m := range headings.FindAllStringSubmatch(text, -1) {
		words := strings.Join(strings.Fields(meantEntities(tags.ReplaceAllString(m[1], ""))), " ")
		p.heading(words, seen)
	}
}

// meantEntities resolves the entities of HTML, in which a backslash is one.
func meantEntities(text string) string { return meant(strings.ReplaceAll(text, `\`, `\\`)) }

// lineAnchor is what forges call the lines of a file: L10, L10-L20, L10C2-L20C5.
var lineAnchor = regexp.MustCompile(`^L\d+(?:C\d+)?(?:-L?\d+(?:C\d+)?)?$`)

// has reports whether a page has an anchor, as browsers and forges look for it.
func (p *page) has(anchor string) bool {
	anchor = strings.TrimPrefix(anchor, "user-content-")
	return p.anchors[anchor] || p.anchors[strings.ToLower(anchor)] || anchor == "top" || lineAnchor.MatchString(anchor)
}
