package host

import (
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

// leaveTime is how long an Incus that reported its shutdown counts as shutting down.
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
