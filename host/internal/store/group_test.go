package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// lanesInLine begins runs of one lane each and claims them, and returns the
// lane runs in the order in which they were made.
func lanesInLine(t *testing.T, s *Store, runs int) (lanes []LaneRun) {
	t.Helper()
	for range runs {
		begin(t, s, waiting("/r", 1))
	}
	for range runs {
		lanes = append(lanes, claimed(t, s, time.Hour).Lanes[0])
	}
	return lanes
}

func enter(t *testing.T, s *Store, limit int, lane int64) bool {
	t.Helper()
	ok, err := s.Groups().Enter(context.Background(), zone.Zone{Repository: "/r"}, "db", limit, lane)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func leave(t *testing.T, s *Store, lane int64) {
	t.Helper()
	if err := s.Groups().Leave(context.Background(), lane); err != nil {
		t.Fatal(err)
	}
}

func line(t *testing.T, s *Store, lane int64) string {
	t.Helper()
	position, holders, err := s.Groups().Line(context.Background(), lane)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d behind %d", position, holders)
}

func TestAGroupIsEnteredInTheOrderOfLaneRuns(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		l := lanesInLine(t, s, 4)
		for range 2 {
			if !enter(t, s, 1, l[1].ID) {
				t.Fatal("an empty group is closed")
			}
		}
		for _, i := range []int{3, 0, 2} { // they ask in any order
			if enter(t, s, 1, l[i].ID) {
				t.Errorf("%d entered a full group", i)
			}
		}
		for i, want := range []string{"1 behind 1", "0 behind 1", "2 behind 1", "3 behind 1"} {
			if got := line(t, s, l[i].ID); got != want {
				t.Errorf("lane %d is %s, want %s", i, got, want)
			}
		}
		leave(t, s, l[1].ID)
		leave(t, s, l[1].ID)
		for _, next := range []int{0, 2, 3} {
			for _, i := range []int{3, 2, 0} {
				if i > next && enter(t, s, 1, l[i].ID) {
					t.Errorf("%d entered before %d", i, next)
				}
			}
			if !enter(t, s, 1, l[next].ID) {
				t.Errorf("%d may not enter", next)
			}
			leave(t, s, l[next].ID)
		}
		if got := line(t, s, l[0].ID); got != "0 behind 0" {
			t.Errorf("all have left: %s", got)
		}
	})
}

func TestAGroupOfThree(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		l := lanesInLine(t, s, 5)
		for i, want := range []bool{true, true, true, false, false} {
			if enter(t, s, 3, l[i].ID) != want {
				t.Errorf("lane %d", i)
			}
		}
		leave(t, s, l[1].ID)
		if enter(t, s, 3, l[4].ID) || !enter(t, s, 3, l[3].ID) || enter(t, s, 3, l[4].ID) {
			t.Error("the place that was left is not the next one's")
		}
	})
}

// TestAGroupOfManyAtOnce: never more than limit inside, all get through.
func TestAGroupOfManyAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		const lanes, limit = 12, 3
		ctx, where := context.Background(), on.where(t)
		s := open(t, where)
		var inside, passed atomic.Int32
		var wg sync.WaitGroup
		for _, l := range lanesInLine(t, s, lanes) {
			s := s
			if l.ID%2 == 0 {
				s = open(t, where)
			}
			wg.Go(func() {
				for {
					ok, err := s.Groups().Enter(ctx, zone.Zone{Repository: "/r"}, "db", limit, l.ID)
					if err != nil {
						t.Error(err)
						return
					}
					if ok {
						break
					}
				}
				if n := inside.Add(1); n > limit {
					t.Errorf("%d are inside", n)
				}
				passed.Add(1)
				inside.Add(-1)
				if err := s.Groups().Leave(ctx, l.ID); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if passed.Load() != lanes {
			t.Errorf("%d of %d got through", passed.Load(), lanes)
		}
	})
}

func TestPlacesOfTheDeadAreFree(t *testing.T) {
	tests := map[string]func(t *testing.T, s *Store, l LaneRun, where string){
		"its lane run ended": func(t *testing.T, s *Store, l LaneRun, _ string) {
			record(t, s, l.Run, Move{LaneRun: l.ID, From: Queued, To: Cancelled})
		},
		"its run was queued again": func(t *testing.T, s *Store, l LaneRun, _ string) {
			if err := s.Queue().Requeue(context.Background(), l.Run, "x"); err != nil {
				t.Fatal(err)
			}
		},
		"its lease ended": func(t *testing.T, s *Store, l LaneRun, _ string) {
			_, err := s.db.write.Exec(fmt.Sprintf(
				"UPDATE runs SET host_boot = 'another machine', lease = 1 WHERE id = %d", l.Run))
			if err != nil {
				t.Fatal(err)
			}
		},
		"its run was dropped": func(t *testing.T, s *Store, l LaneRun, _ string) {
			record(t, s, l.Run, End{State: Cancelled, At: day})
			if _, err := s.DropRuns(context.Background(), day.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, dies := range tests {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, on backend) {
				where := on.where(t)
				s := open(t, where)
				l := lanesInLine(t, s, 3)
				if !enter(t, s, 1, l[0].ID) || enter(t, s, 1, l[1].ID) || enter(t, s, 1, l[2].ID) {
					t.Fatal("not in order")
				}
				dies(t, s, l[0], where)
				if enter(t, s, 1, l[2].ID) || !enter(t, s, 1, l[1].ID) {
					t.Error("the next one cannot enter")
				}
			})
		})
	}
}

// TestWhoAsksIsAlive: a host that was stalled past its lease still has its
// place when no one has taken its run.
func TestWhoAsksIsAlive(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		l := lanesInLine(t, s, 2)
		if _, err := s.Queue().Renew(context.Background(), l[0].Run, 1, -time.Second); err != nil {
			t.Fatal(err)
		}
		if !enter(t, s, 1, l[0].ID) || line(t, s, l[0].ID) != "0 behind 1" || !enter(t, s, 1, l[0].ID) {
			t.Error("it is inside without a ticket")
		}
	})
}

func TestAKilledHoldersPlaceIsFree(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		where := on.where(t)
		s := open(t, where)
		begin(t, s, waiting("/r", 1))
		killedClaimer(t, where) // it held the group
		l := lanesInLine(t, s, 1)
		if !enter(t, s, 1, l[0].ID) {
			t.Error("a dead process keeps the group")
		}
	})
}

func TestEnterGroupRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		two := lanesInLine(t, s, 2)
		l, other := two[0], two[1]
		enter(t, s, 1, other.ID)
		record(t, s, l.Run, Move{LaneRun: l.ID, From: Queued, To: Cancelled})
		for want, ask := range map[string]func() (bool, error){
			fmt.Sprintf(`cannot enter group "db": lane run %d is cancelled, not queued, and cannot become starting`,
				l.ID): func() (bool, error) {
				return s.Groups().Enter(ctx, zone.Zone{Repository: "/r"}, "db", 1, l.ID)
			},
			fmt.Sprintf(`cannot enter group "b": lane run %d is in line for another group`, other.ID): func() (bool, error) {
				return s.Groups().Enter(ctx, zone.Zone{Repository: "/r"}, "b", 1, other.ID)
			},
			`cannot enter group "db": there is no lane run 99`: func() (bool, error) {
				return s.Groups().Enter(ctx, zone.Zone{Repository: "/r"}, "db", 1, 99)
			},
			`cannot enter group "db": the repository /none has no runs`: func() (bool, error) {
				return s.Groups().Enter(ctx, zone.Zone{Repository: "/none"}, "db", 1, l.ID)
			},
		} {
			if ok, err := ask(); ok || err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}

// TestTheOldHolderLeavesTheNewOnesPlace: a lane run that had not begun keeps
// its id, so the ticket may be another's by now.
func TestTheOldHolderLeavesTheNewOnesPlace(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		begin(t, s, waiting("/r", 1))
		old := claimed(t, s, time.Hour)
		if err := s.Queue().Requeue(ctx, old.ID, "x"); err != nil {
			t.Fatal(err)
		}
		run := claimed(t, s, time.Hour)
		lane := run.Lanes[0].ID
		if !enter(t, s.Holding(run), 1, lane) {
			t.Fatal("it cannot enter")
		}
		leave(t, s.Holding(old), lane)
		if got := line(t, s, lane); got != "0 behind 1" {
			t.Errorf("the old holder took the ticket along: %s", got)
		}
		leave(t, s.Holding(run), lane)
		if got := line(t, s, lane); got != "0 behind 0" {
			t.Errorf("%s", got)
		}
	})
}
