package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/lanes"
)

// Indented writes a value as JSON for people. Characters that a terminal would
// act on are written as their numbers, which is the same value to a program.
func Indented(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, escaped(b.String()))
	return err
}

// escaped is JSON without characters that are not printable; outside of strings
// it has none but line ends.
func escaped(text string) string {
	if !strings.ContainsFunc(text, hostile) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if !hostile(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

func hostile(r rune) bool { return r != '\n' && !printable.Rune(r) }

// ExplainJSON is what `pushlane lanes --explain --json` prints.
type ExplainJSON struct {
	Range   ExplainRange  `json:"range"`
	Lanes   []ExplainLane `json:"lanes"`             // in file order
	Nothing string        `json:"nothing,omitempty"` // why a push would change nothing; "" where it would
}

// ExplainRange names the two trees that were compared, as full object ids.
type ExplainRange struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// ExplainLane says whether a lane was picked and by what.
type ExplainLane struct {
	ID     string `json:"id"`
	Picked bool   `json:"picked"`
	Path   string `json:"path"`
	Glob   string `json:"glob"`
	Reason string `json:"reason"`
	Memory string `json:"memory,omitempty"` // of a picked lane: whether an earlier verdict would be used again, and why
}

// Explain turns a picking into its JSON form.
func Explain(old, new string, picked []lanes.Picked) ExplainJSON {
	e := ExplainJSON{Range: ExplainRange{Old: old, New: new}, Lanes: []ExplainLane{}}
	for _, p := range picked {
		e.Lanes = append(e.Lanes, ExplainLane{ID: p.Lane.ID, Picked: p.Picked, Path: p.Path, Glob: p.Glob, Reason: p.Reason})
	}
	return e
}
