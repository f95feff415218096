package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOriginIsOneRun(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		n := waiting("/r", 1)
		n.Origin = "post-receive:1"
		first := begin(t, s, n)
		got, err := s.Begin(ctx, n)
		if !errors.Is(err, ErrKnown) || got.ID != first.ID || got.Number != 1 || len(got.Lanes) != 1 {
			t.Errorf("%+v %v", got, err)
		}
		n.RepoKey = "/other"
		begin(t, s, n)
		if run := begin(t, s, waiting("/r", 1)); run.Number != 2 {
			t.Errorf("the refused one took number %d", run.Number-1)
		}
		if run, err := s.RunByOrigin(ctx, "/r", "post-receive:1"); err != nil || run.ID != first.ID {
			t.Errorf("%+v %v", run, err)
		}
		if _, err := s.RunByOrigin(ctx, "/r", ""); !errors.Is(err, ErrNoRun) {
			t.Errorf("no origin is an origin: %v", err)
		}
		n.Origin = "schedule:night:soon"
		if _, err := s.Begin(ctx, n); err == nil ||
			err.Error() != `cannot begin a run of web: its origin "schedule:night:soon" names no minute` {
			t.Error(err)
		}
	})
}

func TestOriginOfManyAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		where := on.where(t)
		made, known := make(chan int64, 8), make(chan int64, 8)
		n := waiting("/r", 1)
		n.Origin = "schedule:night:2026-03-04T08:00:00Z"
		done := make(chan bool)
		for range 8 {
			s := open(t, where)
			go func() {
				run, err := s.Begin(context.Background(), n)
				switch {
				case err == nil:
					made <- run.ID
				case errors.Is(err, ErrKnown):
					known <- run.ID
				default:
					t.Error(err)
				}
				done <- true
			}()
		}
		for range 8 {
			<-done
		}
		if len(made) != 1 || len(known) != 7 {
			t.Fatalf("%d made, %d known", len(made), len(known))
		}
		if a, b := <-made, <-known; a != b {
			t.Errorf("%d and %d", a, b)
		}
	})
}

// superseding is a waiting run of one ref with the lanes a and b, of which
// those named are made so.
func superseding(ref, lanes string) NewRun {
	n := waiting("/r", 0)
	n.Updates, n.Lanes = []Update{{Ref: "refs/heads/x"}, {Ref: ref}}, nil
	for _, id := range []string{"a", "b"} {
		n.Lanes = append(n.Lanes, NewLane{Update: 1, Lane: id, Picked: true, Supersede: strings.Contains(lanes, id)})
	}
	return n
}

func TestSupersede(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		begun := map[string]Run{}
		make := func(name string, n NewRun) { begun[name] = begin(t, s, n) }
		make("running", superseding("refs/heads/m", "ab"))
		if claimed(t, s, time.Hour).ID != begun["running"].ID {
			t.Fatal("another was claimed")
		}
		make("both", superseding("refs/heads/m", "ab"))
		make("one of two", superseding("refs/heads/m", "a"))
		make("none made so", superseding("refs/heads/m", ""))
		make("another ref", superseding("refs/heads/x2", "ab"))
		elsewhere := superseding("refs/heads/m", "ab")
		elsewhere.RepoKey = "/other"
		make("another repository", elsewhere)
		make("the newest", superseding("refs/heads/m", "ab"))
		want := map[string]string{
			"running": "running: queued queued", "both": "cancelled: cancelled cancelled",
			"one of two":   "queued: cancelled queued",
			"none made so": "queued: queued queued", "another ref": "queued: queued queued",
			"another repository": "queued: queued queued",
			"the newest":         "queued: queued queued",
		}
		number := begun["the newest"].Number
		for name, want := range want {
			run, err := s.RunByID(ctx, begun[name].ID)
			got := fmt.Sprintf("%s: %s %s", run.State, run.Lanes[0].State, run.Lanes[1].State)
			if err != nil || got != want {
				t.Errorf("%s: got %s, want %s, %v", name, got, want, err)
			}
			by := fmt.Sprintf("superseded by run #%d", number)
			if name == "both" && (run.Message != by || run.Exit != 3) || name == "one of two" && run.Lanes[0].Message != by {
				t.Errorf("%s: %+v", name, run)
			}
		}
	})
}

func TestSupersedeInTheMiddleOfALine(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		for range 5 {
			begin(t, s, superseding("refs/heads/m", "ab"))
		}
		run := claimed(t, s, time.Hour)
		if _, ok, _ := s.Queue().Claim(context.Background(), ThisHost(), time.Hour); run.Number != 5 || ok {
			t.Errorf("#%d was claimed, and another: %v", run.Number, ok)
		}
	})
}

// endedRun has a lane of every end; "for-failed" and "for-that" were skipped
// for the sake of others, "told" was not.
func endedRun(t *testing.T, s *Store) Run {
	t.Helper()
	n := waiting("/r", 0)
	ends := []struct {
		lane    string
		state   State
		message string
	}{
		{"ok", Passed, ""}, {"no", Failed, ""}, {"machine", Broken, ""}, {"stopped", Cancelled, ""},
		{"told", Skipped, "left out by the pusher"},
		{"for-failed", Skipped, `needs "no", which failed`}, {"for-that", Skipped, `needs "for-failed", which was skipped`},
		{"for-ok", Skipped, `needs "ok-not", which failed`},
	}
	for _, e := range ends {
		n.Lanes = append(n.Lanes, NewLane{Update: 0, Lane: e.lane, Picked: true, Reason: "because", Required: true,
			Group: "g", Supersede: true})
	}
	n.Priority = -1
	begin(t, s, n)
	run := claimed(t, s, time.Hour)
	var changes []Change
	for i, e := range ends {
		id := run.Lanes[i].ID
		if e.state == Skipped {
			changes = append(changes, Move{LaneRun: id, From: Queued, To: Skipped, Message: e.message})
			continue
		}
		changes = append(changes, Move{LaneRun: id, From: Queued, To: Starting},
			Move{LaneRun: id, From: Starting, To: Running},
			Result{LaneRun: id, State: e.state})
	}
	record(t, s, run.ID, changes...)
	next, err := s.Retry(context.Background(), run.ID, run.Lanes[2].ID, "again") // broke, and broke again
	if err != nil {
		t.Fatal(err)
	}
	record(t, s, run.ID, Move{LaneRun: next.ID, From: Queued, To: Broken}, End{State: Failed, Exit: 1})
	return run
}

func TestRerun(t *testing.T) {
	all := []string{"ok", "no", "machine", "stopped", "told", "for-failed", "for-that", "for-ok"}
	tests := map[string]struct {
		failedOnly bool
		lanes      []string
	}{
		"all":         {false, all},
		"failed only": {true, []string{"no", "machine", "stopped", "for-failed", "for-that"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, on backend) {
				ctx, s := context.Background(), on.fresh(t)
				old := endedRun(t, s)
				made, err := s.Rerun(ctx, old.ID, test.failedOnly, "ann")
				if err != nil {
					t.Fatal(err)
				}
				run, err := s.RunByID(ctx, made.ID)
				if err != nil || run.State != Queued || run.RerunOf != old.Number || run.Number != old.Number+1 ||
					run.Priority != -1 || run.Pusher != "me" {
					t.Fatalf("%+v %v", run, err)
				}
				if !reflect.DeepEqual(run.Updates, old.Updates) || run.Updates[0].Lanes.Source != "lanes.toml" {
					t.Errorf("%+v", run.Updates)
				}
				var lanes []string
				for _, l := range run.Lanes {
					lanes = append(lanes, l.Lane)
					if l.Attempt != 1 || l.Group != "g" || !l.Supersede || !l.Required || l.Reason != "because" {
						t.Errorf("%+v", l)
					}
				}
				if !slices.Equal(lanes, test.lanes) {
					t.Errorf("%q", lanes)
				}
				checkDecisions(t, s, run, len(all)-len(lanes))
			})
		})
	}
}

// checkDecisions: who asked, then what was picked and what was not and why.
func checkDecisions(t *testing.T, s *Store, run Run, left int) {
	t.Helper()
	events, _ := s.Events(context.Background(), run.ID)
	if e := events[0]; e.Kind != "rerun" || e.Message != "ann requested a rerun of run #1" {
		t.Errorf("%+v", e)
	}
	reasons := map[string]string{}
	for _, e := range events {
		if e.Kind == "not picked" {
			reasons[e.Lane] = e.Message
		}
	}
	if len(reasons) != left+1 || reasons["docs"] != "no changed path matches" {
		t.Errorf("%q", reasons)
	}
	if left > 0 && (reasons["ok"] != "passed in run #1" || reasons["told"] != "skipped in run #1") {
		t.Errorf("%q", reasons)
	}
}

func TestRerunRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		run := begin(t, s, waiting("/r", 1))
		_, err := s.Rerun(ctx, run.ID, false, "ann")
		checkError(t, err, "cannot rerun #1: it is still queued", "wait for its end, or cancel it first")
		run = claimed(t, s, time.Hour)
		record(t, s, run.ID, Move{LaneRun: run.Lanes[0].ID, From: Queued, To: Skipped}, End{State: Passed})
		_, err = s.Rerun(ctx, run.ID, true, "ann")
		checkError(t, err, "cannot rerun #1: no lane of it failed, broke or was cancelled", "rerun all lanes")
		record(t, s, run.ID, Event{Kind: "refused", Message: "it would remove the lanes of main"})
		_, err = s.Rerun(ctx, run.ID, false, "ann")
		checkError(t, err, "cannot rerun #1: the push was refused independently of its lanes: "+
			"it would remove the lanes of main",
			"push again")
		if _, err = s.Rerun(ctx, 99, true, "ann"); !errors.Is(err, ErrNoRun) {
			t.Error(err)
		}
	})
}

// TestARerunSupersedesNothing: it may be of an older commit than what waits.
func TestARerunSupersedesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		old := begin(t, s, superseding("refs/heads/m", "ab"))
		newer := begin(t, s, superseding("refs/heads/m", "ab"))
		again, err := s.Rerun(ctx, old.ID, false, "ann")
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := s.RunByID(ctx, newer.ID); got.State != Queued {
			t.Errorf("a rerun took #%d out of the queue", newer.Number)
		}
		begin(t, s, superseding("refs/heads/m", "ab"))
		if got, _ := s.RunByID(ctx, again.ID); got.State != Cancelled {
			t.Errorf("a rerun is not superseded: %s", got.State)
		}
	})
}
