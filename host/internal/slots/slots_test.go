package slots

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/pushlane/pushlane/host/internal/zone"
)

func branchOf(repository, ref string) Claimant {
	return Claimant{Zone: zone.Zone{Repository: repository}, Ref: ref}
}

func mainOf(repository string) Claimant {
	return Claimant{Zone: zone.Zone{Repository: repository, Trust: zone.Protected}, Ref: "refs/heads/main"}
}

// take acquires a slot that must be free.
func take(t *testing.T, s *Slots, c Claimant) func() {
	t.Helper()
	release, waits := offer(t, s, c)
	if waits {
		t.Fatalf("%+v waits", c)
	}
	return release
}

// offer reports whether a Claimant has to wait; if so it leaves the line again.
func offer(t *testing.T, s *Slots, c Claimant) (release func(), waits bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	got := make(chan func(), 1)
	go func() {
		release, _ := s.Acquire(ctx, c)
		got <- release
	}()
	for {
		select {
		case release := <-got:
			return release, false
		default:
		}
		s.mu.Lock()
		waits := len(s.line) > 0
		s.mu.Unlock()
		if waits {
			cancel()
			<-got
			return nil, true
		}
	}
}

func TestSlotsServeByPriorityThenByArrival(t *testing.T) {
	t.Parallel()
	s := New(1)
	release := take(t, s, Claimant{Zone: zone.Zone{Trust: zone.Local}})
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	for i, priority := range []int{0, -1, 1, 0, 1} {
		wg.Go(func() {
			release, err := s.Acquire(context.Background(), Claimant{Zone: zone.Zone{Trust: zone.Local}, Priority: priority})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			release()
		})
		waitLine(s, i+1)
	}
	release()
	wg.Wait()
	if !slices.Equal(order, []int{2, 4, 0, 3, 1}) {
		t.Errorf("got %v", order)
	}
	if len(s.running) != 0 {
		t.Errorf("%d run at the end", len(s.running))
	}
}

// waitLine waits until n are in line.
func waitLine(s *Slots, n int) {
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
	s := New(2)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			if release, err := s.Acquire(ctx, mainOf("/r")); err == nil {
				release()
			}
		})
	}
	wg.Wait()
	if len(s.running) != 0 || len(s.line) != 0 {
		t.Errorf("%d run and %d wait", len(s.running), len(s.line))
	}
}

// However many lanes branches have under way, a protected ref starts at once.
func TestBranchesDoNotKeepAProtectedRefWaiting(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 8, 64} {
		s := New(n)
		for k := 0; len(s.running) < n; k++ {
			c := branchOf("/r", fmt.Sprint("refs/heads/", k))
			c.Priority = 1
			take(t, s, c)
		}
		if _, waits := offer(t, s, branchOf("/r", "refs/heads/one-more")); !waits {
			t.Errorf("%d slots: a branch has one more", n)
		}
		for k := range max(1, n/2) {
			if _, waits := offer(t, s, mainOf("/r")); waits {
				t.Errorf("%d slots, all of them branches': lane %d of main waits", n, k)
			}
		}
		if _, waits := offer(t, s, mainOf("/r")); !waits {
			t.Errorf("%d slots: the reserve has no end", n)
		}
	}
}

// Another repository's owner protects what it likes: the reserve is for those
// who have little under way.
func TestTheReserveIsNotForWhoHasTheSlots(t *testing.T) {
	t.Parallel()
	s := New(4)
	alice, team := mainOf("/alice"), mainOf("/team")
	alice.Pusher, team.Pusher = "alice", "bob"
	for range 4 {
		take(t, s, alice)
	}
	other := mainOf("/alice/2")
	other.Pusher = "alice"
	for _, c := range []Claimant{alice, other} {
		if _, waits := offer(t, s, c); !waits {
			t.Errorf("%+v takes of the reserve", c)
		}
	}
	take(t, s, team)
}

func TestOneBranchAndOnePusherHaveAShare(t *testing.T) {
	t.Parallel()
	s := New(8)
	mallory := func(ref string) Claimant { c := branchOf("/r", ref); c.Pusher = "mallory"; return c }
	for k := range 4 {
		take(t, s, mallory(fmt.Sprint("refs/heads/", k)))
	}
	if _, waits := offer(t, s, mallory("refs/heads/5")); !waits {
		t.Error("a pusher has more than half of the slots")
	}
	for range 4 {
		take(t, s, branchOf("/r", "refs/heads/topic"))
	}
	s = New(8)
	for range 4 {
		take(t, s, branchOf("/r", "refs/heads/topic"))
	}
	if _, waits := offer(t, s, branchOf("/r", "refs/heads/topic")); !waits {
		t.Error("a branch has more than half of the slots")
	}
}

func TestProtectedRefsAreServedBeforeBranches(t *testing.T) {
	t.Parallel()
	s := New(2)
	first, second := take(t, s, mainOf("/r")), take(t, s, mainOf("/r"))
	third, _ := offer(t, s, mainOf("/q")) // the reserve
	var mu sync.Mutex
	var order []string
	var wg sync.WaitGroup
	eager := branchOf("/r", "refs/heads/eager")
	eager.Priority = 1
	for i, c := range []Claimant{eager, mainOf("/q")} {
		wg.Go(func() {
			release, _ := s.Acquire(context.Background(), c)
			mu.Lock()
			order = append(order, c.Zone.Trust.String())
			mu.Unlock()
			release()
		})
		waitLine(s, i+1)
	}
	first()
	second()
	wg.Wait()
	third()
	if !slices.Equal(order, []string{"protected", "unprotected"}) {
		t.Errorf("got %v", order)
	}
}
