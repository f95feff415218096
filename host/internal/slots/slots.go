// Package slots bounds how many lanes run at once, so that no branch and no pusher
// keeps the others waiting.
package slots

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// Claimant is a lane run that waits for a slot.
type Claimant struct {
	Zone     zone.Zone
	Ref      string
	Pusher   string // "" not known
	Priority int    // 1 high, 0 normal, -1 low; it counts among runs of one trust
}

// Slots bound how many lanes run at once in this process, over all runs. What
// an unprotected branch runs cannot keep a protected ref waiting: beyond the
// slots there is a reserve that protected refs alone may use, those whose
// repository and pusher have fewer lanes under way than the reserve holds. Of
// unprotected runs, one ref and one pusher have no more than a share.
type Slots struct {
	limit, reserve, share int

	mu      sync.Mutex
	running []*waiter
	line    []*waiter
	seq     int
}

type waiter struct {
	Claimant
	seq   int
	ready chan struct{} // closed once it has a slot
}

// New makes n slots, and a reserve for protected refs.
func New(n int) *Slots {
	return &Slots{limit: n, reserve: max(1, n/2), share: max(2, n/2)}
}

// Place is a place in the line for a slot. One that is not waited for must be left.
type Place struct {
	slots  *Slots
	waiter *waiter
}

// Queue takes a place in the line: of two with the same claim, the first one is
// served first.
func (s *Slots) Queue(c Claimant) Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	w := &waiter{Claimant: c, seq: s.seq, ready: make(chan struct{})}
	s.line = append(s.line, w)
	s.serve()
	return Place{s, w}
}

// Wait waits for the slot; the caller gives it back with release.
func (p Place) Wait(ctx context.Context) (release func(), err error) {
	if ctx.Err() == nil {
		select {
		case <-p.waiter.ready:
			return p.Leave, nil
		case <-ctx.Done():
		}
	}
	p.Leave()
	return nil, ctx.Err()
}

// Leave gives up the place, and the slot.
func (p Place) Leave() { p.slots.leave(p.waiter) }

// Acquire waits for a slot; the caller gives it back with release.
func (s *Slots) Acquire(ctx context.Context, c Claimant) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.Queue(c).Wait(ctx)
}

// leave takes a waiter out, with the slot that it may have got meanwhile.
func (s *Slots) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := func(other *waiter) bool { return other == w }
	s.running = slices.DeleteFunc(s.running, is)
	s.line = slices.DeleteFunc(s.line, is)
	s.serve()
}

// serve hands slots to those in line who may have one now: protected refs
// first, then the higher priority, then the earlier request.
func (s *Slots) serve() {
	slices.SortFunc(s.line, func(a, b *waiter) int {
		return cmp.Or(trustRank(a)-trustRank(b), b.Priority-a.Priority, a.seq-b.seq)
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
	if w.Zone.Trust == zone.Unprotected {
		return 1
	}
	return 0
}

func (s *Slots) may(w *waiter) bool {
	if w.Zone.Trust == zone.Unprotected {
		sameRef := func(r *waiter) bool { return r.Zone == w.Zone && r.Ref == w.Ref }
		return len(s.running) < s.limit && s.count(sameRef) < s.share && s.ofPusher(w) < s.share
	}
	if len(s.running) < s.limit {
		return true
	}
	sameZone := func(r *waiter) bool { return r.Zone == w.Zone }
	return w.Zone.Trust == zone.Protected && len(s.running) < s.limit+s.reserve &&
		s.count(sameZone) < s.reserve && s.ofPusher(w) < s.reserve
}

// ofPusher counts the pusher's lanes of the same trust.
func (s *Slots) ofPusher(w *waiter) int {
	if w.Pusher == "" {
		return 0
	}
	return s.count(func(r *waiter) bool { return r.Pusher == w.Pusher && r.Zone.Trust == w.Zone.Trust })
}

func (s *Slots) count(is func(*waiter) bool) (n int) {
	for _, r := range s.running {
		if is(r) {
			n++
		}
	}
	return n
}
