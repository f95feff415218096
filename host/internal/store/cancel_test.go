package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestCancelInEveryState(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		queued := begin(t, s, waiting("/r", 2))
		if err := s.Cancel(ctx, queued.ID, "ann", "not now"); err != nil {
			t.Fatal(err)
		}
		got, _ := s.RunByID(ctx, queued.ID)
		if got.State != Cancelled || got.Exit != 3 || got.Message != "cancelled by ann: not now" ||
			got.Lanes[1].State != Cancelled {
			t.Errorf("%+v", got)
		}
		if err := s.Cancel(ctx, queued.ID, "ann", ""); !isConflict(err) ||
			err.Error() != fmt.Sprintf("cannot cancel run %d: run %d is cancelled, not running, and cannot become cancelled",
				queued.ID, queued.ID) {
			t.Errorf("ended: %v", err)
		}
		if _, ok, _ := s.Queue().Claim(ctx, ThisHost(), time.Hour); ok {
			t.Error("it was claimed after its end")
		}
		for i, by := range []string{"bob", "cem"} { // the first is kept
			if i == 0 {
				begin(t, s, waiting("/r", 2))
				got = claimed(t, s, time.Hour)
			}
			if err := s.Cancel(ctx, got.ID, by, ""); err != nil {
				t.Error(err)
			}
		}
		got, _ = s.RunByID(ctx, got.ID)
		events, _ := s.Events(ctx, got.ID)
		last := events[len(events)-1]
		if got.State != Running || got.CancelBy != "bob" || last.Kind != "cancel requested" ||
			last.Message != "cancelled by bob" {
			t.Errorf("%+v %+v", got, last)
		}
		if err := s.Queue().Requeue(ctx, got.ID, "the host was stopped"); err != nil {
			t.Error(err)
		}
		if got, _ = s.RunByID(ctx, got.ID); got.State != Cancelled ||
			got.Message != "cancelled by bob: the host was stopped" {
			t.Errorf("given back after someone asked for its end: %+v", got)
		}
		if err := s.Cancel(ctx, 99, "ann", ""); !errors.Is(err, ErrNoRun) {
			t.Errorf("no run: %v", err)
		}
	})
}
