package sdk

import (
	"bytes"
	"io"
	"path"
	"slices"
)

// Line is a line of a file, or a part of one that is longer than 64 KiB.
type Line struct {
	Number int    // from 1
	Text   string // without its end
}

// Added returns the lines of a changed file that the file did not have before, at
// any position. A line that was there twice and is there three times is added once.
// A binary file, a link and a submodule have none. A file that was moved has those
// that were added by the move (see NewLines).
func (r *Run) Added(c Change) ([]Line, error) {
	if c.Mode != "100644" && c.Mode != "100755" {
		return nil, nil
	}
	var all []Line
	for _, content := range r.Contents(slices.Values([]Change{c})) {
		for line := range content.lines() {
			all = append(all, Line{line.Number, string(line.text)})
		}
	}
	if err := r.faults.err(); err != nil {
		return nil, err
	}
	return r.NewLines(c, all)
}

// textLine is a Line whose text is valid until the next one.
type textLine struct {
	Number int
	text   []byte
}

// lines gives the lines of a text. What is longer than a block comes in several
// stretches, cut alike in every text that has it.
func (c *Content) lines() func(func(textLine) bool) {
	return func(yield func(textLine) bool) {
		for b := range c.Blocks() {
			number := b.Line
			for rest := b.Text; len(rest) > 0; number++ {
				line, after, ended := bytes.Cut(rest, []byte("\n"))
				if rest = after; ended || len(line) > 0 {
					if !yield(textLine{number, bytes.TrimRight(line, "\r")}) {
						return
					}
				}
			}
		}
	}
}

// NewLines returns those lines of a file that were neither in the file before nor in
// a file that the push removes. all are lines of the changed file; if a text occurs
// more than once in it, all of its lines. A change of History is compared with its
// commit's parents.
//
// A moved file is recognised by its content; if it was edited too, by its name or
// its extension: each line of at most 50 such files that the push removes counts as
// an old line, if they have the same encoding.
func (r *Run) NewLines(c Change, all []Line) ([]Line, error) {
	if len(all) == 0 || c.OldID == c.NewID && c.OldID != "" {
		return nil, nil
	}
	m := comparison{r}
	before, same, err := m.before(c)
	if err != nil || same {
		return nil, err
	}
	had := map[string]int{}
	for _, line := range all {
		had[line.Text] = 0
	}
	for _, old := range before {
		if err := m.countLines(old, had); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(line Line) bool {
		had[line.Text]--
		return had[line.Text] >= 0
	}), nil
}

// comparison finds the lines that a file had before.
type comparison struct{ run *Run }

// countLines raises the number of each wanted line to what a version has of it.
func (m comparison) countLines(old Change, had map[string]int) error {
	counts := map[string]int{}
	for _, content := range m.run.Contents(slices.Values([]Change{old})) {
		for line := range content.lines() {
			if _, wanted := had[string(line.text)]; wanted {
				counts[string(line.text)]++
			}
		}
	}
	for text, n := range counts {
		had[text] = max(had[text], n)
	}
	return m.run.faults.err()
}

// maxMoved is how many files that a push takes away one that is new is
// compared with.
const maxMoved = 50

// before are the versions that a changed file is compared with; same: it is as
// it was somewhere.
func (m comparison) before(c Change) (all []Change, same bool, err error) {
	if c.Commit != "" {
		for _, id := range append([]string{c.OldID}, c.Merged...) {
			if id == c.NewID {
				return nil, true, nil
			}
			if id != "" {
				all = append(all, Change{Path: c.Path, Mode: "100644", NewID: id, Commit: c.Commit})
			}
		}
		return all, false, nil
	}
	if c.OldID != "" {
		return []Change{m.baseOf(c)}, false, nil
	}
	if c.Status != "A" {
		return nil, false, nil
	}
	return m.movedFrom(c)
}

// baseOf is what a file was before the push, as a change of it.
func (m comparison) baseOf(c Change) Change {
	return Change{Path: c.Path, Mode: "100644", NewID: c.OldID, Commit: baseCommit}
}

// baseCommit represents the base, whose files have names.
const baseCommit = "base"

// movedFrom are the files that a new one may have come from.
func (m comparison) movedFrom(c Change) (all []Change, same bool, err error) {
	var named, kind []Change
	for gone := range m.run.Deleted() {
		switch {
		case gone.OldID == c.NewID && c.NewID != "":
			return nil, true, nil
		case path.Base(gone.Path) == path.Base(c.Path):
			named = append(named, m.baseOf(gone))
		case path.Ext(gone.Path) == path.Ext(c.Path) && len(kind) < maxMoved:
			kind = append(kind, m.baseOf(gone))
		}
	}
	named = append(named, kind...)
	named = named[:min(len(named), maxMoved)]
	if len(named) == 0 {
		return nil, false, m.run.faults.err()
	}
	kinds := m.encodings(append([]Change{c}, named...))
	for i, old := range named {
		if i+1 < len(kinds) && kinds[i+1] == kinds[0] {
			all = append(all, old)
		}
	}
	return all, false, m.run.faults.err()
}

// encodings says how each of some files is read as text.
func (m comparison) encodings(files []Change) (all []textKind) {
	head := m.run.buffers.borrow()
	defer m.run.buffers.giveBack(head)
	for _, content := range m.run.Heads(slices.Values(files), binaryHead) {
		n, err := io.ReadFull(content, head[:binaryHead])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			content.err = err
		}
		kind, _ := kindOfText(head[:n])
		all = append(all, kind)
	}
	return all
}
