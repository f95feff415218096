package lanes

import (
	"strings"
)

// Refs is a list of patterns of refs, with the meaning of a lane's `branches`:
// a pattern that begins with refs/ is matched against the whole name, any
// other against the name of a branch.
type Refs []string

// Check refuses a list with a pattern that cannot be read.
func (r Refs) Check() error {
	for _, p := range r {
		if _, err := ParseGlob(p); err != nil {
			return err
		}
	}
	return nil
}

// Match reports whether one of the patterns matches ref. An empty list matches none.
func (r Refs) Match(ref string) bool {
	if ref == "" || len(r) == 0 {
		return false
	}
	return refMatches(r, ref, ParseGlob)
}

// refMatches: a pattern that cannot be read names every ref, so that doubt
// never means fewer checks.
func refMatches(patterns []string, ref string, parse func(string) (Glob, error)) bool {
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	for _, p := range patterns {
		g, err := parse(p)
		switch {
		case err != nil:
			return true
		case strings.HasPrefix(p, "refs/"):
			if g.equal(ref) {
				return true
			}
		case isBranch && g.equal(branch):
			return true
		}
	}
	return false
}
