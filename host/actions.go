package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Cancel ends a run: a queued one at once, a running one as soon as its host
// notices. by names the user.
func (h *Host) Cancel(ctx context.Context, run int64, by string) error {
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	if err := st.Cancel(ctx, run, by, ""); err != nil {
		return fmt.Errorf("cannot cancel: %w", err)
	}
	if r, err := st.RunByID(ctx, run); err != nil || !r.State.Final() {
		return err
	}
	return h.tell(ctx, run, Observer.Ended)
}

// Rerun queues a run again, all of it or what did not pass, over the same
// commits and lanes, and returns the new run's number.
func (h *Host) Rerun(ctx context.Context, run int64, failedOnly bool, by string) (int64, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return 0, err
	}
	old, err := st.RunByID(ctx, run)
	if err == nil {
		err = h.stillThere(ctx, old)
	}
	var again store.Run
	if err == nil {
		again, err = st.Rerun(ctx, run, failedOnly, by)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot run #%d again: %w", old.Number, err)
	}
	return again.Number, h.tell(ctx, again.ID, Observer.Queued)
}

// Rerunnable tells why a run cannot be repeated; nil: it can.
func (h *Host) Rerunnable(ctx context.Context, run store.Run) error {
	if !run.State.Final() {
		return problem.Usage(fmt.Errorf("it is still %s", run.State))
	}
	return h.stillThere(ctx, run)
}

// stillThere: a push that was refused left nothing to judge again.
func (h *Host) stillThere(ctx context.Context, run store.Run) error {
	if run.Gate == "pre-commit" || run.Gate == "commit-msg" {
		return problem.Usage(fmt.Errorf("it judged a commit before it was created"))
	}
	repo, release, err := h.repo(ctx, ownCall(run.Gate, run.RepoKey))
	if err != nil {
		return err
	}
	defer release()
	for _, u := range run.Updates {
		if _, err := repo.Resolve(ctx, u.New); errors.As(err, new(*hooks.NoRevisionError)) ||
			errors.As(err, new(*hooks.MissingError)) {
			return problem.Usage(problem.WithHint(fmt.Errorf(
				"%s is not in the repository: the push was refused and left no objects", printable.Short(u.New)), "push it again"))
		} else if err != nil {
			return err
		}
	}
	return nil
}
