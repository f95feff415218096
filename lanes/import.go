package lanes

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Import turns the file of another tool into the text of a lanes file that
// Load takes. Tool is "forge-lanes", "lefthook" or "pre-commit"; source is the
// name that errors and the first comment carry. Ids and order are kept. What
// has no equal here becomes a comment, and where leaving it out would let
// through what was checked before, the lane refuses every push until somebody
// has replaced it.
func Import(tool, source string, data []byte) ([]byte, error) {
	if len(data) > MaxFile {
		return nil, &FormatError{File: source, Msg: fmt.Sprintf("the file has %d bytes, more than the %d allowed", len(data), MaxFile)}
	}
	d := &draft{groups: map[string]bool{}, ids: map[string]bool{}}
	d.note("Imported from %s (%s) by `pushlane import`. Read it, try it, then keep it.", quoted(filepath.Base(source)), tool)
	var err error
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
		return nil, err
	}
	text := d.render()
	if _, err := Load(source, text); err != nil {
		return nil, fmt.Errorf("internal error: the import of %s is no lanes file: %w", source, err)
	}
	return text, nil
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
}

func (l *draftLane) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// add gives the lane an id of its own, as near to the one it had as ours
// allow, and says so where it is another.
func (d *draft) add(l draftLane, suffix string) {
	id, was := slug(l.id), l.id
	if id != was {
		l.note("The id was %s.", quoted(was))
	}
	if d.ids[id] {
		l.note("The id %s stands twice in the file.", quoted(id))
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

// refuse makes a lane say no until somebody has written what it shall do.
func (l *draftLane) refuse(why string) {
	l.command = nil
	l.run = "echo " + shellQuote("pushlane: "+why+"; write its command into lanes.toml") + " >&2\nexit 1"
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// setPaths takes another tool's globs. Braces are written out. A lane that
// has one without an equal runs on every push: rather too often than not.
func (l *draftLane) setPaths(globs []string) {
	for _, pattern := range globs {
		for _, p := range braces(pattern) {
			if _, err := ParseGlob(p); err != nil {
				l.note("No equal for the path %s: %s. So the lane runs on every push.", quoted(pattern), cause(err))
				l.paths = nil
				return
			}
			if !slices.Contains(l.paths, p) {
				l.paths = append(l.paths, p)
			}
		}
	}
}

// folderLike says that a path of another tool, which means a file, may be a
// folder's name; ours would take in all that is below.
func folderLike(p string) bool {
	name := p[strings.LastIndexByte(p, '/')+1:]
	return name != "" && !strings.ContainsAny(name, ".*?[")
}

// setIgnore takes another tool's globs of what does not count. What has no
// equal is left out: the lane then runs rather too often.
func (l *draftLane) setIgnore(globs []string) {
	for _, pattern := range globs {
		for _, p := range braces(pattern) {
			if _, err := ParseGlob(p); err != nil {
				l.note("No equal for the excluded path %s: %s.", quoted(pattern), cause(err))
			} else if folderLike(p) {
				l.note("No equal for the excluded path %s: here it would exclude a folder of that name as well.", quoted(pattern))
			} else if !slices.Contains(l.ignore, p) {
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

// braces writes {a,b} out, inner ones too. A pattern that would become more
// than a hundred, or whose braces do not pair, stays as it is.
func braces(pattern string) []string {
	todo, done := []string{pattern}, []string(nil)
	for len(todo) > 0 && len(todo)+len(done) <= 100 {
		p := todo[0]
		todo = todo[1:]
		open, parts, after := firstBraces(p)
		if parts == nil {
			done = append(done, p)
			continue
		}
		var more []string
		for _, part := range parts {
			more = append(more, p[:open]+part+after)
		}
		todo = append(more, todo...)
	}
	if len(todo) > 0 {
		return []string{pattern}
	}
	return done
}

// firstBraces finds the first pair of braces and cuts what is in it at its
// own commas.
func firstBraces(p string) (open int, parts []string, after string) {
	depth, from := 0, 0
	for i := 0; i < len(p); i++ {
		switch {
		case p[i] == '\\':
			i++
		case p[i] == '{':
			if depth++; depth == 1 {
				open, from = i, i+1
			}
		case p[i] == ',' && depth == 1:
			parts, from = append(parts, p[from:i]), i+1
		case p[i] == '}' && depth > 0:
			if depth--; depth == 0 {
				return open, append(parts, p[from:i]), p[i+1:]
			}
		}
	}
	return 0, nil, ""
}
