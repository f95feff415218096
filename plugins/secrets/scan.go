package main

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/pushlane/pushlane/sdk"
)

// A secret's form is looked for so far around its key, in bytes of one line.
const (
	lookBack  = 300
	lookAhead = 1200
)

// maxHeld is how many findings of one file are held before they are compared
// with what the file had.
const maxHeld = 10_000

// scan is one text under way.
type scan struct {
	*scanner
	change   sdk.Change
	lines    []sdk.Line    // that hold a secret
	findings []sdk.Finding // of each of them
	told     map[string]int
}

// place is where a key ends in a line.
type place struct {
	rule, key, at int // key: its length; at: from the line's start
}

// text looks at a whole content.
func (s *scanner) text(c sdk.Change, content *sdk.Content) error {
	t := scan{scanner: s, change: c, told: map[string]int{}}
	for b := range content.Blocks() {
		t.block(b)
		if len(t.lines) > maxHeld {
			if err := t.report(); err != nil {
				return err
			}
		}
	}
	return t.report()
}

// report reports what the file did not have before.
func (t *scan) report() error {
	added, err := t.run.NewLines(t.change, slices.Compact(slices.Clone(t.lines)))
	isNew := map[sdk.Line]bool{}
	for _, line := range added {
		isNew[line] = true
	}
	for i, line := range t.lines {
		if isNew[line] {
			t.run.Report(t.findings[i])
		}
	}
	t.lines, t.findings = t.lines[:0], t.findings[:0]
	return err
}

// block finds the keys of a block and looks at the lines that they are in.
func (t *scan) block(b sdk.Block) {
	var places []place
	line := stretch{number: b.Line, col: b.Col}
	line.end = endOfLine(b.Text, 0)
	state, n := uint16(0), 0
	for at := 0; at < len(b.Text); {
		n, state = t.finder.next(state, b.Text[at:])
		if at += n; at > len(b.Text) {
			break
		}
		if at > line.end { // the key is in a later line
			t.line(b.Text, line, places)
			places = places[:0]
			line.follow(b.Text, at)
		}
		for _, k := range t.finder.outs[state] {
			if t.near(k, b.Text[line.start:at], b.Text[at:line.end]) {
				places = append(places, place{k.rule, len(k.key), at - line.start})
			}
		}
	}
	t.line(b.Text, line, places)
}

// near reports whether a key is worth a try of its rule.
func (t *scan) near(k keyEnd, before, after []byte) bool {
	r := &t.rules[k.rule]
	if !r.fold && !bytes.HasSuffix(before, []byte(k.key)) {
		return false
	}
	return r.near == nil || r.near(before, after)
}

// stretch is a line in a block.
type stretch struct{ start, end, number, col int }

func endOfLine(text []byte, from int) int {
	if n := bytes.IndexByte(text[from:], '\n'); n >= 0 {
		return from + n
	}
	return len(text)
}

// follow makes it the line that a place is in.
func (l *stretch) follow(text []byte, at int) {
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	l.number += sdk.CountLines(text[l.start:start])
	l.start, l.end, l.col = start, endOfLine(text, at), 0
}

// line tries the rules whose keys are in a line, in their order.
func (t *scan) line(block []byte, l stretch, places []place) {
	if len(places) == 0 {
		return
	}
	text := bytes.TrimRight(block[l.start:l.end], "\r")
	if bytes.Contains(text, []byte(allowMark)) {
		return
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.rule, b.rule) })
	for _, p := range places {
		r := &t.rules[p.rule]
		from := max(0, p.at-p.key-lookBack)
		window := text[from:min(len(text), p.at+lookAhead)]
		for _, at := range r.regexp().FindAllSubmatchIndex(window, -1) {
			secret := string(window[at[2]:at[3]])
			if t.told[secret] == l.number || !t.counts(r, form{string(window[at[0]:at[2]]), secret,
				string(window[at[3]:at[1]])}) {
				continue
			}
			t.told[secret] = l.number
			t.lines = append(t.lines, sdk.Line{Number: l.number, Text: string(text)})
			t.findings = append(t.findings, finding(t.change, l.number, l.col+from+at[2]+1, r, secret))
		}
	}
}
