package console

import (
	"cmp"
	"context"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/lanes"
)

// LanesQuestion is what `pushlane lanes` asks.
type LanesQuestion struct {
	Range  string // "A..B"; empty: what a push of the current branch would bring
	Gate   string // the gate whose lanes are picked
	Ref    string // target ref; empty: what a push would go to, and with a range any
	Memory bool   // also say whether earlier verdicts would be used again
}

// ExplainLanes picks the lanes of a range, as a push would, with the reasons, and
// reports whether cached results would be used.
func ExplainLanes(ctx context.Context, h *host.Host, policy config.Policy, call gate.Call,
	ask LanesQuestion) (report.ExplainJSON, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return report.ExplainJSON{}, err
	}
	defer repo.Close()
	call.Range = ask.Range
	if call, err = call.Aimed(ctx, repo); err != nil {
		return report.ExplainJSON{}, err
	}
	m, err := gate.ManualUpdate(ctx, repo, call)
	if err != nil {
		return report.ExplainJSON{}, err
	}
	u := m.Update
	by, err := gate.LocalLanes(ctx, repo, u, call, policy)
	if err != nil {
		return report.ExplainJSON{}, err
	}
	changes, err := repo.Changes(ctx, u.Base, u.New)
	if err != nil {
		return report.ExplainJSON{}, err
	}
	links, err := gate.Reached(ctx, repo, by.Set, u.Base, u.New)
	if err != nil {
		return report.ExplainJSON{}, err
	}
	picked, err := by.Set.Pick(ctx, lanes.Event{Gate: ask.Gate, Ref: cmp.Or(ask.Ref, u.Ref),
		Paths: gate.LanesTouched(gate.ChangedPaths(changes), false), Reached: links})
	if err != nil {
		return report.ExplainJSON{}, err
	}
	for i := range picked {
		if m.Nothing != "" {
			picked[i].Picked, picked[i].Reason = false, "nothing to push"
		}
	}
	e := report.Explain(u.Base, u.New, picked)
	e.Nothing = m.Nothing
	p := gate.Update{Update: u, LanesFile: by, Changes: changes, Picked: picked, Protected: true}
	for i := range e.Lanes {
		if ask.Memory && e.Lanes[i].Picked {
			e.Lanes[i].Memory = explainMemory(ctx, h, repo, call.Asked(), policy, ask.Gate, p, i)
		}
	}
	return e, nil
}

// explainMemory says what memory would do for one picked lane.
func explainMemory(ctx context.Context, h *host.Host, repo *hooks.Repo, asked gate.Asked, policy config.Policy,
	at string, p gate.Update, i int) string {
	j := &gate.Run{Repo: repo.Name(), GitDir: repo.CommonDir(), Gate: at, Policy: policy, Asked: asked,
		Updates: []gate.Update{p},
		LaneRuns: []gate.LaneRun{{Picked: p.Picked[i],
			Address: gate.Address(repo.Name(), p.New, p.Picked[i].Lane.ID)}}}
	return h.Lanes().Lane(lanerun.Spec{Repo: repo, Run: j}).Foresee(ctx)
}
