package lanes

import (
	"maps"
	"slices"
	"strings"
)

// What follows looks across lanes, once all of them are read.

func (l *loader) checkIDs() {
	first := map[string]int{}
	for i, lane := range l.set.Lanes {
		line := l.tables[i].line("id")
		if at, twice := first[lane.ID]; twice && lane.ID != "" {
			l.fault(line, "id %q appears twice, first at line %d", lane.ID, at)
			continue
		}
		first[lane.ID] = line
	}
}

// checkNeeds sees to it that the ids exist, that both lanes meet at some
// gate, and that no one waits for himself.
func (l *loader) checkNeeds() {
	byID := map[string]int{}
	for i, lane := range slices.Backward(l.set.Lanes) {
		byID[lane.ID] = i
	}
	ids := slices.Sorted(maps.Keys(byID))
	for i, lane := range l.set.Lanes {
		for k, id := range lane.Needs {
			line := l.tables[i].itemLine("needs", k)
			other, ok := byID[id]
			switch {
			case !ok:
				l.fault(line, "lane %q needs %q, and there is no such lane", lane.ID, id).not(id, ids)
			case slices.Contains(lane.Needs[:k], id):
				l.fault(line, "lane %q needs %q twice", lane.ID, id)
			default:
				l.checkMeet(line, lane, l.set.Lanes[other])
			}
		}
	}
	l.checkCycles(byID)
}

// checkMeet refuses a need between lanes that never run at the same gate.
func (l *loader) checkMeet(line int, lane, other Lane) {
	for _, gate := range lane.On {
		if slices.Contains(other.On, gate) {
			return
		}
	}
	if len(lane.On) > 0 && len(other.On) > 0 {
		l.fault(line, "lane %q needs %q, but they never run at the same gate (%s; %s)",
			lane.ID, other.ID, strings.Join(lane.On, ", "), strings.Join(other.On, ", "))
	}
}

// checkCycles walks `needs` depth first and names the cycles it closes, the
// first few of them: each name can be as long as the file.
func (l *loader) checkCycles(byID map[string]int) {
	const unseen, open, done = 0, 1, 2
	found, most := 0, 5
	state := make([]int, len(l.set.Lanes))
	var trail []string
	var visit func(i int)
	visit = func(i int) {
		id := l.set.Lanes[i].ID
		if state[i] == open && found < most {
			found++
			cycle := append(slices.Clone(trail[slices.Index(trail, id):]), id)
			l.fault(l.tables[i].line("needs"), "lanes wait for each other: %s", strings.Join(cycle, " -> "))
		}
		if state[i] != unseen {
			return
		}
		state[i], trail = open, append(trail, id)
		for _, next := range l.set.Lanes[i].Needs {
			if k, ok := byID[next]; ok {
				visit(k)
			}
		}
		state[i], trail = done, trail[:len(trail)-1]
	}
	for i := range l.set.Lanes {
		visit(i)
	}
}

func (l *loader) checkGroups(t table) {
	groups, _ := t.values["groups"].(map[string]any)
	names := slices.Sorted(maps.Keys(groups))
	for i, lane := range l.set.Lanes {
		name, line := lane.ConcurrencyGroup, l.tables[i].line("concurrency_group")
		if _, ok := groups[name]; !ok && name != "" {
			l.fault(line, "lane %q is in concurrency_group %q, and there is no [groups.%s]", lane.ID, name, name).not(name,
				names)
		}
	}
}
