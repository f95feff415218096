package store

import (
	"errors"
	"fmt"
)

// ErrNoRun is returned for a run that is not in the store.
var ErrNoRun = errors.New("there is no such run")

// ErrKnown is given by Begin, next to the run that is there already, where a
// run of the repository has the same Origin.
var ErrKnown = errors.New("the run is known already")

// ConflictError says that someone else was first: the state is not the one
// that the change set out from.
type ConflictError struct {
	What      string // "run 12" or "lane run 34"
	Want, Got State
	To        State
	Why       string // in place of the states, where they alone do not tell it
}

func (e *ConflictError) Error() string {
	if e.Why != "" {
		return e.What + ": " + e.Why
	}
	return fmt.Sprintf("%s is %s, not %s, and cannot become %s", e.What, e.Got, e.Want, e.To)
}

// claim is what the holder of a run shows when it writes.
type claim struct{ run, fence int64 }

func lostClaim(run, mine, now int64, state State) error {
	return &ConflictError{What: fmt.Sprintf("run %d", run), Want: Running, Got: state, To: Running,
		Why: fmt.Sprintf("claim %d on it was lost, it is %s under claim %d", mine, state, now)}
}
