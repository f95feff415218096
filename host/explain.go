package host

import (
	"cmp"
	"context"
	"fmt"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/lanes"
)

// LanesQuestion is what `pushlane lanes` asks.
type LanesQuestion struct {
	Range  string // "A..B"; empty: what a push of the current branch would bring
	Gate   string // the gate whose lanes are picked
	Ref    string // target ref; empty: what a push would go to, and with a range any
	Memory bool   // also say whether earlier verdicts would be used again
}

// ExplainLanes picks the lanes of a range, as a push would, and says why; and
// whether what earlier runs said would be used again.
func (h *Host) ExplainLanes(ctx context.Context, policy Policy, call Call, ask LanesQuestion) (ExplainJSON, error) {
	repo, err := hooks.Open(ctx, call.hooksEnv())
	if err != nil {
		return ExplainJSON{}, err
	}
	defer repo.Close()
	call.Range = ask.Range
	if call, err = call.aimed(ctx, repo); err != nil {
		return ExplainJSON{}, err
	}
	m, err := manualUpdate(ctx, repo, call)
	if err != nil {
		return ExplainJSON{}, err
	}
	u := m.Update
	by, err := localLanes(ctx, repo, u, call, policy)
	if err != nil {
		return ExplainJSON{}, err
	}
	changes, err := repo.Changes(ctx, u.Base, u.New)
	if err != nil {
		return ExplainJSON{}, err
	}
	links, err := reached(ctx, repo, by.Set, u.Base, u.New)
	if err != nil {
		return ExplainJSON{}, err
	}
	picked, err := by.Set.Pick(ctx, lanes.Event{Gate: ask.Gate, Ref: cmp.Or(ask.Ref, u.Ref),
		Paths: lanesTouched(changedPaths(changes), false), Reached: links})
	if err != nil {
		return ExplainJSON{}, err
	}
	for i := range picked {
		if m.nothing != "" {
			picked[i].Picked, picked[i].Reason = false, "nothing to push"
		}
	}
	e := Explain(u.Base, u.New, picked)
	e.Nothing = m.nothing
	p := pushed{Update: u, lanesFile: by, Changes: changes, Picked: picked, Protected: true}
	for i := range e.Lanes {
		if ask.Memory && e.Lanes[i].Picked {
			e.Lanes[i].Memory = h.explainMemory(ctx, repo, call, policy, ask.Gate, p, i)
		}
	}
	return e, nil
}

// explainMemory says what memory would do for one picked lane.
func (h *Host) explainMemory(ctx context.Context, repo *hooks.Repo, call Call, policy Policy, gate string, p pushed, i int) string {
	j := &Judgement{Repo: repo.Name(), GitDir: repo.CommonDir(), Gate: gate, Policy: policy, Updates: []pushed{p},
		Outcomes: []Outcome{{Picked: p.Picked[i], Address: fmt.Sprintf("%s@%s:%s", repo.Name(), short(p.New), p.Picked[i].Lane.ID)}}}
	l := &laneRun{host: h, repo: repo, call: call, j: j, attempt: 1}
	if err := l.prepare(ctx, &j.Outcomes[0]); err != nil {
		return "cannot tell: " + Clean(err.Error())
	}
	mem, why, err := l.memory(ctx)
	switch {
	case err != nil:
		return "cannot tell: " + Clean(err.Error())
	case mem == nil:
		return "runs every time: " + why
	}
	run, err := l.recall(ctx, mem)
	switch {
	case err != nil:
		return "cannot tell: " + Clean(err.Error())
	case run == nil:
		return "runs: no earlier run was given the same, or what it read has changed"
	}
	return fmt.Sprintf("does not run: nothing of the %d paths that %s read in run #%d has changed", len(run.Facts), run.Address, run.Run)
}

// Top is the work tree's folder.
func Top(ctx context.Context, call Call) (string, error) {
	repo, err := hooks.Open(ctx, call.hooksEnv())
	if err != nil {
		return "", err
	}
	defer repo.Close()
	if repo.Top() == "" {
		return "", usageError{fmt.Errorf("cannot write lanes: %s has no work tree", repo.GitDir())}
	}
	return repo.Top(), nil
}
