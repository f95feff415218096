package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/zone"
)

func park(t *testing.T, s *Store, run Run, limit int) bool {
	t.Helper()
	ok, err := s.Holding(run).Queue().Park(context.Background(), run.ID, zone.Zone{Repository: "/r"},
		[]Wish{{LaneRun: run.Lanes[0].ID, Group: "db", Limit: limit}})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestParkedRunsWaitWithoutAHost: a run that waits for a group cannot be
// claimed, keeps its place in line, and can be once the place is free.
func TestParkedRunsWaitWithoutAHost(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for range 4 {
			begin(t, s, waiting("/r", 1))
		}
		var runs []Run
		for range 3 {
			runs = append(runs, claimed(t, s, time.Hour))
		}
		for i, want := range []bool{true, false, false} {
			if enter(t, s, 1, runs[i].Lanes[0].ID) != want {
				t.Fatalf("run %d", i)
			}
		}
		if park(t, s, runs[0], 1) {
			t.Error("the holder of the group is parked")
		}
		if !park(t, s, runs[1], 1) || !park(t, s, runs[2], 1) {
			t.Fatal("a run that waits is not parked")
		}
		if err := s.Holding(runs[1]).Record(ctx, runs[1].ID, Event{Kind: "late"}); !isConflict(err) {
			t.Errorf("the old holder of a parked run writes: %v", err)
		}
		other := claimed(t, s, time.Hour) // the fourth: the parked ones are passed over
		if other.ID <= runs[2].ID {
			t.Errorf("claimed run %d", other.ID)
		}
		if _, ok, err := s.Queue().Claim(ctx, ThisHost(), time.Hour); ok || err != nil {
			t.Errorf("claimed a parked run: %v, %v", ok, err)
		}
		if enter(t, s, 1, other.Lanes[0].ID) {
			t.Error("a later run enters before the parked ones")
		}
		leave(t, s, runs[0].Lanes[0].ID)
		next := claimed(t, s, time.Hour)
		if next.ID != runs[1].ID {
			t.Fatalf("run %d was woken, want %d", next.ID, runs[1].ID)
		}
		if _, ok, _ := s.Queue().Claim(ctx, ThisHost(), time.Hour); ok {
			t.Error("more were woken than there are places")
		}
		if !enter(t, s, 1, next.Lanes[0].ID) {
			t.Error("the woken run may not enter")
		}
		if next.Lanes[0].Attempt != 1 || next.Deaths != 0 {
			t.Errorf("waiting counts: %+v", next)
		}
	})
}

// TestParkAfterAllLeft: the place that was left just before is not missed.
func TestParkAfterAllLeft(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		l := lanesInLine(t, s, 2)
		enter(t, s, 1, l[0].ID)
		enter(t, s, 1, l[1].ID)
		leave(t, s, l[0].ID)
		run, err := s.RunByID(context.Background(), l[1].Run)
		if err != nil {
			t.Fatal(err)
		}
		if park(t, s, run, 1) {
			t.Error("parked though its place is free")
		}
	})
}

// TestWokenWithoutALeave: what a holder held that never left, and a run that
// was woken and cancelled, keep no one waiting.
func TestWokenWithoutALeave(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(s *Store, holder Run) error{
		"given back": func(s *Store, holder Run) error { return s.Queue().Requeue(ctx, holder.ID, "it is gone") },
		"ended":      func(s *Store, holder Run) error { return s.Record(ctx, holder.ID, End{State: Broken}) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, on backend) {
				s := on.fresh(t)
				for range 3 {
					begin(t, s, waiting("/r", 1))
				}
				runs := []Run{claimed(t, s, time.Hour), claimed(t, s, time.Hour), claimed(t, s, time.Hour)}
				for i, r := range runs {
					if enter(t, s, 1, r.Lanes[0].ID) != (i == 0) || i > 0 && !park(t, s, r, 1) {
						t.Fatalf("run %d", i)
					}
				}
				if err := end(s, runs[0]); err != nil {
					t.Fatal(err)
				}
				if err := s.Cancel(ctx, runs[1].ID, "ann", ""); err != nil {
					t.Fatal(err)
				}
				if err := s.Queue().WakeParked(ctx); err != nil {
					t.Fatal(err)
				}
				woken := map[int64]bool{}
				for range 2 {
					if run, ok, _ := s.Queue().Claim(ctx, ThisHost(), time.Hour); ok {
						woken[run.ID] = true
					}
				}
				if !woken[runs[2].ID] {
					t.Errorf("only %v can be claimed", woken)
				}
			})
		})
	}
}

func TestWithout(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for _, key := range []string{"/a", "/b", "/c"} {
			begin(t, s, waiting(key, 1))
		}
		run, ok, err := s.Queue().Without([]string{"/a", "/b"}).Claim(ctx, ThisHost(), time.Hour)
		if err != nil || !ok || run.RepoKey != "/c" {
			t.Errorf("%+v %v %v", run.RepoKey, ok, err)
		}
		blind := s.Queue().Without([]string{"/a", "/b"})
		if _, ok, err := blind.ClaimProtected(ctx, ThisHost(), time.Hour); ok || err != nil {
			t.Errorf("claimed %v, %v", ok, err)
		}
	})
}

func TestTransient(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		run := begin(t, s, newRun("/r", 1))
		wrong := s.Record(ctx, run.ID, Facts{LaneRun: 99})
		record(t, s, run.ID, End{State: Broken})
		conflict := s.Record(ctx, run.ID, End{State: Broken})
		for _, err := range []error{nil, wrong, conflict, ErrNoRun, context.Canceled} {
			if Transient(err) {
				t.Errorf("%v may pass", err)
			}
		}
		if on == postgresBackend {
			_, err := Open(ctx, "postgres://pushlane@127.0.0.1:1/none")
			if !Transient(err) {
				t.Errorf("%v does not pass", err)
			}
			return
		}
		if _, err := s.db.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", 1)); err != nil {
			t.Fatal(err)
		}
		full := newRun("/r", 1)
		full.Updates[0].Lanes = LanesFile{Source: "x", Text: make([]byte, 1<<20)}
		if _, err := s.Begin(ctx, full); !Transient(err) {
			t.Errorf("%v does not pass", err)
		}
	})
}
