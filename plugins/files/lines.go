package main

import (
	"bytes"
	"io"
	"strconv"

	"github.com/pushlane/pushlane/sdk"
)

const (
	// binaryHead is how much of a file is looked at for a NUL byte, which makes
	// it binary; git looks at as much.
	binaryHead = 8000
	// window is how much of a file is in memory, in bytes. Of a line that is
	// longer, the last overlap bytes are looked at again with what follows, so
	// that nothing hides at a seam.
	window  = 64 << 10
	overlap = 512
)

// lines looks at the text of one file, a window of whole lines at a time.
func (s settings) lines(run *sdk.Run, name string, r io.Reader) error {
	look := looker{settings: s, run: run, path: name, number: 1, classes: s.classes()}
	buf := make([]byte, window)
	have := 0
	for first, start := true, true; ; first = false {
		n, err := io.ReadFull(r, buf[have:])
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			return err
		}
		text := buf[:have+n]
		if first && bytes.IndexByte(text[:min(len(text), binaryHead)], 0) >= 0 {
			return nil
		}
		if end {
			look.block(text, start, true)
			return nil
		}
		cut := bytes.LastIndexByte(text, '\n') + 1
		if cut == 0 {
			look.block(text, start, false)
			have, start = copy(buf, text[len(text)-overlap:]), false
			continue
		}
		look.block(text[:cut], start, false)
		have, start = copy(buf, text[cut:]), true
	}
}

// looker looks at the lines of one file.
type looker struct {
	settings
	run      *sdk.Run
	path     string
	classes  [256]byte      // what a byte may begin or end
	number   int            // of the line, from 1
	told     map[string]int // rule and kind: the last line that was told of
	conflict int            // how many kinds of marker were seen, in order
	from     int            // line of the first marker
}

// What a byte may be the first of.
const (
	lineEnd = 1 + iota
	pemStart
	tokenStart
)

// classes says which bytes are worth a second look.
func (s settings) classes() [256]byte {
	var c [256]byte
	for i := range s.shapes {
		c[s.shapes[i].prefix[0]] = tokenStart
	}
	if s.privateKeys {
		c['-'] = pemStart
	}
	c['\n'] = lineEnd
	return c
}

// block looks at a stretch of text. start: it begins a line; end: the file
// ends with it.
func (l *looker) block(text []byte, start, end bool) {
	if start {
		l.lineStart(text)
	}
	for i, c := range text {
		switch l.classes[c] {
		case lineEnd:
			l.lineEnd(text[:i])
			l.lineStart(text[i+1:])
		case pemStart:
			if kind := pemKey(text[i:]); kind != "" {
				l.key(kind)
			}
		case tokenStart:
			if i == 0 || !isWord(text[i-1]) {
				l.token(text[i:])
			}
		}
	}
	if n := len(text); end && n > 0 && text[n-1] != '\n' {
		l.lineEnd(text)
	}
}

// lineStart looks at what can only stand at the start of a line.
func (l *looker) lineStart(text []byte) {
	if len(text) == 0 {
		return
	}
	switch text[0] {
	case '<', '=', '>':
		if l.conflictMarkers {
			l.marker(text)
		}
	case 'P':
		if l.privateKeys && bytes.HasPrefix(text, []byte("PuTTY-User-Key-"+"File-")) {
			l.key("PuTTY")
		}
	}
}

// lineEnd is called with the text up to the end of a line.
func (l *looker) lineEnd(text []byte) {
	if l.trailing {
		text = bytes.TrimSuffix(text, []byte("\r"))
		if n := len(text); n > 0 && (text[n-1] == ' ' || text[n-1] == '\t') {
			l.tell("trailing-whitespace", "", "white space at the end of the line")
		}
	}
	l.number++
}

func (l *looker) key(kind string) {
	l.tell("private-key", "", "private key ("+kind+"): replace the key, it must not be pushed")
}

func (l *looker) token(text []byte) {
	for i := range l.shapes {
		if t := &l.shapes[i]; t.prefix[0] == text[0] && t.begins(text) {
			l.tell("token", t.kind, t.kind+" "+t.prefix+"… in plain text: revoke it, it must not be pushed")
		}
	}
}

// tell reports a rule's finding of a kind, once per line.
func (l *looker) tell(rule, kind, message string) {
	if l.told[rule+kind] == l.number {
		return
	}
	if l.told == nil {
		l.told = map[string]int{}
	}
	l.told[rule+kind] = l.number
	l.run.Report(sdk.Finding{Path: l.path, Line: l.number, Rule: rule, Message: message})
}

// marker follows git's three conflict markers. One alone is no conflict: a row
// of equal signs underlines headings.
func (l *looker) marker(text []byte) {
	switch {
	case isMarker(text, '<'):
		l.conflict, l.from = 1, l.number
	case l.conflict == 1 && isMarker(text, '='):
		l.conflict = 2
	case l.conflict == 2 && isMarker(text, '>'):
		l.conflict = 0
		l.run.Report(sdk.Finding{Path: l.path, Line: l.from, Rule: "conflict-marker",
			Message: "merge conflict left in the file, up to line " + strconv.Itoa(l.number)})
	}
}

// isMarker: seven times c, then the end of the line or a blank and git's
// label.
func isMarker(text []byte, c byte) bool {
	for i := range 7 {
		if i >= len(text) || text[i] != c {
			return false
		}
	}
	if len(text) == 7 {
		return true
	}
	switch text[7] {
	case '\n', '\r':
		return true
	}
	return c != '=' && text[7] == ' '
}

// pemKey returns the kind of private key whose first line text begins with:
// five dashes, BEGIN, a name of capitals that ends in PRIVATE KEY, perhaps
// BLOCK, five dashes. It may stand anywhere in a line, as it does in JSON.
func pemKey(text []byte) string {
	const dashes = "-----"
	name, ok := bytes.CutPrefix(text, []byte(dashes+"BEGIN "))
	if !ok {
		return ""
	}
	n := 0
	for n < len(name) && n < 48 && (name[n] == ' ' || 'A' <= name[n] && name[n] <= 'Z' || '0' <= name[n] && name[n] <= '9') {
		n++
	}
	closed := bytes.HasPrefix(name[n:], []byte(dashes))
	kind, ok := bytes.CutSuffix(bytes.TrimSuffix(name[:n], []byte(" BLOCK")), []byte("PRIVATE KEY"))
	switch kind = bytes.TrimSpace(kind); {
	case !closed || !ok:
		return ""
	case len(kind) == 0:
		return "PEM"
	}
	return string(kind)
}
