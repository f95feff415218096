package gate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/lanes"
)

// laneChanges lists the lanes that a push adds, drops or changes.
func laneChanges(ref string, old, pushed LanesFile) []string {
	if string(old.Text) == string(pushed.Text) {
		return nil
	}
	var words []string
	was := LanesByID(old.Set)
	is := LanesByID(pushed.Set)
	for _, l := range pushed.Set.Lanes {
		before, known := was[l.ID]
		before.Line = l.Line
		switch {
		case !known:
			words = append(words, "adds "+l.ID)
		case !reflect.DeepEqual(before, l):
			words = append(words, "changes "+l.ID)
		}
	}
	for _, l := range old.Set.Lanes {
		if _, stays := is[l.ID]; !stays {
			words = append(words, "drops "+l.ID)
		}
	}
	if len(words) == 0 {
		words = []string{"changes no lane"}
	}
	by := "the host's default lanes"
	if old.Rev != "" {
		by = "the lanes of " + printable.Short(old.Rev)
	}
	return []string{fmt.Sprintf("%s changes the lanes file (%s); this push is judged by %s", ref,
		strings.Join(words, ", "), by)}
}

// LanesByID finds the lanes of a file by their ids.
func LanesByID(s *lanes.Set) map[string]lanes.Lane {
	all := map[string]lanes.Lane{}
	for _, l := range s.Lanes {
		all[l.ID] = l
	}
	return all
}

// BringsLanes reports whether the judged commits change the lanes file that judges
// them, or its lock: their author then decided what the lanes ask for.
func (p Update) BringsLanes() bool {
	if p.Rev == "" {
		return false
	}
	places := lanesPlaces()
	return slices.ContainsFunc(ChangedPaths(p.Changes), func(path string) bool { return slices.Contains(places, path) })
}

// lanesPlaces are the paths of lanes files and their locks.
func lanesPlaces() []string {
	var places []string
	for _, name := range LanesFiles {
		places = append(places, name, LockBeside(name))
	}
	return places
}

// LanesTouched adds all places of lanes files and their locks to the changed
// paths where one of them changes, or other says that the lanes do: a lane that
// watches the lanes is picked wherever they are put.
func LanesTouched(paths []string, other bool) []string {
	places := lanesPlaces()
	touched := func(path string) bool { return slices.Contains(places, path) }
	if !other && !slices.ContainsFunc(paths, touched) {
		return paths
	}
	all := slices.Concat(paths, places)
	slices.Sort(all)
	return slices.Compact(all)
}
