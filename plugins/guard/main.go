// Command guard is a lane plugin that refuses names and paths that were renamed or
// removed.
package main

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// rule is one thing that must never come back.
type rule struct {
	word, text, path, reason string
	fold                     bool // upper and lower case are one
	allow                    []string
}

func check(run *sdk.Run) error {
	g := guard{run: run, rules: readRules(run), all: run.With("all").Bool()}
	files := run.Changed()
	if run.With("history").BoolOr(true) {
		files = run.Additions()
	}
	n, past, binary := 0, 0, 0
	for c, content := range run.Contents(files) {
		if err := g.look(c, content); err != nil {
			return errors.New("cannot check " + strconv.Quote(c.Path) + ": " + err.Error())
		}
		switch {
		case content.Binary():
			binary++
		case c.Commit != "":
			past++
		default:
			n++
		}
	}
	return run.Pass(looked(n, past, binary))
}

func looked(n, past, binary int) string {
	text := count(n, "changed file")
	if past > 0 {
		text += " and " + count(past, "earlier version")
	}
	if text += " looked at"; binary > 0 {
		text += ", of " + count(binary, "binary file") + " the name alone"
	}
	return text
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

func readRules(run *sdk.Run) []rule {
	var rules []rule
	for _, v := range run.With("never").Items() {
		r := rule{word: v.Get("word").String(), text: v.Get("text").String(), path: v.Get("path").String(),
			reason: v.Get("reason").String(),
			fold:   !v.Get("case").BoolOr(true), allow: v.Get("allow").Strings()}
		if r.fold {
			r.word, r.text = fold(r.word), fold(r.text)
		}
		rules = append(rules, r)
	}
	return rules
}

// guard is one lane run.
type guard struct {
	run   *sdk.Run
	rules []rule
	all   bool
}

// look compares a file's path and its lines with every rule: new lines with a match
// are errors, old ones can be reported.
func (g *guard) look(c sdk.Change, content *sdk.Content) error {
	for _, r := range g.rules {
		if r.forbidsPath(c.Path) {
			g.run.Report(sdk.Finding{Path: c.Path, Rule: "path",
				Message: "this path must not come back: " + r.reason + c.InCommit()})
		}
	}
	if c.Mode != "100644" && c.Mode != "100755" {
		return nil // a link or a submodule has no lines
	}
	var hits hits
	for b := range content.Blocks() {
		texts := [2]string{string(b.Text)}
		for i := range g.rules {
			if r := &g.rules[i]; r.path == "" && !r.allowed(c.Path) {
				hits.find(b, r.wanted(&texts), i, r)
			}
		}
		if len(hits.all) > maxHeld {
			if err := g.report(c, &hits); err != nil {
				return err
			}
		}
	}
	return g.report(c, &hits)
}

// maxHeld is how many places of one file are held before they are compared with
// what the file had.
const maxHeld = 10_000

// report tells of the places that are found, in the file's order.
func (g *guard) report(c sdk.Change, h *hits) error {
	h.sort()
	added, err := g.run.NewLines(c, h.lines())
	isNew := map[sdk.Line]bool{}
	for _, line := range added {
		isNew[line] = true
	}
	for _, hit := range h.all {
		r, level := &g.rules[hit.rule], "error"
		if !isNew[hit.line] {
			level = "warning"
		}
		if level == "error" || g.all && c.Commit == "" {
			g.run.Report(sdk.Finding{Path: c.Path, Line: hit.line.Number, Col: hit.col, Level: level, Rule: "name",
				Message: strconv.Quote(r.word+r.text) + " must not come back: " + r.reason + c.InCommit()})
		}
	}
	h.all = h.all[:0]
	return err
}

func (r *rule) forbidsPath(path string) bool {
	if r.allowed(path) {
		return false
	}
	if r.path != "" {
		ok, _ := sdk.Match(r.path, path)
		return ok
	}
	_, found := r.find(r.wanted(&[2]string{path}), 0)
	return found
}

func (r *rule) allowed(path string) bool {
	for _, glob := range r.allow {
		if ok, _ := sdk.Match(glob, path); ok {
			return true
		}
	}
	return false
}

// wanted is a text as the rule's name is compared with it; both is it as it is
// and, once a rule wanted that, folded.
func (r *rule) wanted(both *[2]string) string {
	if !r.fold {
		return both[0]
	}
	if both[1] == "" {
		both[1] = fold(both[0])
	}
	return both[1]
}

// fold makes small letters of a text, each in its place: a letter whose small
// one has another length stays.
func fold(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if small := unicode.ToLower(r); utf8.RuneLen(small) == n && r != utf8.RuneError {
			b.WriteRune(small)
		} else {
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	return b.String()
}

// find gives the place, in bytes, where the name is in a text, from a place on.
func (r *rule) find(text string, from int) (int, bool) {
	if r.text != "" {
		at := strings.Index(text[from:], r.text)
		return from + at, at >= 0
	}
	for r.word != "" {
		at := strings.Index(text[from:], r.word)
		if at < 0 {
			break
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(r.word):])
		if !wordRune(before) && !wordRune(after) {
			return at, true
		}
		from = at + 1
	}
	return 0, false
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Pc)
}
