package lanes

import (
	"maps"
	"slices"
	"strings"
)

func (l *loader) checkIDs() {
	first := map[string]int{}
	for _, lane := range l.set.Lanes {
		if lane.ID == "" {
			continue
		}
		if line, twice := first[lane.ID]; twice {
			l.fault(lane.Line, "id %q stands twice, first at line %d", lane.ID, line)
			continue
		}
		first[lane.ID] = lane.Line
	}
}

// checkNeeds looks at `needs` across lanes: the ids exist, both lanes meet at
// some gate, and nobody waits for himself.
func (l *loader) checkNeeds() {
	byID := map[string]Lane{}
	for _, lane := range l.set.Lanes {
		byID[lane.ID] = lane
	}
	for _, lane := range l.set.Lanes {
		for i, id := range lane.Needs {
			l.checkNeed(lane, id, byID)
			if slices.Contains(lane.Needs[:i], id) {
				l.fault(lane.Line, "lane %q needs %q twice", lane.ID, id)
			}
		}
	}
	l.checkCycles(byID)
}

func (l *loader) checkNeed(lane Lane, id string, byID map[string]Lane) {
	other, ok := byID[id]
	if !ok {
		f := l.fault(lane.Line, "lane %q needs %q, and there is no such lane", lane.ID, id)
		f.Suggestion = nearest(id, slices.Sorted(maps.Keys(byID)))
		return
	}
	for _, gate := range lane.On {
		if slices.Contains(other.On, gate) {
			return
		}
	}
	l.fault(lane.Line, "lane %q needs %q, but they never run at the same gate (%s; %s)",
		lane.ID, id, strings.Join(lane.On, ", "), strings.Join(other.On, ", "))
}

// checkCycles walks `needs` depth first and names each cycle once.
func (l *loader) checkCycles(byID map[string]Lane) {
	done := map[string]bool{}
	var trail []string
	var visit func(id string)
	visit = func(id string) {
		if i := slices.Index(trail, id); i >= 0 {
			cycle := append(slices.Clone(trail[i:]), id)
			l.fault(byID[id].Line, "lanes wait for each other: %s", strings.Join(cycle, " -> "))
			return
		}
		if done[id] {
			return
		}
		trail = append(trail, id)
		for _, next := range byID[id].Needs {
			visit(next)
		}
		trail = trail[:len(trail)-1]
		done[id] = true
	}
	for _, lane := range l.set.Lanes {
		visit(lane.ID)
	}
}

func (l *loader) checkGroups(t table) {
	groups, _ := t.values["groups"].(map[string]any)
	for _, lane := range l.set.Lanes {
		name := lane.ConcurrencyGroup
		if name == "" {
			continue
		}
		if _, ok := groups[name]; !ok {
			f := l.fault(lane.Line, "lane %q is in concurrency_group %q, and there is no [groups.%s]", lane.ID, name, name)
			f.Suggestion = nearest(name, slices.Sorted(maps.Keys(groups)))
		}
	}
}
