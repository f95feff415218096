package histories

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// names tells whether a policy's pattern names a ref.
func names(pattern, ref string) bool {
	if !strings.HasPrefix(pattern, "refs/") {
		pattern = "refs/heads/" + pattern
	}
	if dir, ok := strings.CutSuffix(pattern, "*"); ok {
		rest, below := strings.CutPrefix(ref, dir)
		return below && rest != "" && !strings.Contains(rest, "/")
	}
	return ref == pattern
}

// headMissing: HEAD names no branch that is there.
func (w *world) headMissing() bool { return w.head == "" || w.refs[w.resolve("HEAD")] == nil }

// protected tells whether a resolved ref is protected.
func (w *world) protected(ref string) bool {
	head := w.resolve("HEAD")
	if len(w.policy.Protect) == 0 {
		every := w.headMissing() || w.sticky
		return ref == head || every && strings.HasPrefix(ref, "refs/heads/")
	}
	listed := func(name string) bool {
		return slices.ContainsFunc(w.policy.Protect, func(p string) bool { return names(p, name) })
	}
	if listed(ref) {
		return true
	}
	for name := range w.links {
		if listed(name) && w.resolve(name) == ref {
			return true
		}
	}
	return false
}

// step is one line of a push against the repository before it.
type step struct {
	Line
	ref       string // resolved
	old, new  *object
	protected bool
}

func (w *world) steps(p Push) []step {
	var all []step
	for _, l := range p.Lines {
		ref := w.resolve(l.Ref)
		all = append(all, step{l, ref, w.refs[ref], w.byID[l.New], w.protected(ref)})
	}
	return all
}

// trusts tells whether the lanes of a ref judge others. A detached HEAD is no
// ref; an alias of it is one.
func (w *world) trusts(ref string) bool {
	named := ref != "HEAD"
	for name := range w.links {
		named = named || w.resolve(name) == ref
	}
	return named && w.protected(ref) && w.clean[ref]
}

// judges are the rules of which one at least must have let a step in; with
// the commits that they may come from. First: the repository had no trusted
// lanes, and those that the push adds judge it.
func (w *world) judges(s step) (all []rules, from []string, first bool) {
	if r, ok := rulesOf(s.old); ok && strings.HasPrefix(s.ref, "refs/heads/") {
		return []rules{r}, []string{s.old.id}, false
	}
	for ref, o := range w.refs {
		if r, ok := rulesOf(o); ok && w.trusts(ref) {
			all, from = append(all, r), append(from, o.id)
		}
	}
	if len(all) > 0 || w.trusted {
		return all, from, false
	}
	if r, ok := rulesOf(s.new); ok {
		return []rules{r}, []string{""}, true
	}
	return nil, nil, true
}

// had tells whether a path's content was in what the step is compared with:
// the ref itself or, for a new one, a commit that it shares with a protected
// ref.
func (w *world) had(s step, path string) bool {
	text := s.new.tree[path]
	if s.old != nil {
		return s.old.tree[path] == text
	}
	mine := s.new.reaches()
	for ref, o := range w.refs {
		if !w.protected(ref) {
			continue
		}
		for c := range o.reaches() {
			if mine[c] && c.tree[path] == text {
				return true
			}
		}
	}
	return false
}

// refuses is why rules must refuse a step; "" they need not.
func (w *world) refuses(r rules, s step) string {
	if r.broken {
		return "no one can read its lanes"
	}
	if r.refs && strings.Contains(s.ref, "frozen") {
		return "the lane refs refuses this ref"
	}
	for path, text := range s.new.tree {
		isLanes := slices.Contains(places, path)
		switch {
		case w.had(s, path):
		case r.files && bad(text) && strings.HasPrefix(path, r.below):
			return "the lane files refuses " + path
		case isLanes && len(r.guard) > 0:
			return "the lane guard refuses a change of " + path
		}
	}
	return ""
}

// check returns what is wrong with accepting the refs that were accepted; moved[i]
// reports whether line i was. w is the repository before the push.
func (w *world) check(p Push, steps []step, a Answer) string {
	if p.Cut && slices.Contains(a.Accepted, true) {
		return "the gate saw a part of the ref lines and accepted the push"
	}
	for i, s := range steps {
		if s.Old != w.value(s.ref) && slices.Contains(a.Accepted, true) {
			return fmt.Sprintf("line %d lies about its old value, and a line of the push was accepted", i+1)
		}
	}
	for i, s := range steps {
		if !a.Accepted[i] {
			continue
		}
		if why := w.checkStep(s, a); why != "" {
			return fmt.Sprintf("line %d, %s: %s", i+1, s.Ref, why)
		}
	}
	return w.checkHonest(p, steps, a)
}

func (w *world) checkStep(s step, a Answer) string {
	if len(lanesOf(s.new)) > 1 {
		return "two lanes files were accepted"
	}
	if !s.protected || s.Old == s.New {
		return ""
	}
	if why := w.checkMove(s); why != "" || s.New == zeroID {
		return why
	}
	judges, from, first := w.judges(s)
	by, known := a.JudgedBy[s.ref]
	switch {
	case len(judges) == 0 && first:
		return "it has no lanes, and no one else has any"
	case len(judges) == 0:
		return "there were trusted lanes once, and none judged it"
	case known && !slices.Contains(from, by):
		return fmt.Sprintf("it was judged by the lanes of %q, which are not those of a protected ref", w.nameOf(by))
	}
	var reasons []string
	for _, r := range judges {
		why := w.refuses(r, s)
		if why == "" {
			return ""
		}
		reasons = append(reasons, r.name+": "+why)
	}
	return "accepted against its lanes: " + strings.Join(reasons, "; ")
}

// checkMove: a protected ref is deleted, rewound or replaced where the policy
// says so.
func (w *world) checkMove(s step) string {
	switch {
	case s.old == nil:
	case s.New == zeroID && !w.policy.AllowDelete:
		return "a protected ref was deleted"
	case s.New == zeroID || w.policy.AllowForce:
	case strings.HasPrefix(s.ref, "refs/tags/"):
		return "a protected tag was moved"
	case !s.new.reaches()[s.old]:
		return "a protected ref was rewound or replaced"
	}
	return ""
}

// checkHonest: a push of nothing but good steps is accepted.
func (w *world) checkHonest(p Push, steps []step, a Answer) string {
	seen := map[string]bool{}
	for _, s := range steps {
		if seen[s.ref] || p.Cut || s.Old != w.value(s.ref) || !w.good(s, len(steps)) {
			return ""
		}
		seen[s.ref] = true
	}
	if slices.Contains(a.Accepted, false) {
		return "an honest push of good commits was refused"
	}
	return ""
}

// good: no lane may refuse the step, and git does not.
func (w *world) good(s step, lines int) bool {
	r, has := rulesOf(s.new)
	switch {
	case s.new == nil || !s.new.commit || s.new.tag || !has || len(lanesOf(s.new)) > 1 || r.broken:
		return false
	case !strings.HasPrefix(s.Ref, "refs/heads/") || !strings.HasPrefix(s.ref, "refs/heads/"):
		return false
	case strings.Contains(s.ref, "frozen") || strings.Contains(s.ref, "..") || w.inTheWay(s.ref):
		return false
	case slices.ContainsFunc(slices.Collect(maps.Values(s.new.tree)), bad):
		return false
	case s.old != nil: // a step forward under the same lanes
		at := lanesOf(s.old)
		return slices.Equal(at, lanesOf(s.new)) && s.old.tree[at[0]] == s.new.tree[at[0]] && s.new.reaches()[s.old]
	case len(w.refs) == 0: // the first push
		return lines == 1 && !w.trusted && r.guard == nil
	}
	head := w.resolve("HEAD") // a new name of what is there
	return head != "HEAD" && w.refs[head] == s.new && w.protected(head)
}

// settle notes what the push made of trust; before is whether a ref was
// protected before it.
func (w *world) settle(steps []step, a Answer) {
	for i, s := range steps {
		if a.Accepted[i] && w.refs[s.ref] == s.new {
			w.clean[s.ref] = s.protected
		}
	}
	for ref, o := range w.refs {
		if _, has := rulesOf(o); has && !w.trusted && w.trusts(ref) {
			w.trusted, w.sticky = true, w.headMissing()
		}
	}
}

func (w *world) nameOf(id string) string {
	if o := w.byID[id]; o != nil {
		return o.name
	}
	return id
}
