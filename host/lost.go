package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// endLost closes the runs that this process lost while the store could not be
// written: those of a gate, which were refused, end broken, those of the queue
// wait again.
func (h upkeep) endLost(ctx context.Context) ([]string, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	mine, err := st.Queue().Mine(ctx)
	var lines []string
	for _, r := range mine {
		why, lost := h.held.Lost(r.ID)
		if !lost {
			continue
		}
		line, one := h.endLostRun(ctx, st, r, why)
		if one == nil || errors.As(one, new(*store.ConflictError)) {
			h.held.Settled(r.ID)
		}
		if one != nil {
			err = errors.Join(err, one)
			continue
		}
		lines = append(lines, line)
	}
	return lines, err
}

func (h upkeep) endLostRun(ctx context.Context, st *store.Store, r store.Run, why error) (string, error) {
	message := printable.CleanText("its host could not record the result: " + why.Error())
	if r.Waiting {
		return fmt.Sprintf("run #%d of %s is queued again: %s", r.Number, r.RepoName, message),
			st.Queue().Requeue(ctx, r.ID, message)
	}
	err := st.Record(ctx, r.ID, store.End{State: store.Broken, Exit: gate.ExitUndecided, At: time.Now(), Message: message})
	return fmt.Sprintf("run #%d of %s is broken: %s", r.Number, r.RepoName, message), err
}

// endAbandoned marks the runs of hosts that no longer exist as broken: an
// infrastructure error, not a refusal.
func (h upkeep) endAbandoned(ctx context.Context) ([]string, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := st.Queue().Abandoned(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, r := range runs {
		err := st.Record(ctx, r.ID, store.End{State: store.Broken, Exit: gate.ExitUndecided, At: time.Now(),
			Message: "its host process ended"})
		if errors.As(err, new(*store.ConflictError)) {
			continue // another host was first
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("run #%d of %s is broken: its host process ended", r.Number, r.RepoName))
	}
	return lines, nil
}
