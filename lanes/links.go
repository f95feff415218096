package lanes

import (
	"slices"
	"strings"
)

// literal is what a pattern names before its first wildcard: a folder, or the
// whole pattern where it has none; "" for nothing.
func (g Glob) literal() string {
	text := g.text[:g.wild]
	if g.wild < len(g.text) {
		text = text[:strings.LastIndexByte(text, '/')+1]
	}
	return strings.TrimSuffix(text, "/")
}

// Literals lists the parts of the `paths` of all lanes before their first wildcard:
// if one of them leads through a symbolic link, a change behind the link triggers
// the pattern too; see Event.Reached.
func (s *Set) Literals() []string {
	var all []string
	for _, lane := range s.Lanes {
		for _, pattern := range lane.Paths {
			if name := s.globs[pattern].literal(); name != "" {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// linked finds the first changed path that a pattern of the lane reaches
// through a symbolic link: its index, or -1, and the pattern.
func (m *matcher) linked(lane Lane, reached map[string][]string) (at int, pattern string) {
	if len(reached) == 0 {
		return -1, ""
	}
	for _, pattern := range lane.Paths {
		g, err := m.glob(pattern)
		if err != nil {
			continue
		}
		for _, to := range reached[g.literal()] {
			if at := m.below(to); at >= 0 {
				return at, pattern
			}
		}
	}
	return -1, ""
}

// below is the first changed path that is a place or is below it, or -1.
func (m *matcher) below(place string) int {
	if place == "." && len(m.paths) > 0 {
		return 0
	}
	if at, found := slices.BinarySearch(m.paths, place); found {
		return at
	}
	if low, high := m.span(place + "/"); low < high {
		return low
	}
	return -1
}
