package lanes

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// matcher answers for one event, over its sorted paths. Lanes share patterns
// (every lane lists its lock files), so each pattern is matched once.
type matcher struct {
	globs map[string]Glob
	more  map[string]Glob // patterns the set did not hold
	paths []string        // in git's order
	hits  map[string][]int32
	ends  map[byte][]int32
	toil  *toil

	all, odd *folds // all paths folded, and those alone that folding changes; nil: not needed yet
}

func newMatcher(ctx context.Context, globs map[string]Glob, paths []string) *matcher {
	if !slices.IsSorted(paths) {
		paths = slices.Sorted(slices.Values(paths))
	}
	return &matcher{globs: globs, more: map[string]Glob{}, paths: paths, hits: map[string][]int32{}, toil: &toil{ctx: ctx}}
}

// maxToil is how many bytes of paths may be held against patterns for one
// update, each path once for each pattern: some ten seconds of a core. What a
// push and its lanes file cost is theirs alone to choose.
const maxToil = 256 << 20

// toil is what was held against patterns so far.
type toil struct {
	ctx   context.Context
	bytes int
	tries int
	err   error
}

// over takes one path off, and reports whether it must not be looked at any
// more.
func (t *toil) over(path string) bool {
	if t.tries++; t.tries%4096 == 0 && t.err == nil {
		t.err = t.ctx.Err()
	}
	if t.bytes += len(path); t.bytes > maxToil && t.err == nil {
		t.err = fmt.Errorf("the lanes compare more than %d MiB of paths with their patterns", maxToil>>20)
	}
	return t.err != nil
}

func (m *matcher) glob(pattern string) (Glob, error) {
	if g, ok := m.globs[pattern]; ok {
		return g, nil
	}
	if g, ok := m.more[pattern]; ok {
		return g, nil
	}
	g, err := ParseGlob(pattern)
	if err == nil {
		m.more[pattern] = g
	}
	return g, err
}

// matches lists the paths that a pattern matches, by index, rising.
func (m *matcher) matches(pattern string) ([]int32, error) {
	if list, ok := m.hits[pattern]; ok {
		return list, nil
	}
	g, err := m.glob(pattern)
	if err != nil {
		return nil, err
	}
	list := m.search(&g)
	m.hits[pattern] = list
	return list, nil
}

// search looks at no more paths than it must: those that share the pattern's
// plain beginning, or, where it has none, those that share its last byte. A
// folder that is called like the pattern shares one byte more than the plain
// beginning, so it is found on its own.
func (m *matcher) search(g *Glob) []int32 {
	var list []int32
	if g.wild > 0 || g.tail == "" {
		low, high := m.span(g.text[:g.wild])
		for i := low; i < high; i++ {
			if m.toil.over(m.paths[i]) {
				return nil
			}
			if g.Match(m.paths[i]) {
				list = append(list, int32(i))
			}
		}
		return list
	}
	for _, i := range m.endingIn(g.tail[len(g.tail)-1]) {
		if m.toil.over(m.paths[i]) {
			return nil
		}
		if g.matchWild(m.paths[i]) {
			list = append(list, i)
		}
	}
	low, high := m.span(g.text[:1])
	for i := low; i < high; i++ {
		if m.toil.over(m.paths[i]) {
			return nil
		}
		if g.Match(m.paths[i]) {
			list = append(list, int32(i))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// endingIn lists the paths that end in a byte, by index, rising.
func (m *matcher) endingIn(b byte) []int32 {
	if m.ends == nil {
		m.ends = make(map[byte][]int32)
		for i, p := range m.paths {
			if p != "" {
				m.ends[p[len(p)-1]] = append(m.ends[p[len(p)-1]], int32(i))
			}
		}
	}
	return m.ends[b]
}

// span is the part of the sorted paths that begin with a text.
func (m *matcher) span(prefix string) (low, high int) {
	low = sort.SearchStrings(m.paths, prefix)
	high = low + sort.Search(len(m.paths)-low, func(i int) bool {
		return !strings.HasPrefix(m.paths[low+i], prefix)
	})
	return low, high
}

// first finds the first path that counts for a lane: its index, or -1, and
// the first of the lane's patterns that matches it. A pattern that cannot be
// read is given back as bad. Ignored says that a path matched and did not
// count.
func (m *matcher) first(lane Lane, skip map[int32]bool) (at int, glob, bad string, ignored bool) {
	if len(lane.Paths) == 0 {
		at = firstClear(len(m.paths), skip)
		return at, "", "", at < 0 && len(m.paths) > 0
	}
	at = -1
	for _, pattern := range lane.Paths {
		list, err := m.matches(pattern)
		if err != nil {
			return -1, "", pattern, false
		}
		for _, i := range list {
			if skip[i] {
				ignored = true
				continue
			}
			if at < 0 || int(i) < at {
				at, glob = int(i), pattern
			}
			break
		}
	}
	return at, glob, "", ignored
}

// ignored marks the paths that a lane ignores. A name that is spelled like a
// pattern with wildcards is not ignored for that: a folder called `**` would
// take all that is below it out of every check.
func (m *matcher) ignored(patterns []string) (map[int32]bool, string) {
	if len(patterns) == 0 {
		return nil, ""
	}
	skip := map[int32]bool{}
	for _, p := range patterns {
		list, err := m.matches(p)
		if err != nil {
			return nil, p
		}
		g, _ := m.glob(p)
		for _, i := range list {
			skip[i] = skip[i] || !g.namesake(m.paths[i])
		}
	}
	return skip, ""
}

func firstClear(n int, skip map[int32]bool) int {
	for i := range n {
		if !skip[int32(i)] {
			return i
		}
	}
	return -1
}
