// Command guard is a lane plugin that keeps names and paths from coming back:
// after something was renamed, removed or made a secret, a hard cut stays one.
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
	rules := readRules(run)
	all := run.With("all").Bool()
	n := 0
	for c := range run.Changed() {
		n++
		if err := look(run, c, rules, all); err != nil {
			return errors.New("cannot check " + strconv.Quote(c.Path) + ": " + err.Error())
		}
	}
	return run.Pass(strconv.Itoa(n) + " changed files looked at")
}

func readRules(run *sdk.Run) []rule {
	var rules []rule
	for _, v := range run.With("never").Items() {
		r := rule{word: v.Get("word").String(), text: v.Get("text").String(), path: v.Get("path").String(), reason: v.Get("reason").String(),
			fold: !v.Get("case").BoolOr(true), allow: v.Get("allow").Strings()}
		if r.fold {
			r.word, r.text = strings.ToLower(r.word), strings.ToLower(r.text)
		}
		rules = append(rules, r)
	}
	return rules
}

// look holds a file's path, its new lines and, if all are wanted, its old ones
// against every rule.
func look(run *sdk.Run, c sdk.Change, rules []rule, all bool) error {
	for _, r := range rules {
		if r.forbidsPath(c.Path) {
			run.Report(sdk.Finding{Path: c.Path, Rule: "path", Message: "this path must not come back: " + r.reason})
		}
	}
	added, err := run.Added(c)
	if err != nil {
		return err
	}
	isNew := map[int]bool{}
	for _, line := range added {
		isNew[line.Number] = true
		for _, r := range rules {
			r.line(run, c.Path, line, "error")
		}
	}
	if !all {
		return nil
	}
	c.OldID = "" // so that every line counts as added
	lines, err := run.Added(c)
	for _, line := range lines {
		for _, r := range rules {
			if !isNew[line.Number] {
				r.line(run, c.Path, line, "warning")
			}
		}
	}
	return err
}

func (r rule) forbidsPath(path string) bool {
	if r.allowed(path) {
		return false
	}
	if r.path != "" {
		ok, _ := sdk.Match(r.path, path)
		return ok
	}
	_, found := r.find(path)
	return found
}

func (r rule) allowed(path string) bool {
	for _, glob := range r.allow {
		if ok, _ := sdk.Match(glob, path); ok {
			return true
		}
	}
	return false
}

// line reports the first place of a line where the rule's name stands.
func (r rule) line(run *sdk.Run, path string, line sdk.Line, level string) {
	at, found := r.find(line.Text)
	if r.path != "" || !found || r.allowed(path) {
		return
	}
	run.Report(sdk.Finding{Path: path, Line: line.Number, Col: at + 1, Level: level, Rule: "name", Message: strconv.Quote(r.word+r.text) + " must not come back: " + r.reason})
}

// find gives the place, in bytes, where the name stands in a text.
func (r rule) find(text string) (int, bool) {
	if r.fold {
		text = strings.ToLower(text)
	}
	if r.text != "" {
		at := strings.Index(text, r.text)
		return at, at >= 0
	}
	for from := 0; r.word != ""; {
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
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
