package sdk

import (
	"path"
	"strings"
)

// Match reports whether a path from the tree's top matches a glob as a whole:
// "*", "?" and "[a-z]" match within a name as in path.Match, and a name "**"
// stands for any number of folders, none included. "**/*.go" are all Go
// files, "*.go" those at the top, "docs/**" all below docs. A bad pattern is
// path.ErrBadPattern, whatever the path.
func Match(glob, name string) (bool, error) {
	pattern := strings.Split(glob, "/")
	for _, p := range pattern {
		if _, err := path.Match(p, ""); err != nil {
			return false, err
		}
	}
	return matchNames(pattern, strings.Split(name, "/")), nil
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
