package host

import (
	"container/heap"
	"context"
	"sync"
)

// slots bound how many lanes run at once in this process, over all runs: the
// higher priority first, then who asked first.
type slots struct {
	mu   sync.Mutex
	free int
	line waiters
	seq  int
}

func newSlots(n int) *slots { return &slots{free: n} }

// acquire waits for a slot; nobody who came later with the same priority is
// served before.
func (s *slots) acquire(ctx context.Context, priority int) error {
	s.mu.Lock()
	if err := ctx.Err(); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	s.seq++
	w := &waiter{priority: priority, seq: s.seq, ready: make(chan struct{})}
	heap.Push(&s.line, w)
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		s.leave(w)
		return ctx.Err()
	}
}

// leave takes a waiter out of the line, or gives back the slot that it got at
// the same moment.
func (s *slots) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.index < 0 {
		s.pass()
		return
	}
	heap.Remove(&s.line, w.index)
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass hands a slot to the next in line.
func (s *slots) pass() {
	if len(s.line) == 0 {
		s.free++
		return
	}
	close(heap.Pop(&s.line).(*waiter).ready)
}

type waiter struct {
	priority, seq int
	index         int // in the heap; -1: served
	ready         chan struct{}
}

// waiters is a heap.Interface.
type waiters []*waiter

func (w waiters) Len() int { return len(w) }
func (w waiters) Less(i, j int) bool {
	if w[i].priority != w[j].priority {
		return w[i].priority > w[j].priority
	}
	return w[i].seq < w[j].seq
}
func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}
func (w *waiters) Push(x any) {
	one := x.(*waiter)
	one.index = len(*w)
	*w = append(*w, one)
}
func (w *waiters) Pop() any {
	old := *w
	one := old[len(old)-1]
	one.index = -1
	*w = old[:len(old)-1]
	return one
}
