// Command codeowners is a lane plugin that lists who must approve a push: the
// owners that CODEOWNERS names for the changed files. It enforces nothing, and
// refuses only a CODEOWNERS that cannot be read.
package main

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// places are where forges look for the file, in their order.
func places() []string {
	return []string{".github/CODEOWNERS", ".gitlab/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}
}

func check(run *sdk.Run) error {
	file, text, err := read(run)
	if err != nil {
		return err
	}
	if file == "" {
		return run.Skip("there is no CODEOWNERS")
	}
	if run.Failed() {
		return run.Fail("CODEOWNERS cannot be read")
	}
	owners, faults := parse(text)
	for _, f := range faults {
		run.Error(file, f.line, f.message)
	}
	if len(faults) > 0 {
		return run.Fail("CODEOWNERS cannot be read")
	}
	approve := map[string]*paths{}
	for c := range run.Changed() {
		names := owners.of(c.Path)
		if len(names) == 0 {
			unowned(run, c.Path)
			continue
		}
		for _, name := range names {
			if approve[name] == nil {
				approve[name] = &paths{}
			}
			approve[name].add(c.Path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(approve)) {
		run.Note("", 0, name+" must approve "+approve[name].String())
	}
	return run.Pass(summary(approve))
}

// read finds the file: the one that is set, or the first of the usual places.
func read(run *sdk.Run) (file, text string, err error) {
	where := places()
	if set := run.With("file").String(); set != "" {
		where = []string{set}
	}
	for _, file := range where {
		if _, err := run.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		found, err := sdk.Follow(run, file)
		if wrong := linkTrouble(found, err); wrong != "" {
			run.Error(file, 0, wrong)
			return file, "", nil
		}
		if err != nil {
			return file, "", err
		}
		data, err := run.Read(found.Path)
		return found.Path, string(sdk.DecodeText(data)), err
	}
	if run.With("file").Exists() {
		return "", "", errors.New("there is no " + strconv.Quote(where[0]))
	}
	return "", "", nil
}

// linkTrouble says why a file that is a symbolic link cannot be read; "" where
// it can, or where the host could not look.
func linkTrouble(found sdk.Followed, err error) string {
	switch {
	case errors.Is(err, sdk.ErrOutside):
		return "it is a symbolic link that leads out of the repository"
	case errors.Is(err, sdk.ErrLoop):
		return "it is a symbolic link that leads to itself"
	case errors.Is(err, fs.ErrNotExist):
		return "it is a symbolic link to " + strconv.Quote(found.Path) + ", which is not there"
	case err == nil && found.IsDir:
		return strconv.Quote(found.Path) + " is a folder"
	}
	return ""
}

func unowned(run *sdk.Run, path string) {
	if level := run.With("unowned").StringOr("allow"); level != "allow" {
		run.Report(sdk.Finding{Path: path, Level: level, Rule: "unowned", Message: "no one owns this file"})
	}
}

// paths are changed files of one owner, the first few of them by name.
type paths struct {
	first []string
	more  int
}

func (p *paths) add(path string) {
	if len(p.first) < 5 {
		p.first = append(p.first, path)
	} else {
		p.more++
	}
}

func (p *paths) String() string {
	text := strings.Join(p.first, ", ")
	if p.more > 0 {
		text += " and " + strconv.Itoa(p.more) + " more"
	}
	return text
}

func summary(approve map[string]*paths) string {
	if len(approve) == 0 {
		return "no approval is needed"
	}
	return "approval of " + strings.Join(slices.Sorted(maps.Keys(approve)), ", ")
}
