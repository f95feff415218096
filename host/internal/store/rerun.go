package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// rerunError says why a run cannot be repeated.
type rerunError struct {
	number int64
	cause  string
	hint   string
}

func (e *rerunError) Error() string { return fmt.Sprintf("cannot rerun #%d: %s", e.number, e.cause) }

// Hint says what to do instead.
func (e *rerunError) Hint() string { return e.hint }

// Rerun queues a run that has ended again: the same updates, lanes files and
// decisions, for the pusher of the old one; by is who asks. With failedOnly it
// has only the lanes whose latest attempt failed, broke or was cancelled, and
// those that were skipped for their sake. A rerun supersedes nothing, and may
// be superseded.
func (s *Store) Rerun(ctx context.Context, run int64, failedOnly bool, by string) (Run, error) {
	old, err := s.RunByID(ctx, run)
	if err != nil {
		return Run{}, err
	}
	if !old.State.Final() {
		return Run{}, &rerunError{old.Number, fmt.Sprintf("it is still %s", old.State),
			"wait for its end, or cancel it first"}
	}
	events, err := s.Events(ctx, run)
	if err != nil {
		return Run{}, err
	}
	for _, e := range events {
		if e.Kind == "refused" { // which no lane decided, so no lane can decide otherwise
			return Run{}, &rerunError{old.Number, "the push was refused independently of its lanes: " + e.Message, "push again"}
		}
	}
	n := NewRun{
		RepoKey: old.RepoKey, RepoName: old.RepoName, Gate: old.Gate, Remote: old.Remote, Pusher: old.Pusher, Skip: old.Skip,
		Waiting: true, Updates: old.Updates, Priority: old.Priority, RerunOf: old.Number, Lanes: rerunLanes(old, failedOnly),
	}
	if failedOnly && !anyPicked(n.Lanes) {
		return Run{}, &rerunError{old.Number, "no lane of it failed, broke or was cancelled", "rerun all lanes"}
	}
	for _, e := range events {
		if e.Kind == "not picked" {
			n.Lanes = append(n.Lanes, NewLane{Update: -1, Lane: e.Lane, Reason: e.Message})
		}
	}
	why := Event{Kind: "rerun", Message: fmt.Sprintf("%s requested a rerun of run #%d", by, old.Number)}
	return s.begin(ctx, fmt.Sprintf("rerun #%d", old.Number), n, why)
}

func anyPicked(lanes []NewLane) bool {
	for _, l := range lanes {
		if l.Picked {
			return true
		}
	}
	return false
}

// rerunLanes is a decision about each lane of the old run.
func rerunLanes(old Run, failedOnly bool) []NewLane {
	last := Latest(old.Lanes)
	again := map[int]bool{}
	for i, l := range last {
		again[i] = !failedOnly || l.State == Failed || l.State == Broken || l.State == Cancelled
	}
	for more := failedOnly; more; { // a lane skipped for one that was skipped for one that failed
		more = false
		for i, l := range last {
			if !again[i] && l.State == Skipped && namesOne(l, last, again) {
				again[i], more = true, true
			}
		}
	}
	var lanes []NewLane
	for i, l := range last {
		n := NewLane{
			Update: l.Update, Lane: l.Lane, Title: l.Title, Picked: again[i], Path: l.Path, Glob: l.Glob, Reason: l.Reason,
			Plugin: l.Plugin, Required: l.Required, Supersede: l.Supersede, Group: l.Group,
		}
		if !n.Picked {
			n.Reason = fmt.Sprintf("%s in run #%d", l.State, old.Number)
		}
		lanes = append(lanes, n)
	}
	return lanes
}

// namesOne: the words of a skipped lane quote a lane that is run again, as
// they do when it needed that one.
func namesOne(l LaneRun, last []LaneRun, again map[int]bool) bool {
	for i, other := range last {
		if again[i] && strings.Contains(l.Message, strconv.Quote(other.Lane)) {
			return true
		}
	}
	return false
}

// Latest is the last attempt of every lane, in their order.
func Latest(all []LaneRun) []LaneRun {
	type lane struct {
		update int
		id     string
	}
	at := map[lane]int{}
	var last []LaneRun
	for _, l := range all {
		k := lane{l.Update, l.Lane}
		if i, seen := at[k]; seen {
			last[i] = l
			continue
		}
		at[k] = len(last)
		last = append(last, l)
	}
	return last
}
