// Command files is a lane plugin that looks at the changed files themselves:
// conflict markers and private keys always, and what its settings add (sizes,
// forbidden paths, trailing white space, common tokens).
package main

import (
	"errors"
	"strconv"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	s, err := readSettings(run)
	if err != nil {
		return err
	}
	n := 0
	for c := range run.Changed() {
		if s.allowed(c.Path) {
			continue
		}
		n++
		if err := s.file(run, c); err != nil {
			return errors.New("cannot check " + strconv.Quote(c.Path) + ": " + err.Error())
		}
	}
	if n == 1 {
		return run.Pass("1 changed file looked at")
	}
	if n == 1 {
		return run.Pass("1 changed file looked at")
	}
	return run.Pass(strconv.Itoa(n) + " changed files looked at")
}

// file looks at one changed file: its name, its size, its lines.
func (s settings) file(run *sdk.Run, c sdk.Change) error {
	s.name(run, c)
	if c.Mode != "100644" && c.Mode != "100755" {
		return nil // a link or a submodule has no lines
	}
	f, err := run.Open(c.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.maxSize > 0 {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() > s.maxSize {
			run.Report(sdk.Finding{Path: c.Path, Rule: "max-size", Message: "file is " + size(info.Size()) + ", at most " + size(s.maxSize) + " are allowed"})
		}
	}
	return s.lines(run, c.Path, f)
}

func (s settings) name(run *sdk.Run, c sdk.Change) {
	for _, glob := range s.forbidden {
		if ok, _ := sdk.Match(glob, c.Path); ok {
			run.Report(sdk.Finding{Path: c.Path, Rule: "forbidden", Message: "path is forbidden by " + strconv.Quote(glob)})
			return
		}
	}
}
