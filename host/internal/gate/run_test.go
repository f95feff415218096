package gate

import (
	"slices"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

func TestExit(t *testing.T) {
	t.Parallel()
	required := func(s store.State, message string) LaneRun {
		return LaneRun{State: s, Message: message, Picked: lanes.Picked{Lane: lanes.Lane{ID: "a", Required: true}}}
	}
	blocked := required(store.Skipped, `needs "lint", which failed`)
	blocked.Blocked = store.Failed
	waited := required(store.Skipped, `needs "lint", which was cancelled`)
	waited.Blocked = store.Cancelled
	optional := func(s store.State) LaneRun { return LaneRun{State: s} }
	for name, c := range map[string]struct {
		outcomes []LaneRun
		policy   config.Policy
		want     int
	}{
		"nothing ran": {nil, config.Policy{}, ExitAccept},
		"all passed":  {[]LaneRun{required(store.Passed, "")}, config.Policy{}, ExitAccept},
		"one said no": {[]LaneRun{required(store.Passed, ""), required(store.Failed, "")},
			config.Policy{}, ExitRefuse},
		"a no comes before a breakage": {[]LaneRun{required(store.Broken, ""), required(store.Failed, "")},
			config.Policy{}, ExitRefuse},
		"broken refuses": {[]LaneRun{required(store.Broken, "")}, config.Policy{},
			ExitUndecided},
		"cancelled refuses": {[]LaneRun{required(store.Cancelled, "")}, config.Policy{},
			ExitUndecided},
		"broken where the owner accepts": {[]LaneRun{required(store.Broken, "")},
			config.Policy{OnUndecided: "accept"}, ExitAccept},
		"a no where the owner accepts breakages": {[]LaneRun{required(store.Failed, "")},
			config.Policy{OnUndecided: "accept"}, ExitRefuse},
		"what is not required never refuses": {[]LaneRun{optional(store.Failed), optional(store.Broken)},
			config.Policy{}, ExitAccept},
		"skipped by its own word": {[]LaneRun{required(store.Skipped, "needs no check")},
			config.Policy{}, ExitAccept},
		"skipped because a lane it needs did not pass":  {[]LaneRun{blocked}, config.Policy{}, ExitRefuse},
		"skipped because a lane it needs was cancelled": {[]LaneRun{waited}, config.Policy{}, ExitUndecided},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (Run{Updates: []Update{{Protected: true}}, LaneRuns: c.outcomes,
				Policy: c.policy}).Exit(); got != c.want {
				t.Errorf("Exit() = %d, want %d", got, c.want)
			}
		})
	}
}

// An unprotected ref is judged and accepted; a refusal of the gate's own
// counts whatever the lanes say.
func TestExitOfRefs(t *testing.T) {
	t.Parallel()
	failed := LaneRun{State: store.Failed, Picked: lanes.Picked{Picked: true, Lane: lanes.Lane{ID: "x",
		Required: true}}}
	j := Run{Updates: []Update{{}, {Protected: true}}, LaneRuns: []LaneRun{failed}}
	j.Updates[0].New, j.Updates[1].New = "a", "b"
	if j.Exit() != ExitAccept || j.State() != store.Failed {
		t.Errorf("got %d and %s, want an accepted run that failed", j.Exit(), j.State())
	}
	j.Updates[1].Refusal = "it may not go"
	if j.Exit() != ExitRefuse || j.Verdicts().ExitOf(0) != ExitAccept || j.Verdicts().ExitOf(1) != ExitRefuse {
		t.Errorf("got %d, %d and %d", j.Exit(), j.Verdicts().ExitOf(0), j.Verdicts().ExitOf(1))
	}
	// The same lane was run once for two refs: its no counts for both.
	same := Update{Protected: true, Picked: []lanes.Picked{failed.Picked}}
	same.New = "c"
	j = Run{Updates: []Update{same, same}, LaneRuns: []LaneRun{failed}}
	if j.Verdicts().ExitOf(0) != ExitRefuse || j.Verdicts().ExitOf(1) != ExitRefuse {
		t.Errorf("got %d and %d", j.Verdicts().ExitOf(0), j.Verdicts().ExitOf(1))
	}
}

// Two refs bring the same commit, and the lane that one of them needs was
// planned under the other; a third ref brings another commit.
func TestNeedsAcrossRefs(t *testing.T) {
	t.Parallel()
	update := func(ref, new string) Update { return Update{Update: hooks.Update{Ref: ref, New: new, Base: "0"}} }
	lane := func(update int, id string, needs ...string) LaneRun {
		return LaneRun{Update: update, Picked: lanes.Picked{Lane: lanes.Lane{ID: id, Needs: needs}}}
	}
	j := &Run{Updates: []Update{update("a", "1"), update("b", "1"), update("c", "2")},
		LaneRuns: []LaneRun{lane(0, "vet"), lane(1, "test", "vet"), lane(2, "vet"), lane(2, "test", "vet")}}
	for i, want := range [][]int{nil, {0}, nil, {2}} {
		if got := j.Verdicts().NeedsOf(i); !slices.Equal(got, want) {
			t.Errorf("outcome %d waits for %v, want %v", i, got, want)
		}
	}
}
