package sdk

import (
	"errors"
	"path"
	"strconv"
	"strings"
)

// Match reports whether a path from the tree's top matches a glob as a whole:
// "*", "?" and "[a-z]" match within a name as in path.Match, and a name "**"
// matches any number of folders, none included. "**/*.go" are all Go
// files, "*.go" those at the top, "docs/**" all below docs. A bad pattern is
// path.ErrBadPattern, whatever the path.
func Match(glob, name string) (bool, error) {
	p, err := parsePattern(glob)
	return err == nil && p.match(name), err
}

// Matcher is a set of globs, read once for many paths.
type Matcher struct{ patterns []pattern }

// NewMatcher reads globs; see Match.
func NewMatcher(globs ...string) (Matcher, error) {
	var m Matcher
	for _, g := range globs {
		p, err := parsePattern(g)
		if err != nil {
			return m, errors.New("cannot match " + strconv.Quote(g) + ": " + err.Error())
		}
		m.patterns = append(m.patterns, p)
	}
	return m, nil
}

// Match reports whether one of the globs matches a path; no globs match all.
func (m Matcher) Match(name string) bool {
	for _, p := range m.patterns {
		if p.match(name) {
			return true
		}
	}
	return len(m.patterns) == 0
}

// paid is Match; it calls pay with the work before each glob.
func (m Matcher) paid(name string, pay func(bytes int) error) (bool, error) {
	for _, p := range m.patterns {
		if err := pay(p.size + len(name)); err != nil {
			return false, err
		}
		if p.match(name) {
			return true, nil
		}
	}
	return len(m.patterns) == 0, nil
}

// pattern is a glob, name by name.
type pattern struct {
	size  int // bytes
	names []string
	end   string // what every match ends with
}

func parsePattern(glob string) (pattern, error) {
	p := pattern{size: len(glob), names: strings.Split(glob, "/")}
	for _, name := range p.names {
		if _, err := path.Match(name, ""); err != nil {
			return p, err
		}
	}
	if last := p.names[len(p.names)-1]; last != "**" {
		p.end = last[strings.LastIndexAny(last, `*?]\`)+1:]
		if strings.Contains(last, `\`) {
			p.end = ""
		}
	}
	return p, nil
}

func (p pattern) match(name string) bool {
	return strings.HasSuffix(name, p.end) && matchNames(p.names, strings.Split(name, "/"))
}

// matchNames compares name by name; at a mismatch the last "**" takes one
// more, so the work is bounded by the product of the lengths.
func matchNames(pattern, names []string) bool {
	p, n := 0, 0
	star, from := -1, 0
	for n < len(names) {
		if p < len(pattern) && pattern[p] == "**" {
			if p == len(pattern)-1 {
				return true
			}
			star, from = p, n
			p++
			continue
		}
		if p < len(pattern) {
			if ok, _ := path.Match(pattern[p], names[n]); ok {
				p++
				n++
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		p, n = star+1, from
	}
	return p == len(pattern)
}
