package main

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

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
	target string // as the page means it: without escapes and entities
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

// reader reads pages as GitHub does: CommonMark with tables and footnotes. Code
// holds no links.
type reader struct{ parser parser.Parser }

func newReader() reader {
	return reader{goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser()}
}

func (r reader) parse(data []byte) *page {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	p := &page{anchors: map[string]bool{}}
	lines := newLines(data)
	slugs := slugs{}
	context := parser.NewContext()
	doc := r.parser.Parse(text.NewReader(data), parser.WithContext(context))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			p.add(n.Destination, lines.of(n))
		case *ast.Image:
			p.add(n.Destination, lines.of(n))
		case *ast.Heading:
			p.heading(plain(n, data), slugs)
		case *ast.RawHTML:
			p.html(segments(n.Segments, data), slugs)
		case *ast.HTMLBlock:
			html := segments(n.Lines(), data)
			if n.HasClosure() {
				html += string(n.ClosureLine.Value(data))
			}
			p.html(html, slugs)
		}
		return ast.WalkContinue, nil
	})
	p.references(context.References(), lines)
	return p
}

// references adds the targets of references, also of those that nothing uses.
func (p *page) references(all []parser.Reference, lines lineIndex) {
	known := map[string]bool{}
	for _, l := range p.links {
		known[l.target] = true
	}
	for _, ref := range all {
		target := meant(string(ref.Destination()))
		if !strings.HasPrefix(target, "#") && !known[target] {
			known[target] = true
			p.add(ref.Destination(), lines.find(ref.Destination()))
		}
	}
}

func (p *page) add(destination []byte, line int) {
	p.links = append(p.links, link{meant(string(destination)), line})
}

// plain is the text of a heading without its marks.
func plain(n ast.Node, data []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			if _, code := n.(*ast.CodeSpan); code || c.IsRaw() {
				b.Write(c.Segment.Value(data))
			} else {
				b.WriteString(meant(string(c.Segment.Value(data))))
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.Image, *ast.RawHTML:
		case *ast.AutoLink:
			b.Write(c.Label(data))
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
	data  []byte
	begin []int // of each line
}

func newLines(data []byte) lineIndex {
	l := lineIndex{data: data, begin: []int{0}}
	for at := 0; ; {
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			return l
		}
		at += n + 1
		l.begin = append(l.begin, at)
	}
}

func (l lineIndex) at(offset int) int {
	n, found := slices.BinarySearch(l.begin, offset)
	if found {
		return n + 1
	}
	return n
}

func (l lineIndex) find(what []byte) int { return l.at(max(0, bytes.Index(l.data, what))) }

// of is the line of a link: of its text, else of the paragraph it is in.
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
