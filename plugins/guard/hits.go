package main

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/pushlane/pushlane/sdk"
)

// hit is the first place of a line where a rule's name is.
type hit struct {
	line sdk.Line
	col  int // from 1, bytes
	rule int
}

// hits are the places of one file.
type hits struct{ all []hit }

// find looks for a rule's name in a whole block, and then for the lines of what
// it found: most blocks have none. text is the block's text as the rule compares it.
func (h *hits) find(b sdk.Block, text string, rule int, r *rule) {
	number, counted := b.Line, 0
	for from := 0; from < len(b.Text); {
		at, found := r.find(text, from)
		if !found {
			return
		}
		start := bytes.LastIndexByte(b.Text[:at], '\n') + 1
		end := len(b.Text)
		if n := bytes.IndexByte(b.Text[at:], '\n'); n >= 0 {
			end = at + n
		}
		number += sdk.CountLines(b.Text[counted:start])
		counted = start
		col := at - start + 1
		if start == 0 {
			col += b.Col
		}
		line := string(bytes.TrimRight(b.Text[start:end], "\r"))
		h.add(hit{sdk.Line{Number: number, Text: line}, col, rule})
		from = end + 1
	}
}

// add leaves out what two blocks of one long line have both.
func (h *hits) add(one hit) {
	for _, known := range slices.Backward(h.all) {
		if known.line.Number < one.line.Number {
			break
		}
		if known.rule == one.rule && known.line.Number == one.line.Number {
			return
		}
	}
	h.all = append(h.all, one)
}

// sort puts them in the file's order.
func (h *hits) sort() {
	slices.SortStableFunc(h.all, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.line.Number, b.line.Number), cmp.Compare(a.rule, b.rule))
	})
}

// lines are those that have one, each once.
func (h *hits) lines() []sdk.Line {
	var all []sdk.Line
	for _, one := range h.all {
		if len(all) == 0 || all[len(all)-1] != one.line {
			all = append(all, one.line)
		}
	}
	return all
}
