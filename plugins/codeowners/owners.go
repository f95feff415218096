package main

import (
	"slices"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// section is a part of the file: GitLab's, or the only one. In each the last
// pattern that matches counts, and every section adds its owners.
type section struct {
	optional bool     // ^[…]: its owners need not approve
	owners   []string // of its lines that name none
	lines    []entry
}

type entry struct {
	globs  sdk.Matcher
	not    bool // !pattern: what it matches has no owner here
	owners []string
}

type codeowners []*section

type fault struct {
	line    int
	message string
}

// parse reads the file as GitHub and GitLab do.
func parse(text string) (codeowners, []fault) {
	all := codeowners{{}}
	var faults []fault
	number := 0
	for line := range strings.Lines(text) {
		number++
		if message := all.line(strings.TrimSpace(line)); message != "" {
			faults = append(faults, fault{number, message})
		}
	}
	return all, faults
}

func (c *codeowners) line(line string) (wrong string) {
	if line == "" || line[0] == '#' {
		return ""
	}
	if line[0] == '[' || strings.HasPrefix(line, "^[") {
		s, wrong := header(line)
		*c = append(*c, s)
		return wrong
	}
	fields := split(line)
	pattern, not := strings.CutPrefix(fields[0], "!")
	names := fields[1:]
	if i := slices.IndexFunc(names, func(n string) bool { return n[0] == '#' }); i >= 0 { // a comment behind it
		names = names[:i]
	}
	for _, name := range names {
		if !isOwner(name) {
			return "\"" + name + "\" is not an owner: write @name, @org/team or an address"
		}
	}
	globs, wrong := globsOf(pattern)
	if wrong != "" {
		return wrong
	}
	last := (*c)[len(*c)-1]
	match, err := sdk.NewMatcher(globs...)
	if err != nil {
		return "\"" + pattern + "\": " + err.Error()
	}
	last.lines = append(last.lines, entry{match, not, names})
	return ""
}

// header reads "[Name]", "^[Name]", "[Name][2]", each with owners behind it.
func header(line string) (*section, string) {
	rest, optional := strings.CutPrefix(line, "^")
	name, rest, found := strings.Cut(rest, "]")
	s := &section{optional: optional}
	if !found || len(name) < 2 {
		return s, "a section is written [Name]"
	}
	if strings.HasPrefix(rest, "[") {
		if _, rest, found = strings.Cut(rest, "]"); !found {
			return s, "a section's number of approvals is written [Name][2]"
		}
	}
	for _, name := range strings.Fields(rest) {
		if !isOwner(name) {
			return s, "\"" + name + "\" is not an owner: write @name, @org/team or an address"
		}
		s.owners = append(s.owners, name)
	}
	return s, ""
}

// split cuts at blanks without a backslash before them.
func split(line string) []string {
	var fields []string
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '#'):
			i++
			b.WriteByte(line[i])
		case line[i] == ' ' || line[i] == '\t':
			if b.Len() > 0 {
				fields = append(fields, b.String())
				b.Reset()
			}
		default:
			b.WriteByte(line[i])
		}
	}
	if b.Len() > 0 {
		fields = append(fields, b.String())
	}
	return fields
}

func isOwner(name string) bool {
	at := strings.IndexByte(name, '@')
	return at == 0 && len(name) > 1 || at > 0 && at < len(name)-1 && strings.Contains(name[at:], ".")
}

// globsOf says what of our globs a pattern of a .gitignore means. GitHub takes
// no [ ] and no \#.
func globsOf(pattern string) (globs []string, wrong string) {
	if strings.ContainsAny(pattern, "[]") {
		return nil, "\"" + pattern + "\": a pattern has no [ ]"
	}
	anchored := strings.Contains(strings.TrimSuffix(pattern, "/"), "/")
	p := strings.TrimPrefix(pattern, "/")
	folder := strings.HasSuffix(p, "/")
	if p = strings.TrimSuffix(p, "/"); p == "" {
		return nil, "\"" + pattern + "\" matches nothing"
	}
	if !anchored {
		p = "**/" + p
	}
	if !folder {
		globs = append(globs, p)
	}
	if !strings.HasSuffix(p, "*") || folder || strings.HasSuffix(p, "**/*") {
		globs = append(globs, p+"/**") // a folder's name is all that is in it
	}
	return globs, ""
}

// of are the owners of a path who must approve, in the file's order.
func (c codeowners) of(path string) []string {
	var names []string
	for _, s := range c {
		if s.optional {
			continue
		}
		for _, name := range s.of(path) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (s *section) of(path string) []string {
	for _, e := range slices.Backward(s.lines) {
		if !e.globs.Match(path) {
			continue
		}
		if e.not {
			return nil
		}
		if len(e.owners) == 0 {
			return s.owners
		}
		return e.owners
	}
	return nil
}
