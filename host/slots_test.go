package host

import (
	"context"
	"slices"
	"sync"
	"testing"
)

func TestSlotsServeByPriorityThenByArrival(t *testing.T) {
	t.Parallel()
	s := newSlots(1)
	if err := s.acquire(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	for i, priority := range []int{0, -1, 1, 0, 1} {
		wg.Go(func() {
			if err := s.acquire(context.Background(), priority); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			s.release()
		})
		waitLine(s, i+1)
	}
	s.release()
	wg.Wait()
	if !slices.Equal(order, []int{2, 4, 0, 3, 1}) {
		t.Errorf("got %v", order)
	}
	if s.free != 1 {
		t.Errorf("%d slots are free at the end", s.free)
	}
}

// waitLine waits until n are in line.
func waitLine(s *slots, n int) {
	for {
		s.mu.Lock()
		there := len(s.line)
		s.mu.Unlock()
		if there == n {
			return
		}
	}
}

// Whoever goes away while it waits takes no slot with it.
func TestSlotsOfThoseWhoLeave(t *testing.T) {
	t.Parallel()
	s := newSlots(2)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			if s.acquire(ctx, 0) == nil {
				s.release()
			}
		})
	}
	wg.Wait()
	if s.free != 2 || len(s.line) != 0 {
		t.Errorf("%d slots are free and %d wait", s.free, len(s.line))
	}
}
