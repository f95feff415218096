package store

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDropRuns(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		var want []int64
		for i := range dropAtOnce + 5 { // more than go at once
			n := newRun("/r", 1)
			n.Updates[0].Lanes = LanesFile{Source: "old", Text: []byte{byte(i)}}
			run := begin(t, s, n)
			l := run.Lanes[0].ID
			record(t, s, run.ID, Move{LaneRun: l, From: Queued, To: Starting}, Move{LaneRun: l, From: Starting, To: Running},
				Result{LaneRun: l, State: Passed, Findings: []Finding{{Message: "m"}}, Artifacts: []File{{Name: "a"}}},
				End{State: Passed, At: day})
			if err := s.Outbox().Add(ctx, []Delivery{{Run: run.ID, Target: "a"}}); err != nil {
				t.Fatal(err)
			}
			want = append(want, run.ID)
		}
		shared := LanesFile{Source: "lanes.toml", Text: []byte("kept")}
		young, open := newRun("/r", 1), newRun("/r", 1)
		young.Updates[0].Lanes, open.Updates[0].Lanes = shared, shared
		y := begin(t, s, young)
		record(t, s, y.ID, End{State: Broken, At: day.Add(time.Hour)})
		begin(t, s, open)
		ids, err := s.DropRuns(ctx, day.Add(time.Minute))
		if err != nil || !reflect.DeepEqual(ids, want) {
			t.Errorf("%v %v", ids, err)
		}
		for table, rows := range map[string]int{"runs": 2, "updates": 4, "lane_runs": 2, "findings": 0, "artifacts": 0,
			"deliveries": 0, "lanes_files": 1} {
			var n int
			if err := s.db.reading(ctx).value(&n, "SELECT count(*) FROM "+table); err != nil || n != rows {
				t.Errorf("%d rows in %s, want %d, %v", n, table, rows, err)
			}
		}
		if run := begin(t, s, newRun("/r", 1)); run.Number != int64(dropAtOnce+8) {
			t.Errorf("the next run is #%d", run.Number)
		}
		if ids, err := s.DropRuns(ctx, day.Add(time.Minute)); err != nil || len(ids) != 0 {
			t.Errorf("%v %v", ids, err)
		}
	})
}

// TestLanesFilesStayWhileRunsBegin: a text that an old run leaves and a new
// one takes up at the same moment is not lost.
func TestLanesFilesStayWhileRunsBegin(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, where := context.Background(), on.where(t)
		dropper := open(t, where)
		n := newRun("/r", 0)
		n.Updates[0].Lanes = LanesFile{Source: "lanes.toml", Text: []byte("x")}
		var wg sync.WaitGroup
		for i := range 3 {
			s := open(t, where)
			n := n
			n.RepoKey = fmt.Sprint("/r", i)
			wg.Go(func() {
				for range 15 {
					run, err := s.Begin(ctx, n)
					if err == nil {
						run, err = s.RunByID(ctx, run.ID)
					}
					if err != nil || string(run.Updates[0].Lanes.Text) != "x" {
						t.Errorf("%+v %v", run.Updates, err)
						return
					}
					if err := s.Record(ctx, run.ID, End{State: Passed, At: day}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			for range 20 {
				if _, err := dropper.DropRuns(ctx, day.Add(time.Minute)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
	})
}

func TestAScheduleOutlivesItsRuns(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for _, origin := range []string{"schedule:night:2026-03-04T08:00:00Z", "schedule:nightly:2026-03-05T08:00:00Z",
			"push:schedule:night:x"} {
			n := newRun("/r", 0)
			n.Origin = origin
			record(t, s, begin(t, s, n).ID, End{State: Passed, At: day})
		}
		if _, err := s.DropRuns(ctx, day.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for lane, want := range map[string]string{"night": "2026-03-04T08:00:00Z", "nightly": "2026-03-05T08:00:00Z",
			"n_ght": "0001-01-01T00:00:00Z"} {
			at, err := s.Repositories().Fired(ctx, "/r", lane)
			if got := at.UTC().Format(time.RFC3339); err != nil || got != want {
				t.Errorf("%s: %s %v", lane, got, err)
			}
		}
	})
}

func TestRepositories(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for range 2 {
			if err := s.Repositories().Register(ctx, "/b", "zeta"); err != nil {
				t.Fatal(err)
			}
		}
		record(t, s, begin(t, s, newRun("/a", 2)).ID, End{State: Broken, At: day})
		begin(t, s, newRun("/a", 2))
		if _, err := s.DropRuns(ctx, day.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		all, err := s.Repositories().List(ctx)
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v %v", all, err)
		}
		if a := all[0]; a.Key != "/a" || a.Name != "web" || a.Served || a.Runs != 1 || a.Newest == nil ||
			a.Newest.Number != 2 || a.Newest.Total != 2 || len(a.Newest.Updates) != 2 {
			t.Errorf("%+v", a)
		}
		if b := all[1]; b != (Repository{Key: "/b", Name: "zeta", Served: true}) {
			t.Errorf("%+v", b)
		}
		if err := s.Repositories().Unregister(ctx, "/b"); err != nil {
			t.Fatal(err)
		}
		if err := s.Repositories().Register(ctx, "/a", "renamed"); err != nil {
			t.Fatal(err)
		}
		all, _ = s.Repositories().List(ctx)
		if all[0].Name != "renamed" || !all[0].Served || all[0].Newest.Number != 2 || all[1].Served {
			t.Errorf("%+v", all)
		}
		if run := begin(t, s, newRun("/b", 0)); run.Number != 1 {
			t.Errorf("the first run of a registered repository is #%d", run.Number)
		}
	})
}

func TestStats(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		begin(t, s, waiting("/r", 2))
		open := begin(t, s, newRun("/r", 2))
		record(t, s, open.ID, Move{LaneRun: open.Lanes[0].ID, From: Queued, To: Starting})
		for _, gate := range []string{"pre-push", "pre-push", "schedule"} {
			n := newRun("/r", 0)
			n.Gate = gate
			record(t, s, begin(t, s, n).ID, End{State: Passed})
		}
		record(t, s, begin(t, s, newRun("/r", 0)).ID, End{State: Failed})
		if err := s.Outbox().Add(ctx, []Delivery{{Run: open.ID}}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Stats(ctx)
		want := Stats{Runs: map[State]int{Queued: 1, Running: 1}, Lanes: map[State]int{Queued: 3, Starting: 1},
			Ended:      []EndedRuns{{"pre-push", Failed, 1}, {"pre-push", Passed, 2}, {"schedule", Passed, 1}},
			Deliveries: map[string]int{"waiting": 1}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v %v", got, want, err)
		}
	})
}

func TestFilters(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for i, ref := range []string{"refs/heads/a", "refs/heads/b", "refs/heads/a", "refs/heads/a\xff"} {
			n := newRun("/r", 1)
			n.Updates[1].Ref = ref
			n.Gate = []string{"pre-push", "manual"}[i%2]
			run := begin(t, s, n)
			if i < 2 {
				record(t, s, run.ID, End{State: Broken})
			}
		}
		twice := waiting("/other", 1)
		twice.Updates[1].Ref = twice.Updates[0].Ref
		begin(t, s, twice)
		for _, test := range []struct {
			filter Filter
			want   string
		}{
			{Filter{}, "1 4 3 2 1"}, {Filter{RepoKey: "/r"}, "4 3 2 1"}, {Filter{Ref: "refs/heads/a"}, "3 1"},
			{Filter{Ref: "refs/heads/main"}, "1 4 3 2 1"},
			{Filter{Ref: "refs/heads/a\xff"}, "4"}, {Filter{State: "broken"}, "2 1"}, {Filter{State: "queued"}, "1"},
			{Filter{Gate: "manual"}, "4 2"},
			{Filter{RepoKey: "/r", Ref: "refs/heads/a", State: "broken", Gate: "pre-push"}, "1"},
			{Filter{RepoKey: "/r", Before: 3, Limit: 1}, "2"},
			{Filter{RepoKey: "/none"}, ""}, {Filter{Ref: "' OR 1=1 --"}, ""},
		} {
			runs, err := s.Runs(ctx, test.filter)
			var got []string
			for _, r := range runs {
				got = append(got, fmt.Sprint(r.Number))
				if len(r.Updates) != 2 || r.Total != 1 {
					t.Errorf("%+v", r)
				}
			}
			if strings.Join(got, " ") != test.want || err != nil {
				t.Errorf("%+v: %v, want %s, %v", test.filter, got, test.want, err)
			}
		}
	})
}

// TestPassedOfTotal counts the latest attempts, over more runs than one query
// asks about.
func TestPassedOfTotal(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		run := begin(t, s, newRun("/r", 3))
		pass := func(l int64) []Change {
			return []Change{Move{LaneRun: l, From: Queued, To: Starting}, Move{LaneRun: l, From: Starting, To: Running},
				Result{LaneRun: l, State: Passed}}
		}
		record(t, s, run.ID, pass(run.Lanes[0].ID)...)
		record(t, s, run.ID, Move{LaneRun: run.Lanes[1].ID, From: Queued, To: Broken})
		next, err := s.Retry(ctx, run.ID, run.Lanes[1].ID, "x")
		if err != nil {
			t.Fatal(err)
		}
		record(t, s, run.ID, pass(next.ID)...)
		for range page + 10 {
			begin(t, s, newRun("/r", 0))
		}
		runs, err := s.Runs(ctx, Filter{Limit: 1000})
		if err != nil || len(runs) != page+11 {
			t.Fatalf("%d %v", len(runs), err)
		}
		if r := runs[page+10]; r.Passed != 2 || r.Total != 3 || len(r.Updates) != 2 {
			t.Errorf("%+v", r)
		}
		if r := runs[0]; r.Passed != 0 || r.Total != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestLogIsKnownBeforeTheEnd(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		run := begin(t, s, newRun("/r", 2))
		one, two := run.Lanes[0].ID, run.Lanes[1].ID
		record(t, s, run.ID, Facts{LaneRun: one, Log: "/log"}, Facts{LaneRun: one, Image: "f"},
			Facts{LaneRun: two, Log: "/log2"})
		lanes, _ := s.LaneRuns(ctx, run.ID)
		if lanes[0].Log.Path != "/log" || lanes[0].Image != "f" {
			t.Errorf("%+v", lanes[0])
		}
		record(t, s, run.ID, Move{LaneRun: one, From: Queued, To: Broken},
			Result{LaneRun: two, From: Queued, State: Broken, Log: File{Path: "/log2.zst", Size: 7, SHA256: "x"}})
		lanes, _ = s.LaneRuns(ctx, run.ID)
		if lanes[0].Log.Path != "/log" || lanes[1].Log != (File{Path: "/log2.zst", Size: 7, SHA256: "x"}) {
			t.Errorf("%+v", lanes)
		}
	})
}
