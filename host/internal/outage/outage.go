// Package outage knows what did not answer lately: Incus, and repositories that could
// not be opened.
package outage

import (
	"sync"
	"time"
)

// How long the queue waits for an Incus that does not answer. One that never
// did since this host was started may not be there at all.
const (
	outageTime = 10 * time.Minute
	neverTime  = time.Minute
	Every      = time.Second
)

// Outage is what is known of an Incus that does not answer.
type Outage struct {
	mu    sync.Mutex
	since time.Time // of the first look that failed; zero: it answers
	met   bool      // it answered once
	epoch string    // names its process, when it answered last

	leaving time.Time // when it last said that it is shutting down
}

// leaveTime is how long an Incus that reported its shutdown counts as shutting down.
const leaveTime = time.Minute

// Answered notes an answer, and tells whether Incus was away since the last. It
// does not count from a process that is on its way down.
func (o *Outage) Answered(epoch string, now time.Time) (up, back, restarted bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.epoch == epoch && now.Sub(o.leaving) < leaveTime {
		return false, false, false
	}
	back, restarted = !o.since.IsZero(), o.met && o.epoch != epoch
	o.since, o.met, o.epoch, o.leaving = time.Time{}, true, epoch, time.Time{}
	return true, back, restarted
}

// Leaves notes that Incus is shutting down.
func (o *Outage) Leaves(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving = now; o.since.IsZero() {
		o.since = now
	}
}

// Failed notes a look that failed, and tells whether it is worth waiting on.
func (o *Outage) Failed(now time.Time) (wait bool) {
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

// Knows tells whether Incus has answered, so that a restart can be seen.
func (o *Outage) Knows() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.met && o.epoch != ""
}

// Away tells whether the last look failed.
func (o *Outage) Away() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero()
}
