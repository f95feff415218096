package host

import (
	"context"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/store"
)

// begin records the run that a call asks for; see startRun.
func (h *Host) begin(ctx context.Context, repo *hooks.Repo, j *gate.Run) (*record.Recorder, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.markAlive(); err != nil {
		return nil, err
	}
	if !h.resident { // which looks for them itself
		if _, err := (upkeep{h}).endAbandoned(ctx); err != nil {
			return nil, err
		}
	}
	if err := findAddress(ctx, st, j); err != nil {
		return nil, err
	}
	if j.Gate == "pre-receive" {
		h.imageNotes(ctx, repo, j)
	}
	if j.Bypasses, err = gate.Bypasses(ctx, st, repo, j); err != nil {
		return nil, err
	}
	return record.Begin(ctx, st, repo, j, func(run store.Run) (release func()) {
		h.files.NoteRun(st, run.ID)
		return h.held.Hold(run.ID)
	}), nil
}

// findAddress looks up where the page shows the repository: by its name, where
// this is its first run.
func findAddress(ctx context.Context, st *store.Store, j *gate.Run) (err error) {
	if j.Policy.URL == "" {
		return nil
	}
	if j.Address, err = st.Repositories().Address(ctx, j.GitDir); j.Address == "" {
		j.Address = j.Repo
	}
	return err
}
