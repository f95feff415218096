package host

import (
	"testing"

	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

func TestExit(t *testing.T) {
	t.Parallel()
	required := func(s store.State, message string) Outcome {
		return Outcome{State: s, Message: message, Picked: lanes.Picked{Lane: lanes.Lane{ID: "a", Required: true}}}
	}
	blocked := required(store.Skipped, `needs "lint", which failed`)
	blocked.Blocked = store.Failed
	waited := required(store.Skipped, `needs "lint", which was cancelled`)
	waited.Blocked = store.Cancelled
	optional := func(s store.State) Outcome { return Outcome{State: s} }
	for name, c := range map[string]struct {
		outcomes []Outcome
		policy   Policy
		want     int
	}{
		"nothing ran":                                   {nil, Policy{}, ExitAccept},
		"all passed":                                    {[]Outcome{required(store.Passed, "")}, Policy{}, ExitAccept},
		"one said no":                                   {[]Outcome{required(store.Passed, ""), required(store.Failed, "")}, Policy{}, ExitRefuse},
		"a no comes before a breakage":                  {[]Outcome{required(store.Broken, ""), required(store.Failed, "")}, Policy{}, ExitRefuse},
		"broken refuses":                                {[]Outcome{required(store.Broken, "")}, Policy{}, ExitUndecided},
		"cancelled refuses":                             {[]Outcome{required(store.Cancelled, "")}, Policy{}, ExitUndecided},
		"broken where the owner accepts":                {[]Outcome{required(store.Broken, "")}, Policy{OnUndecided: "accept"}, ExitAccept},
		"a no where the owner accepts breakages":        {[]Outcome{required(store.Failed, "")}, Policy{OnUndecided: "accept"}, ExitRefuse},
		"what is not required never refuses":            {[]Outcome{optional(store.Failed), optional(store.Broken)}, Policy{}, ExitAccept},
		"skipped by its own word":                       {[]Outcome{required(store.Skipped, "needs no check")}, Policy{}, ExitAccept},
		"skipped because a lane it needs did not pass":  {[]Outcome{blocked}, Policy{}, ExitRefuse},
		"skipped because a lane it needs was cancelled": {[]Outcome{waited}, Policy{}, ExitUndecided},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (Judgement{Outcomes: c.outcomes, Policy: c.policy}).Exit(); got != c.want {
				t.Errorf("Exit() = %d, want %d", got, c.want)
			}
		})
	}
}
