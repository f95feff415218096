package runjson

import (
	"slices"
	"strconv"
	"strings"
)

// Artifact is one stored file with the lane that stored it.
type Artifact struct {
	Lane    string `json:"lane"`
	Update  int    `json:"update"` // index into the run's updates
	Attempt int    `json:"attempt"`
	File
}

// Newest are the lane runs that count: of each lane and update the last attempt.
func (r Run) Newest() []LaneRun {
	var all []LaneRun
	for _, l := range r.LaneRuns {
		same := func(o LaneRun) bool { return o.Lane == l.Lane && o.Update == l.Update }
		if k := slices.IndexFunc(all, same); k < 0 {
			all = append(all, l)
		} else if all[k].Attempt <= l.Attempt {
			all[k] = l
		}
	}
	return all
}

// Stored are the artifacts of a lane run.
func (l LaneRun) Stored() []Artifact {
	all := []Artifact{}
	for _, f := range l.Artifacts {
		all = append(all, Artifact{l.Lane, l.Update, l.Attempt, f})
	}
	return all
}

// Shown is the name without the folder that the pushed tree has in a container.
func (a Artifact) Shown() string { return Shown(a.Name) }

// Shown is an artifact's name without the folder that the pushed tree has in a
// container.
func Shown(name string) string { return strings.TrimPrefix(name, "work/src/") }

// Folder is where a lane's files go among those of its run.
func (a Artifact) Folder() string {
	if a.Update == 0 {
		return a.Lane
	}
	return a.Lane + "-" + strconv.Itoa(a.Update+1)
}
