package host

import (
	"errors"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// Exit statuses of every command.
const (
	ExitAccept    = 0 // all that was required passed
	ExitRefuse    = 1 // a lane said no
	ExitUsage     = 2 // wrong use
	ExitUndecided = 3 // the gate could not decide
)

// pushed is one update with what was decided about it.
type pushed struct {
	hooks.Update
	Set     *lanes.Set
	Changes []hooks.Change
	Picked  []lanes.Picked // every lane, in file order
}

// Outcome is how one lane run ended.
type Outcome struct {
	Update   int // index into Judgement.Updates
	Picked   lanes.Picked
	Address  string // repo@abc1234:lane
	State    store.State
	Blocked  store.State // of the needed lane because of which this one was skipped
	Message  string
	Err      error // why the machinery broke; nil unless State is broken
	Findings []sdk.Finding
	Tail     []string // last lines of the log
	Log      string   // path of the log; empty when there is none
	Digest   string   // sha256 of the plugin
	Image    string   // fingerprint of the container's image; empty without one
	Started  time.Time
	Ended    time.Time

	logSize   int64
	logSum    string
	artifacts []store.File
}

// lane reads what never changes: other lanes may ask while this one runs.
func (o *Outcome) lane() lanes.Lane { return o.Picked.Lane }

// refuses: a required lane that said no, or that waited for one. Skipped by its
// own word or by the pusher's recorded one is no refusal.
func (o Outcome) refuses() bool {
	return o.lane().Required && (o.State == store.Failed || o.Blocked == store.Failed)
}

// undecided: a required lane whose verdict is not known.
func (o Outcome) undecided() bool {
	lost := func(s store.State) bool { return s == store.Broken || s == store.Cancelled }
	return o.lane().Required && (lost(o.State) || lost(o.Blocked))
}

// Judgement is one run: everything the report is made of.
type Judgement struct {
	Repo     string
	Gate     string
	Number   int64
	Remote   string
	Updates  []pushed
	Bypasses []string  // earlier pushes that the gate did not see
	Outcomes []Outcome // by update, then in lanes file order, whatever finished first
	Started  time.Time
	Ended    time.Time
	Policy   Policy
}

// Exit is the run's exit status: a lane's no comes before "cannot decide".
func (j Judgement) Exit() int {
	undecided := false
	for _, o := range j.Outcomes {
		if o.refuses() {
			return ExitRefuse
		}
		undecided = undecided || o.undecided()
	}
	if undecided && j.Policy.OnUndecided != "accept" {
		return ExitUndecided
	}
	return ExitAccept
}

// exitOf is the status of a call that ended before any lane ran.
func exitOf(err error, p Policy) int {
	var usage usageError
	switch {
	case err == nil:
		return ExitAccept
	case errors.As(err, &usage):
		return ExitUsage
	case p.OnUndecided == "accept":
		return ExitAccept
	}
	return ExitUndecided
}
