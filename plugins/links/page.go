package main

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// page is a Markdown file, as far as links go.
type page struct {
	links   []link
	anchors map[string]bool
}

type link struct {
	target string // as written
	line   int    // from 1
}

// inside takes a target apart; false: it is an address elsewhere.
func (l link) inside() (target, anchor string, inside bool) {
	u, err := url.Parse(l.target)
	if err != nil || u.Scheme != "" || u.Host != "" || strings.HasPrefix(l.target, "//") {
		return "", "", false
	}
	return u.Path, u.Fragment, u.Path != "" || u.Fragment != ""
}

// parse reads a file as GitHub does: CommonMark with tables and footnotes.
// Code holds no links.
func parse(data []byte) *page {
	p := &page{anchors: map[string]bool{}}
	lines := newLines(data)
	seen := map[string]int{}
	context := parser.NewContext()
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser().Parse(text.NewReader(data), parser.WithContext(context))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			p.add(string(n.Destination), lines.of(n))
		case *ast.Image:
			p.add(string(n.Destination), lines.of(n))
		case *ast.Heading:
			p.heading(plain(n, data), seen)
		case *ast.RawHTML:
			p.named(segments(n.Segments, data))
		case *ast.HTMLBlock:
			p.named(segments(n.Lines(), data))
		}
		return ast.WalkContinue, nil
	})
	for _, ref := range context.References() { // also those that nothing uses
		if !bytes.HasPrefix(ref.Destination(), []byte("#")) && !p.has(string(ref.Destination())) {
			p.add(string(ref.Destination()), lines.find(ref.Destination()))
		}
	}
	return p
}

func (p *page) add(target string, line int) { p.links = append(p.links, link{target, line}) }

func (p *page) has(target string) bool {
	for _, l := range p.links {
		if l.target == target {
			return true
		}
	}
	return false
}

// heading adds the anchor that GitHub gives a heading: lower case, blanks as
// hyphens, other marks left out, a number behind the second of a name.
func (p *page) heading(words string, seen map[string]int) {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(words)) {
		switch {
		case r == ' ' || r == '-':
			b.WriteByte('-')
		case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r):
			b.WriteRune(r)
		}
	}
	name := b.String()
	n := seen[name]
	if seen[name]++; n > 0 {
		name += "-" + strconv.Itoa(n)
	}
	p.anchors[name] = true
}

// named adds the anchors of HTML: id="…" and name="…".
func (p *page) named(html string) {
	for _, key := range []string{"id=", "name="} {
		rest := html
		for {
			_, after, found := strings.Cut(rest, key)
			if !found {
				break
			}
			rest = after
			if quote := strings.IndexAny(after, `"'`); quote == 0 {
				if name, _, closed := strings.Cut(after[1:], after[:1]); closed {
					p.anchors[name] = true
				}
			}
		}
	}
}

// plain is the text of a heading without its marks.
func plain(n ast.Node, data []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.Write(c.Segment.Value(data))
		case *ast.String:
			b.Write(c.Value)
		case *ast.Image:
		default:
			b.WriteString(plain(c, data))
		}
	}
	return b.String()
}

func segments(all *text.Segments, data []byte) string {
	var b strings.Builder
	for i := range all.Len() {
		s := all.At(i)
		b.Write(s.Value(data))
	}
	return b.String()
}

// lineIndex finds the line of a place in the file.
type lineIndex struct {
	data []byte
}

func newLines(data []byte) lineIndex { return lineIndex{data} }

func (l lineIndex) at(offset int) int {
	return 1 + bytes.Count(l.data[:min(offset, len(l.data))], []byte("\n"))
}

func (l lineIndex) find(what []byte) int { return l.at(max(0, bytes.Index(l.data, what))) }

// of is the line of a link: of its text, else of the paragraph it stands in.
func (l lineIndex) of(n ast.Node) int {
	for c := n.FirstChild(); c != nil; c = c.FirstChild() {
		if t, ok := c.(*ast.Text); ok {
			return l.at(t.Segment.Start)
		}
	}
	for prev := n.PreviousSibling(); prev != nil; prev = prev.PreviousSibling() {
		if t, ok := prev.(*ast.Text); ok {
			return l.at(t.Segment.Stop)
		}
	}
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Type() == ast.TypeBlock && p.Lines().Len() > 0 {
			return l.at(p.Lines().At(0).Start)
		}
	}
	return 1
}
