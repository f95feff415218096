// Command licenses is a lane plugin that checks the licences of a repository's
// dependencies, its own licence, and the licence headers of changed files.
package main

import (
	"errors"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

// dependency is one that a lock file names.
type dependency struct {
	name, version string
	licence       string // SPDX expression; "" where it cannot be known
	why           string // then: why not
	file          string // that names it
	line          int
}

// checker is one lane run.
type checker struct {
	run    *sdk.Run
	policy policy
	known  map[string]string
	level  string // of a licence that cannot be known
	dev    bool
	count  int
}

func check(run *sdk.Run) error {
	c := &checker{run: run, known: run.With("known").Map(), level: run.With("unknown").StringOr("error"),
		dev: run.With("dev").BoolOr(true)}
	c.policy = policy{allow: run.With("allow").Strings(), deny: run.With("deny").Strings()}
	for setting, ids := range map[string][]string{"allow": c.policy.allow, "deny": c.policy.deny} {
		if err := checkIDs(setting, ids); err != nil {
			return err
		}
	}
	if err := c.own(run.With("repository").String()); err != nil {
		return err
	}
	if err := c.headers(run.With("headers").Strings(), run.With("header").String()); err != nil {
		return err
	}
	if len(c.policy.allow)+len(c.policy.deny) == 0 {
		return run.Pass("")
	}
	folders := run.With("folders").Strings()
	if len(folders) == 0 {
		folders = []string{"."}
	}
	for _, folder := range folders {
		if err := c.folder(folder); err != nil {
			return err
		}
	}
	if c.count == 1 {
		return run.Pass("1 dependency looked at")
	}
	return run.Pass(strconv.Itoa(c.count) + " dependencies looked at")
}

// folder judges the dependencies of every kind of lock file in a folder.
func (c *checker) folder(folder string) error {
	if path.Clean(folder) != folder || path.IsAbs(folder) || folder == ".." || strings.HasPrefix(folder, "../") {
		return errors.New("setting folders: " + strconv.Quote(folder) + " is not a folder of the repository")
	}
	for _, read := range []func(string) ([]dependency, error){c.goModules, c.npmPackages, c.crates} {
		all, err := read(folder)
		if err != nil {
			return err
		}
		for _, d := range all {
			c.judge(d)
		}
	}
	return nil
}

// judge says no to a dependency whose licence is refused, or not known.
func (c *checker) judge(d dependency) {
	c.count++
	if said, ok := c.known[d.name]; ok {
		d.licence = said
	}
	title := d.name + " " + d.version
	if d.licence == "" {
		c.run.Report(sdk.Finding{Path: d.file, Line: d.line, Level: c.level, Rule: "unknown",
			Message: title + ": its licence is unknown: " + d.why})
		return
	}
	e, err := parseExpression(d.licence)
	if err != nil {
		c.run.Report(sdk.Finding{Path: d.file, Line: d.line, Level: c.level, Rule: "unknown",
			Message: title + ": its licence is unknown: " + strconv.Quote(d.licence) + " is not an SPDX expression: " +
				err.Error()})
		return
	}
	if bad := c.policy.refuses(e); bad != "" {
		c.run.Report(sdk.Finding{Path: d.file, Line: d.line, Rule: "licence",
			Message: title + ": licence " + d.licence + ": " + bad})
	}
}

// own checks the repository's LICENSE file.
func (c *checker) own(want string) error {
	if want == "" {
		return nil
	}
	licence, file, why, err := c.licenceIn(".")
	switch {
	case err != nil:
		return err
	case licence == "":
		c.run.Report(sdk.Finding{Path: file, Rule: "repository",
			Message: "the repository's licence should be " + want + " and is unknown: " + why})
	case !strings.EqualFold(plain(licence), plain(want)):
		c.run.Report(sdk.Finding{Path: file, Rule: "repository",
			Message: "the repository's licence is " + licence + ", want " + want})
	}
	return nil
}

const (
	headerLines = 30
	tag         = "SPDX-License-" + "Identifier:"
)

// headers checks the first lines of changed files.
func (c *checker) headers(globs []string, want string) error {
	if len(globs) == 0 {
		return nil
	}
	for change, content := range c.run.Heads(c.run.Changed(globs...), maxHead) {
		if change.Mode != "100644" && change.Mode != "100755" || !c.run.Handmade(change) {
			continue // a link or a submodule has no lines, what others made is theirs
		}
		text, err := io.ReadAll(content)
		if err != nil {
			return errors.New("cannot check " + strconv.Quote(change.Path) + ": " + err.Error())
		}
		if line, wrong := headerTrouble(string(sdk.DecodeText(text)), want); wrong != "" {
			c.run.Report(sdk.Finding{Path: change.Path, Line: line, Rule: "header", Message: wrong})
		}
	}
	return nil
}

// maxHead is how much of a file its first lines are looked for in, bytes.
const maxHead = 64 << 10

// headerTrouble says what is wrong with a file's header, and in which line.
func headerTrouble(text, want string) (int, string) {
	line, said := header(text)
	switch {
	case line == 0:
		return 1, strings.TrimRight("no "+tag+" "+want, " ") + " in the first " + strconv.Itoa(headerLines) + " lines"
	case want != "" && said != want:
		return line, "the header says " + strconv.Quote(said) + ", want " + strconv.Quote(want)
	case want == "":
		if _, err := parseExpression(said); err != nil {
			return line, "the header says " + strconv.Quote(said) + ", which is not an SPDX expression: " + err.Error()
		}
	}
	return 0, ""
}

// header returns what a file's licence header says, and its line.
func header(text string) (int, string) {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > headerLines {
			break
		}
		if _, said, ok := strings.Cut(line, tag); ok {
			said = strings.TrimSpace(said)
			for _, end := range []string{"*/", "-->", "*)", "#}", "--%>"} {
				said = strings.TrimSpace(strings.TrimSuffix(said, end))
			}
			return n, said
		}
	}
	return 0, ""
}

// read returns a file, "" and false where there is none. A symbolic link is
// followed inside the tree; one that leads out of it, or that leads nowhere, is
// reported and counts as none.
func (c *checker) read(name string) (string, bool, error) {
	if _, err := c.run.Stat(name); errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	}
	found, err := sdk.Follow(c.run, name)
	if errors.Is(err, sdk.ErrOutside) || errors.Is(err, sdk.ErrLoop) || errors.Is(err, os.ErrNotExist) {
		c.run.Report(sdk.Finding{Path: name, Rule: "lock-file",
			Message: "cannot read the file: it is a symbolic link that leads " + whereTo(err)})
		return "", false, nil
	}
	if err == nil && found.IsDir {
		return "", false, nil
	}
	var text []byte
	if err == nil {
		text, err = c.run.Read(found.Path)
	}
	if err != nil {
		return "", false, errors.New("cannot read " + strconv.Quote(name) + ": " + err.Error())
	}
	return string(sdk.DecodeText(text)), true, nil
}

func whereTo(err error) string {
	switch {
	case errors.Is(err, sdk.ErrOutside):
		return "out of the repository"
	case errors.Is(err, sdk.ErrLoop):
		return "to itself"
	}
	return "to a file that is not there"
}
