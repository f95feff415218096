// Command codeowners is a lane plugin that says who must approve a push: the
// owners that CODEOWNERS names for the changed files. It says it and enforces
// nothing; what it refuses is a CODEOWNERS that cannot be read.
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
	owners, faults := parse(text)
	for _, f := range faults {
		run.Error(file, f.line, f.message)
	}
	if len(faults) > 0 {
		return run.Fail("CODEOWNERS cannot be read")
	}
	approve := map[string][]string{} // owners -> changed paths
	for c := range run.Changed() {
		names := owners.of(c.Path)
		if len(names) == 0 {
			unowned(run, c.Path)
			continue
		}
		for _, name := range names {
			approve[name] = append(approve[name], c.Path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(approve)) {
		run.Note("", 0, name+" must approve "+some(approve[name]))
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
		data, err := run.Read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return file, string(data), err
	}
	if run.With("file").Exists() {
		return "", "", errors.New("there is no " + strconv.Quote(where[0]))
	}
	return "", "", nil
}

func unowned(run *sdk.Run, path string) {
	if level := run.With("unowned").StringOr("allow"); level != "allow" {
		run.Report(sdk.Finding{Path: path, Level: level, Rule: "unowned", Message: "nobody owns this file"})
	}
}

// some names a few of many paths.
func some(paths []string) string {
	const most = 5
	if len(paths) <= most {
		return strings.Join(paths, ", ")
	}
	return strings.Join(paths[:most], ", ") + " and " + strconv.Itoa(len(paths)-most) + " more"
}

func summary(approve map[string][]string) string {
	if len(approve) == 0 {
		return "nobody must approve"
	}
	return "approval of " + strings.Join(slices.Sorted(maps.Keys(approve)), ", ")
}
