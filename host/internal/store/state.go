package store

import "fmt"

// State is the state of a run or a lane run.
//
//	queued ----> starting ----> running ----> passed
//	  |             |              |--------> failed     the check refused
//	  |             |              |
//	  |------------>+------------->+--------> broken     the infrastructure, not the change
//	  |------------>+------------->+--------> cancelled  someone, or a newer push, stopped it
//	  |--------------------------->+--------> skipped    nothing to judge, or requested
//
// A run is never starting: it goes from queued straight to running, and
// back when its claim is given up or lost; it is never skipped. The five states
// on the right are final. A retry is a new lane run with the next attempt's
// number, never a way back.
type State string

// The states, as they are in the database and in JSON.
const (
	Queued    State = "queued"
	Starting  State = "starting"
	Running   State = "running"
	Passed    State = "passed"
	Failed    State = "failed"
	Broken    State = "broken"
	Cancelled State = "cancelled"
	Skipped   State = "skipped"
)

// States are all states in the order of a life.
func States() []State {
	return []State{Queued, Starting, Running, Passed, Failed, Broken, Cancelled, Skipped}
}

// Final reports whether nothing comes after s.
func (s State) Final() bool {
	switch s {
	case Passed, Failed, Broken, Cancelled, Skipped:
		return true
	}
	return false
}

// Transition takes a lane run from one state to the next, or says that the
// picture above has no such arrow.
func Transition(from, to State) error {
	ok := false
	switch from {
	case Queued:
		ok = to == Starting || to == Broken || to == Cancelled || to == Skipped
	case Starting:
		ok = to == Running || to == Broken || to == Cancelled
	case Running:
		ok = to.Final()
	}
	if !ok {
		return fmt.Errorf("cannot go from %q to %q", string(from), string(to))
	}
	return nil
}

// RunTransition is Transition for a whole run.
func RunTransition(from, to State) error {
	open := from == Queued || from == Running
	start := from == Queued && to == Running || from == Running && to == Queued
	end := open && to.Final() && to != Skipped && (from == Running || to == Broken || to == Cancelled)
	if !start && !end {
		return fmt.Errorf("a run cannot go from %q to %q", string(from), string(to))
	}
	return nil
}
