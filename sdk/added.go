package sdk

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
)

// Line is a line of a file.
type Line struct {
	Number int    // from 1
	Text   string // without its end
}

// Added gives the lines of a changed file that the file did not have before,
// wherever they stood: what a push brings in, and not what it found. A line
// that was there twice and is there three times is added once. A binary file,
// a link and a submodule have none.
func (r *Run) Added(c Change) ([]Line, error) {
	if c.Mode != "100644" && c.Mode != "100755" {
		return nil, nil
	}
	now, err := r.Read(c.Path)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(now[:min(len(now), 8000)], 0) >= 0 {
		return nil, nil
	}
	had := map[string]int{}
	if c.OldID != "" {
		before, err := r.ReadBase(c.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for line := range strings.Lines(string(before)) {
			had[trimEnd(line)]++
		}
	}
	var added []Line
	number := 0
	for line := range strings.Lines(string(now)) {
		number++
		line = trimEnd(line)
		if had[line] > 0 {
			had[line]--
			continue
		}
		added = append(added, Line{number, line})
	}
	return added, nil
}

func trimEnd(line string) string { return strings.TrimRight(line, "\r\n") }
