package host

import (
	"context"
	"fmt"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/lanes"
)

// LanesQuestion is what `pushlane lanes` asks.
type LanesQuestion struct {
	Range string // "A..B"; empty: what a push of the current branch would bring
	Gate  string // the gate whose lanes are picked
	Ref   string // target ref; empty: the branches filter does not apply
}

// ExplainLanes picks the lanes of a range, as a push would, and says why.
func ExplainLanes(ctx context.Context, call Call, ask LanesQuestion) (ExplainJSON, error) {
	policy, err := LoadPolicy(call.Getenv)
	if err != nil {
		return ExplainJSON{}, err
	}
	repo, err := hooks.Open(ctx, call.hooksEnv())
	if err != nil {
		return ExplainJSON{}, err
	}
	defer repo.Close()
	u, err := manualUpdate(ctx, repo, ask.Range)
	if err != nil {
		return ExplainJSON{}, err
	}
	by, err := ownLanes(ctx, repo, u.New, call.Config, policy)
	if err != nil {
		return ExplainJSON{}, err
	}
	changes, err := repo.Changes(ctx, u.Base, u.New)
	if err != nil {
		return ExplainJSON{}, err
	}
	picked := by.Set.Pick(lanes.Event{Gate: ask.Gate, Ref: ask.Ref, Paths: changedPaths(changes)})
	return Explain(u.Base, u.New, picked), nil
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
