package host

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// claimant is a lane run that waits for a slot.
type claimant struct {
	zone     zone.Zone
	ref      string
	pusher   string // "" not known
	priority int    // 1 high, 0 normal, -1 low; it counts among runs of one trust
}

// slots bound how many lanes run at once in this process, over all runs. What
// an unprotected branch runs cannot keep a protected ref waiting: beyond the
// slots there is a reserve that protected refs alone may use, those whose
// repository and pusher have fewer lanes under way than the reserve holds. Of
// unprotected runs, one ref and one pusher have no more than a share.
type slots struct {
	limit, reserve, share int

	mu      sync.Mutex
	running []*waiter
	line    []*waiter
	seq     int
}

type waiter struct {
	claimant
	seq   int
	ready chan struct{} // closed once it has a slot
}

func newSlots(n int) *slots {
	return &slots{limit: n, reserve: max(1, n/2), share: max(2, n/2)}
}

// acquire waits for a slot; the caller gives it back with release.
func (s *slots) acquire(ctx context.Context, c claimant) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.seq++
	w := &waiter{claimant: c, seq: s.seq, ready: make(chan struct{})}
	s.line = append(s.line, w)
	s.serve()
	s.mu.Unlock()
	select {
	case <-w.ready:
		return func() { s.leave(w) }, nil
	case <-ctx.Done():
		s.leave(w)
		return nil, ctx.Err()
	}
}

// leave takes a waiter out, with the slot that it may have got meanwhile.
func (s *slots) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := func(other *waiter) bool { return other == w }
	s.running = slices.DeleteFunc(s.running, is)
	s.line = slices.DeleteFunc(s.line, is)
	s.serve()
}

// serve hands slots to those in line who may have one now: protected refs
// first, then the higher priority, then the earlier request.
func (s *slots) serve() {
	slices.SortFunc(s.line, func(a, b *waiter) int {
		return cmp.Or(trustRank(a)-trustRank(b), b.priority-a.priority, a.seq-b.seq)
	})
	s.line = slices.DeleteFunc(s.line, func(w *waiter) bool {
		if !s.may(w) {
			return false
		}
		s.running = append(s.running, w)
		close(w.ready)
		return true
	})
}

func trustRank(w *waiter) int {
	if w.zone.Trust == zone.Unprotected {
		return 1
	}
	return 0
}

func (s *slots) may(w *waiter) bool {
	if w.zone.Trust == zone.Unprotected {
		sameRef := func(r *waiter) bool { return r.zone == w.zone && r.ref == w.ref }
		return len(s.running) < s.limit && s.count(sameRef) < s.share && s.ofPusher(w) < s.share
	}
	if len(s.running) < s.limit {
		return true
	}
	sameZone := func(r *waiter) bool { return r.zone == w.zone }
	return w.zone.Trust == zone.Protected && len(s.running) < s.limit+s.reserve &&
		s.count(sameZone) < s.reserve && s.ofPusher(w) < s.reserve
}

// ofPusher counts the pusher's lanes of the same trust.
func (s *slots) ofPusher(w *waiter) int {
	if w.pusher == "" {
		return 0
	}
	return s.count(func(r *waiter) bool { return r.pusher == w.pusher && r.zone.Trust == w.zone.Trust })
}

func (s *slots) count(is func(*waiter) bool) (n int) {
	for _, r := range s.running {
		if is(r) {
			n++
		}
	}
	return n
}
