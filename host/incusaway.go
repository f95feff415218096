package host

import (
	"context"
	"errors"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/store"
)

// lookAtIncus notes whether Incus answers. Once it does again, what runs were
// in it and are no more is removed first.
func (h *Host) lookAtIncus(ctx context.Context) (up, restarted, wait bool) {
	client, err := h.incusClient(ctx, h.policy)
	var epoch string
	if err == nil {
		epoch, err = client.Epoch(ctx)
	}
	if err != nil {
		return false, false, h.outage.failed(time.Now())
	}
	up, back, restarted := h.outage.answered(epoch, time.Now())
	if !up {
		return false, false, h.outage.failed(time.Now())
	}
	if back {
		h.sweepDead(ctx)
	}
	return true, restarted, true
}

// brokenByOutage tells whether a lane broke because Incus was away or was
// started again meanwhile, and waits until it answers.
func (h *Host) brokenByOutage(ctx context.Context, o *gate.LaneRun) bool {
	if o.State != store.Broken || !errors.As(o.Err, new(*incus.MachineError)) && !incus.Away(o.Err) {
		return false
	}
	leaving := incus.Leaving(o.Err)
	if leaving && h.outage.knows() {
		h.outage.leaves(time.Now())
	}
	up, restarted, wait := h.lookAtIncus(ctx)
	if up {
		return restarted || leaving && pause(ctx, outageEvery)
	}
	for !up && wait && pause(ctx, outageEvery) {
		up, _, wait = h.lookAtIncus(ctx)
	}
	return up
}

// waitForIncus holds the queue while Incus is known to be away: a run that was
// claimed would only break.
func (h *Host) waitForIncus(ctx context.Context) {
	for h.outage.away() {
		up, _, wait := h.lookAtIncus(ctx)
		if up || !wait || !pause(ctx, outageEvery) {
			return
		}
	}
}

// sweepDead removes the containers of processes that ended. If Incus is
// unavailable this is not an error.
func (h *Host) sweepDead(ctx context.Context) error {
	client, err := h.incusClient(ctx, h.policy)
	if incus.Away(err) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	if _, err = client.SweepContainers(ctx); incus.Away(err) {
		err = nil
	}
	return err
}
