package console

import (
	"context"
	"fmt"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/lanes"
)

// LaneCheck is what is wrong with one lane.
type LaneCheck struct {
	Lane   string
	Source string // "<file>:<line>"
	Faults []error
	Notes  []string // what has no effect
}

// CheckLanes checks the lanes that `pushlane run` would use, without running them:
// each plugin loads, takes the lane's settings and is granted what it cannot do
// without, and the policy allows it. A fault of the lanes file itself is an error.
func CheckLanes(ctx context.Context, h *host.Host, policy config.Policy, call gate.Call) ([]LaneCheck, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	u := hooks.Update{New: hooks.ZeroID, Base: hooks.ZeroID}
	if u.New, err = repo.Resolve(ctx, "HEAD"); err != nil {
		return nil, err
	}
	by, err := gate.LocalLanes(ctx, repo, u, call, policy)
	if err != nil {
		return nil, err
	}
	j := &gate.Run{Repo: repo.Name(), GitDir: repo.CommonDir(), Gate: "manual", Policy: policy, Asked: call.Asked(),
		Updates: []gate.Update{{Update: u, LanesFile: by, Protected: true}}}
	for _, lane := range by.Set.Lanes {
		j.LaneRuns = append(j.LaneRuns, gate.LaneRun{Picked: lanes.Picked{Lane: lane, Picked: true},
			Address: gate.Address(j.Repo, u.New, lane.ID)})
	}
	var all []LaneCheck
	for i, o := range j.LaneRuns {
		c := LaneCheck{Lane: o.Lane().ID, Source: fmt.Sprintf("%s:%d", by.Set.Source, o.Lane().Line)}
		c.Faults, c.Notes = h.Lanes().Lane(lanerun.Spec{Repo: repo, Run: j, Index: i}).Check(ctx)
		all = append(all, c)
	}
	return all, nil
}
