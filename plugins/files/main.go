// Command files is a lane plugin that checks the content of changed files: conflict
// markers and private keys always, and with its settings sizes, forbidden paths
// and trailing white space.
package main

import (
	"errors"
	"iter"
	"strconv"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	s, err := readSettings(run)
	if err != nil {
		return err
	}
	n, past, binary := 0, 0, 0
	for c, content := range run.Contents(s.additions(run)) {
		if c.Commit == "" {
			n++
		} else {
			past++
		}
		if err := s.file(run, c, content); err != nil {
			return errors.New("cannot check " + strconv.Quote(c.Path) + ": " + err.Error())
		}
		if content.Binary() {
			binary++
		}
	}
	return run.Pass(looked(n, past, binary))
}

// additions are the files that no exception is made for.
func (s settings) additions(run *sdk.Run) iter.Seq[sdk.Change] {
	return func(yield func(sdk.Change) bool) {
		all := run.Changed()
		if s.history {
			all = run.Additions()
		}
		for c := range all {
			if !s.allowed(c.Path) && !yield(c) {
				return
			}
		}
	}
}

func looked(n, past, binary int) string {
	what := count(n, "changed file")
	if past > 0 {
		what += " and " + count(past, "earlier version")
	}
	if what += " looked at"; binary > 0 {
		what += ", " + strconv.Itoa(binary) + " of them binary: only name and size"
	}
	return what
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// file looks at one changed file: its name, its size, its lines.
func (s settings) file(run *sdk.Run, c sdk.Change, content *sdk.Content) error {
	s.name(run, c)
	if c.Mode != "100644" && c.Mode != "100755" {
		return nil // a link or a submodule has no lines
	}
	if s.maxSize > 0 && content.Size > s.maxSize {
		run.Report(sdk.Finding{Path: c.Path, Rule: "max-size", Message: "file is " + size(content.Size) + ", at most " +
			size(s.maxSize) + " are allowed" + c.InCommit()})
	}
	return s.lines(run, c, content)
}

func (s settings) name(run *sdk.Run, c sdk.Change) {
	for _, glob := range s.forbidden {
		if ok, _ := sdk.Match(glob, c.Path); ok {
			run.Report(sdk.Finding{Path: c.Path, Rule: "forbidden",
				Message: "path is forbidden by " + strconv.Quote(glob) + c.InCommit()})
			return
		}
	}
}
