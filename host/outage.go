package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
)

// How long the queue waits for an Incus that does not answer. One that never
// did since this host was started may not be there at all.
const (
	outageTime  = 10 * time.Minute
	neverTime   = time.Minute
	outageEvery = time.Second
)

// outage is what is known of an Incus that does not answer.
type outage struct {
	mu    sync.Mutex
	since time.Time // of the first look that failed; zero: it answers
	met   bool      // it answered once
	epoch string    // names its process, when it answered last

	leaving time.Time // when it last said that it is shutting down
}

// leaveTime is how long an Incus that said so is believed to be on its way down.
const leaveTime = time.Minute

// answered notes an answer, and tells whether Incus was away since the last. It
// does not count from a process that is on its way down.
func (o *outage) answered(epoch string, now time.Time) (up, back, restarted bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.epoch == epoch && now.Sub(o.leaving) < leaveTime {
		return false, false, false
	}
	back, restarted = !o.since.IsZero(), o.met && o.epoch != epoch
	o.since, o.met, o.epoch, o.leaving = time.Time{}, true, epoch, time.Time{}
	return true, back, restarted
}

// leaves notes that Incus is shutting down.
func (o *outage) leaves(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving = now; o.since.IsZero() {
		o.since = now
	}
}

// failed notes a look that failed, and tells whether it is worth waiting on.
func (o *outage) failed(now time.Time) (wait bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = now
	}
	most := outageTime
	if !o.met {
		most = neverTime
	}
	return now.Sub(o.since) < most
}

// knows tells whether Incus has answered, so that a restart can be seen.
func (o *outage) knows() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.met && o.epoch != ""
}

// away tells whether the last look failed.
func (o *outage) away() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero()
}

// infrastructure reports whether a lane broke for a reason that another attempt
// may not meet. A "no" is never tried again.
func infrastructure(o *gate.LaneRun) bool {
	return o.State == store.Broken && (errors.As(o.Err, new(*incus.MachineError)) || incus.Away(o.Err) ||
		errors.As(o.Err, new(*sandbox.DiedError)) || store.Transient(o.Err))
}

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

// sweepDead removes the containers of processes that are gone; that Incus is
// away is no error.
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
