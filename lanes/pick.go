package lanes

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Event is one update at one gate, for which lanes are picked.
type Event struct {
	Gate  string   // "" : lanes are not chosen by gate
	Ref   string   // full name of the target ref; "" : not chosen by branch
	Paths []string // every path added, changed or deleted; a move is both its names

	// Reached is where patterns lead through symbolic links: by what one names
	// before its first wildcard (see Set.Literals), the links on the way and
	// the place behind them.
	Reached map[string][]string
}

// Picked is the decision about one lane.
type Picked struct {
	Lane   Lane
	Picked bool
	Path   string // the first changed path, in git's order, that chose the lane
	Glob   string // the pattern of the lane that it matches, as written
	Reason string // for people, such as "matches **/*.go"
}

// Pick decides about every lane, in file order. It does not follow `needs`: a
// lane that a picked lane needs and that is itself not picked is not run, and
// counts as passed. `needs` orders the lanes of one push, it does not choose
// them; what makes a lane run is that the push touches something it judges.
// The error is the context's: patterns times paths can take a while.
func (s *Set) Pick(ctx context.Context, e Event) ([]Picked, error) {
	m := newMatcher(ctx, s.globs, e.Paths)
	out := make([]Picked, len(s.Lanes))
	for i, lane := range s.Lanes {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("cannot pick lanes: %w", err)
		}
		out[i] = m.decide(e, lane)
		if m.toil.err != nil {
			return nil, fmt.Errorf("cannot pick lane %q: %w", lane.ID, m.toil.err)
		}
	}
	return out, nil
}

func (m *matcher) decide(e Event, lane Lane) Picked {
	no := func(reason string) Picked { return Picked{Lane: lane, Reason: reason} }
	if reason := wrongGate(e.Gate, lane); reason != "" {
		return no(reason)
	}
	if !m.onBranch(e.Ref, lane.Branches) {
		return no("not for " + refWords(e.Ref))
	}
	if e.Gate == "schedule" && len(e.Paths) == 0 {
		return Picked{Lane: lane, Picked: true, Reason: "on the schedule " + lane.Schedule}
	}
	return m.byPaths(lane, e.Reached)
}

func wrongGate(gate string, lane Lane) string {
	onlySchedule := len(lane.On) == 1 && lane.On[0] == "schedule"
	switch {
	case onlySchedule && gate != "schedule":
		return "runs on a schedule"
	case gate != "" && !slices.Contains(lane.On, gate):
		return "not for gate " + gate
	}
	return ""
}

func (m *matcher) byPaths(lane Lane, reached map[string][]string) Picked {
	p := Picked{Lane: lane}
	skip, bad := m.ignored(lane.Ignore)
	at, glob, ignored := -1, "", false
	if bad == "" {
		at, glob, bad, ignored = m.first(lane, skip)
	}
	folded, foldedGlob, short := -1, "", -1
	linked, link := -1, ""
	if at < 0 && bad == "" {
		linked, link = m.linked(lane, reached)
		folded, foldedGlob = m.firstFolded(lane, skip)
		short = m.firstShort(skip)
	}
	switch {
	case bad != "":
		// Only a set that did not come from Load can hold one. Not knowing
		// must not leave out a check.
		p.Picked, p.Reason = true, "cannot read pattern "+bad
	case at >= 0 && glob != "":
		p.Picked, p.Path, p.Glob, p.Reason = true, m.paths[at], glob, "matches "+glob
	case linked >= 0:
		p.Picked, p.Path, p.Glob = true, m.paths[linked], link
		p.Reason = link + " reaches " + p.Path + " through a symbolic link"
	case folded >= 0:
		p.Picked, p.Path, p.Glob = true, m.paths[folded], foldedGlob
		p.Reason = "matches " + foldedGlob + " except for case or normal form"
	case len(lane.Paths) > 0 && short >= 0:
		p.Picked, p.Path = true, m.paths[short]
		p.Reason = "a changed path may be a short name of any other on Windows"
	case len(lane.Paths) > 0 && ignored:
		p.Reason = "all matching paths are ignored"
	case len(lane.Paths) > 0:
		p.Reason = "no changed path matches"
	case at >= 0 && len(lane.Ignore) > 0:
		p.Picked, p.Path, p.Reason = true, m.paths[at], "a changed path is not ignored"
	case ignored:
		p.Reason = "all changed paths are ignored"
	default:
		p.Picked, p.Reason = true, "no paths given: runs on every push"
	}
	return p
}

func refWords(ref string) string {
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return "branch " + name
	}
	if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return "tag " + name
	}
	return "ref " + ref
}

// onBranch says whether a lane's branches name the ref. No pattern means every
// ref.
func (m *matcher) onBranch(ref string, patterns []string) bool {
	return ref == "" || len(patterns) == 0 || refMatches(patterns, ref, m.glob)
}
