package lanes

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/lanes/plaintext"
)

// Imported is a lanes file converted from another tool's configuration.
type Imported struct {
	Text   []byte
	Lanes  int
	Refuse []string // ids of the lanes that refuse until their command is written
}

// Import converts the configuration of another tool to a lanes file that Load
// accepts. Tool is "forge-lanes", "lefthook" or "pre-commit"; source is the name
// used in errors and in the first comment. Files has the files that the
// configuration may extend; nil if there are none. Ids and order are those of the
// configuration.
//
// The lanes never check less: a trigger without an equivalent becomes a wider one,
// an exclusion a narrower one, and a check that cannot be run becomes a lane that
// refuses every push until its command is written. Only settings that do not refuse
// a push become comments.
func Import(tool, source string, data []byte, files fs.FS) (Imported, error) {
	if len(data) > MaxFile {
		return Imported{}, &FormatError{File: source, Msg: fmt.Sprintf("the file has %d bytes, more than the %d allowed",
			len(data), MaxFile)}
	}
	data, err := plaintext.Of(data)
	if err != nil {
		return Imported{}, &FormatError{File: source, Msg: err.Error()}
	}
	d := &draft{groups: map[string]bool{}, ids: map[string]bool{}, files: files}
	d.note("Imported from %s (%s) by `pushlane import`. Review and test it before you commit it.",
		Quoted(filepath.Base(source)), tool)
	switch tool {
	case "forge-lanes":
		err = importForge(d, source, data)
	case "lefthook":
		err = importLefthook(d, source, data)
	case "pre-commit":
		err = importPreCommit(d, source, data)
	default:
		err = &toolError{tool}
	}
	if err != nil {
		return Imported{}, err
	}
	return d.imported(source)
}

// imported writes the lanes file and loads it, as a push would.
func (d *draft) imported(source string) (Imported, error) {
	d.boundPatterns()
	out := Imported{Text: d.render(), Lanes: len(d.lanes)}
	for _, l := range d.lanes {
		if l.refuses {
			out.Refuse = append(out.Refuse, l.id)
		}
	}
	if len(out.Text) > MaxFile {
		return Imported{}, &FormatError{File: source, Msg: fmt.Sprintf(
			"its lanes would be %d bytes, more than the %d allowed", len(out.Text), MaxFile)}
	}
	if _, err := Load(source, out.Text); err != nil {
		return Imported{}, fmt.Errorf("internal error: the import of %s is not a lanes file: %w", source, err)
	}
	return out, nil
}

// boundPatterns leaves out the paths of lanes from where there are more than a
// file may have: those lanes run on every push.
func (d *draft) boundPatterns() {
	n := 0
	for i := range d.lanes {
		l := &d.lanes[i]
		if n+len(l.paths)+len(l.ignore) > maxPatterns {
			l.note("The file has more than %d paths, so the lane runs on every push.", maxPatterns)
			l.paths, l.ignore = nil, nil
		}
		n += len(l.paths) + len(l.ignore)
	}
}

type toolError struct{ tool string }

func (e *toolError) Error() string { return fmt.Sprintf("cannot import from %q: unknown tool", e.tool) }

func (e *toolError) Hint() string { return "one of forge-lanes, lefthook, pre-commit" }

// draft is a lanes file being written.
type draft struct {
	notes  []string
	groups map[string]bool
	lanes  []draftLane
	ids    map[string]bool
	files  fs.FS // next to the file; nil: none
}

func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

type draftLane struct {
	notes                      []string
	id, title, schedule, group string
	paths, ignore, on          []string
	command                    []string // argv; or
	run                        string   // a script
	refuses                    bool
}

func (l *draftLane) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// add gives the lane a unique id, as similar to the original as our rules allow, and
// notes a changed id.
func (d *draft) add(l draftLane, suffix string) {
	id, was := slug(l.id), l.id
	if id != was {
		l.note("The id was %s.", Quoted(was))
	}
	if d.ids[id] {
		l.note("The id %s appears twice in the file.", Quoted(id))
		if suffix != "" && !d.ids[fit(id, suffix)] {
			id = fit(id, suffix)
		}
	}
	for base, n := id, 2; d.ids[id]; n++ {
		id = fit(base, fmt.Sprintf("-%d", n))
	}
	d.ids[id] = true
	l.id = id
	d.lanes = append(d.lanes, l)
}

// fit appends to an id and keeps it within its length.
func fit(id, suffix string) string { return id[:min(len(id), 100-len(suffix))] + suffix }

// slug makes a good id out of any name; a good one stays as it is.
func slug(name string) string {
	if validID(name) {
		return name
	}
	var b strings.Builder
	for _, c := range []byte(strings.ToLower(name)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' {
			b.WriteByte(c)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	id := strings.Trim(b.String(), "-_")
	if id == "" {
		return "lane"
	}
	return id[:min(len(id), 100)]
}

// refuse makes a lane say no until its command is written.
func (l *draftLane) refuse(why string) {
	l.command, l.refuses = nil, true
	l.run = "echo " + shellQuote("pushlane: "+Comment(why)+"; write its command into lanes.toml") + " >&2\nexit 1"
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// trigger takes another tool's globs as the paths that make the lane run. With
// one that has no equal it runs on every push: rather too often than not.
func (l *draftLane) trigger(globs []string, d dialect) {
	for _, glob := range globs {
		forms, err := d.forms(glob)
		var paths []string
		if err == nil {
			paths, err = widened(forms, d.anyCase)
		}
		if err != nil {
			l.note("No equivalent for the path %s: %s. So the lane runs on every push.", Quoted(glob), err)
		}
		if err != nil || len(paths) == 0 {
			l.paths = nil
			return
		}
		for _, p := range paths {
			if !slices.Contains(l.paths, p) {
				l.paths = append(l.paths, p)
			}
		}
	}
}

// exclude takes another tool's globs of what does not count. What has no equal
// is left out: the lane then runs rather too often.
func (l *draftLane) exclude(globs []string, d dialect) {
	for _, glob := range globs {
		forms, err := d.forms(glob)
		paths, less := narrowed(forms)
		if err != nil || less {
			l.note("No full equivalent for the excluded path %s. So the lane runs more often.", Quoted(glob))
		}
		for _, p := range paths {
			if !slices.Contains(l.ignore, p) {
				l.ignore = append(l.ignore, p)
			}
		}
	}
}

// cause is the innermost of an error: a bad pattern is named already.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
