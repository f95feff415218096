package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reviewdog/errorformat"
	"github.com/reviewdog/errorformat/fmts"

	"github.com/pushlane/pushlane/sdk"
)

// toolFormats are Vim's errorformat patterns of tools that errorformat does
// not know, and of yamllint, whose levels it leaves in the message.
func toolFormats() map[string][]string {
	compiler := []string{`%f:%l:%c: fatal %trror: %m`, `%f:%l:%c: %trror: %m`, `%f:%l:%c: %tarning: %m`,
		`%f:%l:%c: %tote: %m`, `%f:%l: %trror: %m`, `%f:%l: %tarning: %m`}
	return map[string][]string{
		"clang":  compiler,
		"gcc":    compiler,
		"pylint": {`%f:%l:%c: %t%n: %m`},
		"rustc": {`%Eerror[E%n]: %m`, `%Eerror: %m`, `%Wwarning[E%n]: %m`, `%Wwarning: %m`, `%C %#--> %f:%l:%c`,
			`%C%.%#`},
		"shellcheck": compiler, // shellcheck -f gcc
		"yamllint":   {`%f:%l:%c: [%trror] %m`, `%f:%l:%c: [%tarning] %m`, `%f:%l:%c: %m`},
	}
}

// toolCodes are how tools write the number that errorformat reads; the others
// write it after the letter of its kind, such as F401.
func toolCodes() map[string]string {
	return map[string]string{"bandit": "B%d", "pylint": "%c%04d", "rustc": "E%04d", "tsc": "TS%d"}
}

// tool reads what a named tool prints; nothing for names that are not its own.
func (m *matcher) tool(name, tail string) []sdk.Finding {
	formats, own := toolFormats()[name]
	if known := fmts.DefinedFmts()[name]; !own && known != nil {
		formats = known.Errorformat
	}
	efm, err := errorformat.NewErrorformat(formats)
	if err != nil || len(formats) == 0 {
		return nil
	}
	var all []sdk.Finding
	for s := efm.NewScanner(strings.NewReader(readable(tail))); s.Scan(); {
		if f, ok := m.toolFinding(name, s.Entry()); ok {
			all = append(all, f)
		}
	}
	return all
}

func (m *matcher) toolFinding(name string, e *errorformat.Entry) (sdk.Finding, bool) {
	if !e.Valid || e.Filename == "" || e.Text == "" || e.Lnum > maxPlace || e.Col > maxPlace {
		return sdk.Finding{}, false
	}
	f := sdk.Finding{Path: m.file(e.Filename), Line: e.Lnum, Rule: toolRule(name, e)}
	if f.Line > 0 {
		f.Col = e.Col
	}
	f.Level, f.Message = cutLevel(oneBlank(e.Text))
	if e.Type != 0 {
		f.Level = toolLevel(e.Type)
	}
	return f, f.Path != "" && f.Message != ""
}

// toolRule is the tool's code of the message where it has one, else the name
// of the tool.
func toolRule(name string, e *errorformat.Entry) string {
	format, known := toolCodes()[name]
	letter := e.Type > ' ' && e.Type < 127
	switch {
	case e.Nr < 1 || !known && !letter:
		return name
	case !known:
		return string(e.Type) + strconv.Itoa(e.Nr)
	case strings.Contains(format, "%c"):
		return fmt.Sprintf(format, e.Type, e.Nr)
	}
	return fmt.Sprintf(format, e.Nr)
}

// toolLevel turns the letter of a kind of message into a level: convention,
// information, note and refactoring are notes.
func toolLevel(kind rune) string {
	switch kind {
	case 'w', 'W':
		return "warning"
	case 'c', 'C', 'i', 'I', 'n', 'N', 'r', 'R':
		return "note"
	}
	return "error"
}

const (
	maxPlace = 1 << 30 // of lines and columns
	maxLine  = 8 << 10 // bytes: errorformat stops at a line of 64 KiB
)

// readable cuts lines that are too long to be a place.
func readable(tail string) string {
	var b strings.Builder
	for line := range strings.Lines(tail) {
		text := strings.TrimRight(line, "\r\n")
		b.WriteString(text[:min(len(text), maxLine)] + "\n")
	}
	return b.String()
}

// oneBlank makes one of several blanks: tables are as wide as their longest
// line.
func oneBlank(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
