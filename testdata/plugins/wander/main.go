// Command wander is a plugin for tests: where it goes depends on what it finds.
package main

import (
	"os"
	"strconv"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	which, err := os.ReadFile("/src/which")
	if err != nil {
		run.Note("", 0, "nowhere: "+err.Error())
		which = []byte("a")
	}
	for c := range run.Changed("a", "d/**") {
		run.Note(c.Path, 0, "changed")
	}
	for range run.Deleted("[a-e]") {
		run.Note("", 0, "something is gone")
	}
	for steps := range 4 {
		at := string(which)
		info, err := os.Lstat("/src/" + at)
		switch {
		case err != nil:
			run.Note("", steps+1, err.Error())
			return run.Fail("lost at " + strconv.Quote(at))
		case info.IsDir():
			entries, err := os.ReadDir("/src/" + at)
			if err != nil || len(entries) == 0 {
				return err
			}
			run.Note("", steps+1, at+" has "+strconv.Itoa(len(entries)))
			which = []byte(at + "/" + entries[0].Name())
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink("/src/" + at)
			if err != nil {
				return err
			}
			run.Note("", steps+1, at+" -> "+target)
			which = []byte(target)
		default:
			if which, err = os.ReadFile("/src/" + at); err != nil {
				return err
			}
			run.Note("", steps+1, at+" is "+string(which))
		}
		if _, err := os.Stat("/base/" + at); err == nil {
			run.Note("", steps+1, at+" was there")
		}
	}
	return nil
}
