package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
)

// takeAccepted takes in a push that a hook left in the spool.
func (h acceptance) takeAccepted(ctx context.Context, call gate.Call) error {
	policy, err := call.Policy()
	if err != nil {
		return err
	}
	return h.takeIn(ctx, call, policy)
}

// takeIn queues what comes after an accepted push.
func (h acceptance) takeIn(ctx context.Context, call gate.Call, policy config.Policy) error {
	repo, release, err := h.repo(ctx, call)
	if err != nil {
		return err
	}
	defer release()
	j, err := h.decide(ctx, repo, call, policy)
	if err != nil || len(j.Updates) == 0 {
		return err
	}
	return h.enqueue(ctx, repo, &j)
}

// accepted notes at the run that judged a push in pre-receive that git took it.
func (h *Host) accepted(ctx context.Context, st *store.Store, repo, push string) error {
	run, err := st.RunByOrigin(ctx, repo, "pre-receive:"+push)
	if errors.Is(err, store.ErrNoRun) {
		return nil
	}
	if err == nil {
		err = st.Record(ctx, run.ID, store.Event{Kind: "accepted", Message: "git accepted the push"})
	}
	if err == nil {
		err = h.tell(ctx, run.ID, Observer.Ended)
	}
	return err
}

// acceptedOrigin names what comes after a push: by the run that judged it, as
// a server that calls the hooks itself may give the same lines again.
func acceptedOrigin(ctx context.Context, st *store.Store, repo, push string) (string, error) {
	run, err := st.RunByOrigin(ctx, repo, "pre-receive:"+push)
	switch {
	case errors.Is(err, store.ErrNoRun):
		return "post-receive:" + push, nil
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("post-receive:%s:%d", push, run.Number), nil
}
