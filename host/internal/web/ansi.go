package web

import (
	"html/template"
	"strconv"
	"strings"
)

// style is how log text looks: what SGR sequences before it have selected.
type style struct {
	fg, bg                       int // 0 none, 1-8 the colours, 9-16 their bright forms
	bold, dim, italic, underline bool
}

// classes names the style; "" is plain.
func (s style) classes() string {
	var names []string
	if s.fg > 0 {
		names = append(names, "f"+strconv.Itoa(s.fg))
	}
	if s.bg > 0 {
		names = append(names, "b"+strconv.Itoa(s.bg))
	}
	for i, on := range []bool{s.bold, s.dim, s.italic, s.underline} {
		if on {
			names = append(names, []string{"bo", "di", "it", "un"}[i])
		}
	}
	return strings.Join(names, " ")
}

// apply takes the numbers of one SGR sequence. What it does not know it leaves
// alone.
func (s style) apply(codes string) style {
	fields := strings.Split(codes, ";")
	for i := 0; i < len(fields); i++ {
		n, err := strconv.Atoi(fields[i])
		if fields[i] != "" && err != nil {
			continue
		}
		switch {
		case n == 0:
			s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 3:
			s.italic = true
		case n == 4:
			s.underline = true
		case n == 22:
			s.bold, s.dim = false, false
		case n == 23:
			s.italic = false
		case n == 24:
			s.underline = false
		case n >= 30 && n <= 37:
			s.fg = n - 29
		case n == 39:
			s.fg = 0
		case n >= 40 && n <= 47:
			s.bg = n - 39
		case n == 49:
			s.bg = 0
		case n >= 90 && n <= 97:
			s.fg = n - 81
		case n >= 100 && n <= 107:
			s.bg = n - 91
		case n == 38 || n == 48: // 256 colours or a mixed one: taken over, shown plain
			if i+1 < len(fields) && fields[i+1] == "5" {
				i += 2
			} else {
				i += 4
			}
		}
	}
	return s
}

// colored makes HTML of one line of a log: text escaped, colours as classes,
// every other control character left out. It never trusts what wrote the log.
func colored(line string) template.HTML {
	var b strings.Builder
	var now style
	for len(line) > 0 {
		i := strings.IndexByte(line, 0x1b)
		if i < 0 {
			i = len(line)
		}
		writeSpan(&b, now, line[:i])
		line = line[i:]
		if line == "" {
			break
		}
		codes, rest, ok := cutColor(line)
		if ok {
			now = now.apply(codes)
		}
		line = rest
	}
	return template.HTML(b.String())
}

// cutColor splits an SGR sequence off; ok is false for any other escape, of
// which only the ESC goes.
func cutColor(line string) (codes, rest string, ok bool) {
	if !strings.HasPrefix(line, "\x1b[") {
		return "", line[1:], false
	}
	end := strings.IndexFunc(line[2:], func(r rune) bool { return (r < '0' || r > '9') && r != ';' })
	if end < 0 || line[2+end] != 'm' {
		return "", line[1:], false
	}
	return line[2 : 2+end], line[3+end:], true
}

func writeSpan(b *strings.Builder, s style, text string) {
	text = template.HTMLEscapeString(strings.Map(printable, text))
	if text == "" {
		return
	}
	if c := s.classes(); c != "" {
		b.WriteString(`<span class="` + c + `">` + text + `</span>`)
		return
	}
	b.WriteString(text)
}

// printable leaves out what could move, hide or turn text around.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return r
	case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069,
		r == 0x200e, r == 0x200f, r == 0x061c, r == 0x2028, r == 0x2029, r == 0xfeff:
		return -1
	}
	return r
}
