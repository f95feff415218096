package main

import (
	"bufio"
	"bytes"
	"io"

	"github.com/pushlane/pushlane/sdk"
)

const (
	// binaryHead is how much of a file is looked at for a NUL byte, which makes
	// it binary; git looks at as much.
	binaryHead = 8000
	// window is how much of a file is in memory, in bytes. A line that is longer
	// is looked at piece by piece; each piece begins with the last overlap bytes
	// of the one before, so that nothing hides at a seam.
	window  = 64 << 10
	overlap = 512
)

// lines looks at a text file line by line.
func (s settings) lines(run *sdk.Run, name string, r io.Reader) error {
	in := bufio.NewReaderSize(r, window)
	head, err := in.Peek(binaryHead)
	if err != nil && err != io.EOF {
		return err
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return nil
	}
	look := looker{settings: s, run: run, path: name, number: 1}
	var before []byte // the end of the piece before, of the same line
	for {
		piece, err := in.ReadSlice('\n')
		if len(piece) > 0 {
			ended := piece[len(piece)-1] == '\n'
			look.piece(append(before, trimEnd(piece)...), len(before) == 0, ended || err == io.EOF)
			before = before[:0]
			if !ended {
				before = append(before, piece[max(0, len(piece)-overlap):]...)
			}
		}
		switch err {
		case nil, bufio.ErrBufferFull:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// trimEnd cuts the line break off, CR LF too.
func trimEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return bytes.TrimSuffix(line[:n-1], []byte("\r"))
	}
	return line
}

// looker looks at the lines of one file.
type looker struct {
	settings
	run      *sdk.Run
	path     string
	number   int            // of the line, from 1
	told     map[string]int // rule and kind: the last line that was told of
	conflict int            // how many kinds of marker were seen, in order
	from     int            // line of the first marker
}

// piece looks at a line, or at a part of a long one.
func (l *looker) piece(text []byte, first, last bool) {
	if l.conflictMarkers && first && last {
		l.marker(text)
	}
	if l.privateKeys {
		l.privateKey(text)
	}
	if l.tokens {
		l.findTokens(text, func(kind, prefix string) {
			l.tell("token", kind, kind+" "+prefix+"… in plain text: revoke it, it must not be pushed")
		})
	}
	if n := len(text); l.trailing && last && n > 0 && (text[n-1] == ' ' || text[n-1] == '\t') {
		l.tell("trailing-whitespace", "", "white space at the end of the line")
	}
	if last {
		l.number++
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
func (l *looker) marker(line []byte) {
	switch {
	case isMarker(line, '<'):
		l.conflict, l.from = 1, l.number
	case l.conflict == 1 && isMarker(line, '=') && len(line) == 7:
		l.conflict = 2
	case l.conflict == 2 && isMarker(line, '>'):
		l.conflict = 0
		l.run.Report(sdk.Finding{Path: l.path, Line: l.from, Rule: "conflict-marker",
			Message: "merge conflict left in the file, up to line " + itoa(l.number)})
	}
}

// isMarker: seven times c, then the end or a blank and git's label.
func isMarker(line []byte, c byte) bool {
	for i := range 7 {
		if i >= len(line) || line[i] != c {
			return false
		}
	}
	return len(line) == 7 || line[7] == ' '
}

func (l *looker) privateKey(text []byte) {
	kind := ""
	if len(text) > 0 && text[0] == 'P' && bytes.HasPrefix(text, []byte("PuTTY-User-Key-"+"File-")) {
		kind = "PuTTY"
	} else {
		kind = pemKey(text)
	}
	if kind != "" {
		l.tell("private-key", "", "private key ("+kind+"): replace the key, it must not be pushed")
	}
}

// pemKey finds the first line of a private key, wherever it stands in a line:
// five dashes, BEGIN, a name of capitals that ends in PRIVATE KEY, perhaps
// BLOCK, five dashes.
func pemKey(text []byte) string {
	const dashes = "-----"
	for {
		_, after, ok := bytes.Cut(text, []byte(dashes+"BEGIN "))
		if !ok {
			return ""
		}
		text = after
		n := 0
		for n < len(after) && n < 48 && (after[n] == ' ' || 'A' <= after[n] && after[n] <= 'Z' || '0' <= after[n] && after[n] <= '9') {
			n++
		}
		name, rest := after[:n], after[n:]
		name = bytes.TrimSuffix(name, []byte(" BLOCK"))
		if bytes.HasPrefix(rest, []byte(dashes)) && bytes.HasSuffix(name, []byte("PRIVATE KEY")) {
			if name = bytes.TrimSpace(bytes.TrimSuffix(name, []byte("PRIVATE KEY"))); len(name) == 0 {
				return "PEM"
			}
			return string(name)
		}
	}
}
