package main

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// lines looks at the text of one file, a block at a time. Of an earlier version
// only what must not be in the history counts, where its commit added it.
func (s settings) lines(run *sdk.Run, c sdk.Change, content *sdk.Content) error {
	if c.Commit != "" {
		s.conflictMarkers, s.trailing = false, false
	}
	if !s.conflictMarkers && !s.privateKeys && !s.trailing {
		return nil
	}
	look := looker{settings: s, run: run, change: c}
	look.trailing = s.trailing && !isPatch(c.Path) && run.Handmade(c)
	look.markdown = isMarkdown(c.Path)
	for b := range content.Blocks() {
		look.number = b.Line
		look.block(b.Text, b.Start, b.End)
	}
	return look.earlier()
}

// looker looks at the lines of one file.
type looker struct {
	settings
	run      *sdk.Run
	change   sdk.Change
	number   int            // of the line, from 1
	line     []byte         // that is looked at
	markdown bool           // two blanks at the end of a line break it
	told     map[string]int // rule and kind: the last line that was reported
	conflict int            // how many kinds of marker were seen, in order
	from     int            // line of the first marker

	lines    []sdk.Line // of an earlier version, that a rule has something against
	findings []sdk.Finding
}

// earlier reports what the commit of an earlier version added.
func (l *looker) earlier() error {
	added, err := l.run.NewLines(l.change, l.lines)
	for i, line := range l.lines {
		if slices.Contains(added, line) {
			l.run.Report(l.findings[i])
		}
	}
	return err
}

// block looks at a stretch of text. start: it begins a line; end: the file
// ends with it. Nothing is looked for byte by byte, but by searches that run at
// the speed of memory.
func (l *looker) block(text []byte, start, end bool) {
	pem := l.nextPEM(text, 0)
	for at := 0; at < len(text); {
		n := bytes.IndexByte(text[at:], '\n')
		ended := n >= 0
		if !ended {
			n = len(text) - at
		}
		line := text[at : at+n]
		l.line = line
		if start || at > 0 {
			l.lineStart(line)
		}
		for ; pem < at+n; pem = l.nextPEM(text, pem+1) {
			if kind := pemKey(text[pem:]); kind != "" {
				l.key(kind)
			}
		}
		if ended || end {
			l.lineEnd(line)
		}
		at += n + 1
	}
}

// nextPEM is where the first line of a PEM block begins, at or after a place.
func (l *looker) nextPEM(text []byte, from int) int {
	if l.privateKeys {
		if i := bytes.Index(text[from:], []byte(pemBegin)); i >= 0 {
			return from + i
		}
	}
	return len(text)
}

// lineStart checks what is only found at the start of a line.
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

// lineEnd looks at the end of a line, given what is known of it.
func (l *looker) lineEnd(text []byte) {
	if l.trailing {
		text = bytes.TrimSuffix(text, []byte("\r"))
		n := len(text)
		if n > 0 && (text[n-1] == ' ' || text[n-1] == '\t') && !(l.markdown && hardBreak(text)) {
			l.tell("trailing-whitespace", "", "white space at the end of the line")
		}
	}
	l.number++
}

// isPatch reports whether a file is one of changes: a blank in it is a line that
// stays empty.
func isPatch(name string) bool {
	return strings.HasSuffix(name, ".patch") || strings.HasSuffix(name, ".diff")
}

func isMarkdown(name string) bool {
	return strings.HasSuffix(name, ".md") || strings.HasSuffix(name, ".markdown")
}

// hardBreak reports whether a line of Markdown ends with a break: a word and two
// blanks.
func hardBreak(text []byte) bool {
	return bytes.HasSuffix(text, []byte("  ")) && len(bytes.TrimSpace(text)) > 0
}

func (l *looker) key(kind string) {
	l.tell("private-key", "", "private key ("+kind+"): replace the key, it must not be pushed")
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
	f := sdk.Finding{Path: l.change.Path, Line: l.number, Rule: rule, Message: message + l.change.InCommit()}
	if l.change.Commit == "" {
		l.run.Report(f)
		return
	}
	l.lines = append(l.lines, sdk.Line{Number: l.number, Text: string(bytes.TrimRight(l.line, "\r"))})
	l.findings = append(l.findings, f)
}

// marker follows git's three conflict markers. One alone is not a conflict: a row
// of equal signs underlines headings.
func (l *looker) marker(text []byte) {
	switch {
	case isMarker(text, '<'):
		l.conflict, l.from = 1, l.number
	case l.conflict == 1 && isMarker(text, '='):
		l.conflict = 2
	case l.conflict == 2 && isMarker(text, '>'):
		l.conflict = 0
		l.run.Report(sdk.Finding{Path: l.change.Path, Line: l.from, Rule: "conflict-marker",
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
	case '\r':
		return len(text) == 8
	case ' ':
		return c != '='
	}
	return false
}

const (
	dashes   = "-----"
	pemBegin = dashes + "BEGIN "
)

// pemKey returns the kind of private key whose first line text begins with:
// five dashes, BEGIN, a name of capitals that ends in PRIVATE KEY, perhaps
// BLOCK, five dashes. It may be anywhere in a line, as in JSON.
func pemKey(text []byte) string {
	name, ok := bytes.CutPrefix(text, []byte(pemBegin))
	if !ok {
		return ""
	}
	n := 0
	for n < len(name) && n < 48 && (name[n] == ' ' || 'A' <= name[n] && name[n] <= 'Z' ||
		'0' <= name[n] && name[n] <= '9') {
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
