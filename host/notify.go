package host

import (
	"context"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Observe sets the observer. Call it before the host is used.
func (h *Host) Observe(o Observer) { h.observer = o }

func (h *Host) tell(ctx context.Context, run int64, what func(Observer, context.Context, store.Run) error) error {
	if h.observer == nil {
		return nil
	}
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	for {
		r, err := st.RunByID(ctx, run)
		if err == nil {
			err = what(h.observer, ctx, r)
		}
		if !store.Transient(err) || time.Since(began) > record.Patience || !pause(ctx, time.Second) {
			return err
		}
	}
}

// tellRefused sends the notification of a run that refused the push. For an
// accepted push it is sent once git has accepted it.
func (h *Host) tellRefused(ctx context.Context, run int64, j gate.Run) error {
	if j.Gate == "pre-receive" && j.Exit() == gate.ExitAccept {
		return nil
	}
	return h.tell(context.WithoutCancel(ctx), run, Observer.Ended)
}
