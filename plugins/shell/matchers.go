package main

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// maxFindings is how many findings are made of one output.
const maxFindings = 100

// findings reads the end of a failed command's output as the lane's matchers
// say. Only places that are in the pushed tree count.
func (s settings) findings(run *sdk.Run, tail string) []sdk.Finding {
	var all []sdk.Finding
	m := matcher{run: run, dir: s.dir, known: map[string]bool{}}
	if slices.Contains(s.matchers, "go-test") {
		all = append(all, m.goTest(tail)...)
	}
	if slices.Contains(s.matchers, "gnu") {
		all = append(all, m.gnu(tail)...)
	}
	for _, name := range s.matchers {
		all = append(all, m.tool(name, tail)...)
	}
	var once []sdk.Finding
	for _, f := range all {
		again := slices.ContainsFunc(once, func(o sdk.Finding) bool {
			o.Rule = f.Rule // several matchers may read one line
			return o == f
		})
		if len(once) < maxFindings && !again {
			once = append(once, f)
		}
	}
	return once
}

// matcher turns lines of output into findings.
type matcher struct {
	run   *sdk.Run
	dir   string          // where the command ran
	known map[string]bool // paths that were looked for in the tree
}

// file returns a printed path as one from the tree's top, if it is there.
func (m *matcher) file(name string) string {
	in := inTree(m.dir, name)
	if in == "" {
		return ""
	}
	there, looked := m.known[in]
	if !looked {
		f, err := m.run.Open(in)
		if there = err == nil; there {
			f.Close()
		}
		m.known[in] = there
	}
	if !there {
		return ""
	}
	return in
}

// gnu reads "file:line:col: level: message"; column and level may be absent.
func (m *matcher) gnu(tail string) []sdk.Finding {
	var all []sdk.Finding
	for line := range strings.Lines(tail) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "vet: ")
		if f, ok := gnuLine(line); ok {
			if f.Path = m.file(f.Path); f.Path != "" {
				all = append(all, f)
			}
		}
	}
	return all
}

func gnuLine(line string) (sdk.Finding, bool) {
	name, rest, ok := strings.Cut(line, ":")
	number, rest, ok2 := strings.Cut(rest, ":")
	n, err := strconv.Atoi(number)
	if !ok || !ok2 || err != nil || n < 1 || name == "" {
		return sdk.Finding{}, false
	}
	f := sdk.Finding{Path: name, Line: n}
	if column, after, ok := strings.Cut(rest, ":"); ok {
		if c, err := strconv.Atoi(column); err == nil && c > 0 {
			f.Col, rest = c, after
		}
	}
	f.Level, f.Message = cutLevel(strings.TrimSpace(rest))
	return f, f.Message != ""
}

// cutLevel takes "warning:" and the like off a message; without it the level
// is error.
func cutLevel(message string) (level, rest string) {
	if word, after, ok := strings.Cut(message, ":"); ok {
		if l := levelOf(word); l != "" {
			return l, strings.TrimSpace(after)
		}
	}
	return "error", message
}

func levelOf(word string) string {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "error", "fatal error":
		return "error"
	case "warning":
		return "warning"
	case "note", "info":
		return "note"
	}
	return ""
}

// goTest reads what go test prints of failed tests, and go's own
// "file:line:col: message" of what does not compile.
func (m *matcher) goTest(tail string) []sdk.Finding {
	var all []sdk.Finding
	var p goPackage
	module := m.module()
	for line := range strings.Lines(tail) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, "FAIL\t"); ok {
			name, _, _ = strings.Cut(name, "\t")
			name, _, _ = strings.Cut(name, " [")
			all = append(all, p.failed(m, folder(module, name))...)
			p = goPackage{}
			continue
		}
		if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
			p = goPackage{}
			continue
		}
		p.line(line)
	}
	return append(m.gnu(notIndented(tail)), all...)
}

// notIndented leaves out what tests print, whose file names lack the folder.
func notIndented(tail string) string {
	var b strings.Builder
	for line := range strings.Lines(tail) {
		if line[0] != ' ' && line[0] != '\t' {
			b.WriteString(line)
		}
	}
	return b.String()
}

// module is the module's path, from the go.mod in the working folder.
func (m *matcher) module() string {
	name := inTree(m.dir, "go.mod")
	if name == "" {
		return ""
	}
	text, err := m.run.Read(name)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "module "); ok {
			rest, _, _ = strings.Cut(rest, "//")
			return strings.Trim(strings.TrimSpace(rest), `"`)
		}
	}
	return ""
}

// folder is a package's folder from the working folder.
func folder(module, pkg string) string {
	if rest, ok := strings.CutPrefix(pkg, module); ok && module != "" {
		return strings.TrimPrefix(rest, "/")
	}
	return pkg
}

// goPackage collects what one package's tests print, until it is known which
// package it was and which of its tests failed.
type goPackage struct {
	test   string
	fails  []string
	places []place
}

// place is a "file.go:12: message" line of a test.
type place struct {
	test, file string
	line       int
	message    string
}

func (p *goPackage) line(line string) {
	text := strings.TrimSpace(line)
	for _, prefix := range []string{"=== RUN ", "=== NAME ", "=== CONT "} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			p.test = strings.TrimSpace(rest)
			return
		}
	}
	if rest, ok := strings.CutPrefix(text, "--- FAIL: "); ok {
		p.test, _, _ = strings.Cut(rest, " (")
		p.fails = append(p.fails, p.test)
		return
	}
	if rest, ok := strings.CutPrefix(text, "--- "); ok { // PASS, SKIP
		_, rest, _ = strings.Cut(rest, ": ")
		p.test, _, _ = strings.Cut(rest, " (")
		return
	}
	f, ok := gnuLine(text)
	if ok && text != line && strings.HasSuffix(f.Path, ".go") && !strings.Contains(f.Path, "/") {
		p.places = append(p.places, place{p.test, f.Path, f.Line, f.Message})
	}
}

// failed are the findings of the failed tests; a test without a position in its
// output is reported by its name.
func (p *goPackage) failed(m *matcher, dir string) []sdk.Finding {
	var all []sdk.Finding
	told := map[string]bool{}
	for _, at := range p.places {
		if !slices.Contains(p.fails, at.test) {
			continue
		}
		told[at.test] = true
		f := sdk.Finding{Path: m.file(path.Join(dir, at.file)), Line: at.line, Level: "error", Rule: "go-test",
			Message: at.test + ": " + at.message}
		if f.Path == "" {
			f.Line, f.Message = 0, path.Join(dir, at.file)+":"+strconv.Itoa(at.line)+": "+f.Message
		}
		all = append(all, f)
	}
	for _, test := range p.fails {
		parent := slices.ContainsFunc(p.fails, func(t string) bool { return strings.HasPrefix(t, test+"/") })
		if !told[test] && !parent {
			all = append(all, sdk.Finding{Level: "error", Rule: "go-test", Message: path.Join(dir, test) + " failed"})
		}
	}
	return all
}
