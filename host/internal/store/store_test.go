package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var day = time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)

// newRun has lanes picked and not picked, and names that are not UTF-8.
func newRun(key string, lanes int) NewRun {
	n := NewRun{
		RepoKey: key, RepoName: "web", Gate: "pre-push", Remote: "origin", Pusher: "me", At: day,
		Updates: []Update{{Ref: "refs/heads/main", Old: "0a", New: "abc1234def", Base: "0b", Forced: true},
			{Ref: "refs/tags/\xff", New: "bbbb"}},
		Lanes: []NewLane{{Update: 0, Lane: "docs", Reason: "no changed path matches"}},
	}
	for i := range lanes {
		n.Lanes = append(n.Lanes, NewLane{Update: 0, Lane: fmt.Sprintf("lane-%d", i), Title: "Lane", Picked: true,
			Path: "a\xff\n.go", Glob: "**/*.go",
			Reason: "matches **/*.go", Plugin: "shell", Required: i%2 == 0})
	}
	return n
}

func begin(t testing.TB, s *Store, n NewRun) Run {
	t.Helper()
	run, err := s.Begin(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func record(t testing.TB, s *Store, run int64, changes ...Change) {
	t.Helper()
	if err := s.Record(context.Background(), run, changes...); err != nil {
		t.Fatal(err)
	}
}

func TestARunFromBeginToEnd(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		run := begin(t, s, newRun("/r/.git", 2))
		if run.Number != 1 || run.State != Running || len(run.Lanes) != 2 || run.Lanes[1].State != Queued ||
			run.Host != ThisHost() {
			t.Fatalf("begun: %+v", run)
		}
		one, two := run.Lanes[0].ID, run.Lanes[1].ID
		record(t, s, run.ID,
			Move{LaneRun: one, From: Queued, To: Starting, At: day},
			Facts{LaneRun: one, Digest: "d1", Image: "f1"},
			Move{LaneRun: one, From: Starting, To: Running, At: day.Add(time.Second)},
			Event{LaneRun: one, Lane: "lane-0", Kind: "progress", At: day, Message: "half"})
		log := File{Path: "/logs/1", Size: 7, SHA256: "aa"}
		record(t, s, run.ID,
			Result{LaneRun: one, State: Failed, At: day.Add(2 * time.Second), Message: "2 tests failed", Log: log,
				Findings: []Finding{{Path: "b\xff", Line: 3, Col: 2, Level: "error", Rule: "r", Message: "m"},
					{Level: "note", Message: "n"}},
				Artifacts: []File{{Name: "z", Path: "/z", Size: 2, SHA256: "zz"}, {Name: "a", Path: "/a", Size: 1, SHA256: "aa"}}},
			Move{LaneRun: two, From: Queued, To: Skipped, At: day, Message: "lane-0 failed"},
			End{State: Failed, Exit: 1, At: day.Add(3 * time.Second), Message: "refused"})

		got, err := s.Run(ctx, "/r/.git", 1)
		if err != nil {
			t.Fatal(err)
		}
		want := run
		want.State, want.Exit, want.Message, want.Ended = Failed, 1, "refused", local(day.Add(3*time.Second))
		want.Queued, want.Started = local(day), local(day)
		a, b := &want.Lanes[0], &want.Lanes[1]
		a.Queued, b.Queued = local(day), local(day)
		a.State, a.Digest, a.Image, a.Started, a.Ended, a.Message, a.Log = Failed, "d1", "f1", local(day),
			local(day.Add(2*time.Second)), "2 tests failed", log
		b.State, b.Ended, b.Message = Skipped, local(day), "lane-0 failed"
		if !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
		findings, err := s.Findings(ctx, run.ID)
		if err != nil || len(findings) != 2 || findings[0] != (Finding{LaneRun: one, Path: "b\xff", Line: 3, Col: 2,
			Level: "error", Rule: "r", Message: "m"}) {
			t.Errorf("findings %+v, %v", findings, err)
		}
		artifacts, err := s.Artifacts(ctx, one)
		if err != nil || len(artifacts) != 2 || artifacts[0] != (File{Name: "a", Path: "/a", Size: 1, SHA256: "aa"}) {
			t.Errorf("artifacts %+v, %v", artifacts, err)
		}
	})
}

func local(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

func TestEveryDecisionIsAnEvent(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		n := newRun("/r", 1)
		n.Skip = "demo at noon"
		run := begin(t, s, n)
		lane := run.Lanes[0].ID
		record(t, s, run.ID, Move{LaneRun: lane, From: Queued, To: Cancelled, At: day, Message: "Ctrl-C"},
			End{State: Cancelled, Exit: 3, At: day})
		events, err := s.Events(ctx, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, e := range events {
			if e.Seq != int64(i+1) || !e.At.Equal(day) {
				t.Errorf("event %d: %+v", i, e)
			}
			got = append(got, fmt.Sprintf("%v %s %s: %s", e.LaneRun == lane, e.Lane, e.Kind, e.Message))
		}
		want := []string{"false  skip: demo at noon", "false docs not picked: no changed path matches",
			"true lane-0 picked: matches **/*.go",
			"true lane-0 cancelled: Ctrl-C", "false  cancelled: "}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, query := range []string{"UPDATE events SET message = 'x'", "DELETE FROM events"} {
			if _, err := s.db.write.Exec(query); err == nil {
				t.Errorf("%s went through", query)
			}
		}
		if _, err := s.db.write.Exec("DELETE FROM runs"); err != nil {
			t.Errorf("a run cannot leave with its events: %v", err)
		}
		if left, _ := s.Events(ctx, run.ID); len(left) != 0 {
			t.Errorf("%d events outlived their run", len(left))
		}
	})
}

func TestNumbersNeverComeTwice(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		for i := range 3 {
			if run := begin(t, s, newRun("/a", 0)); run.Number != int64(i+1) {
				t.Errorf("run %d has number %d", i+1, run.Number)
			}
		}
		if run := begin(t, s, newRun("/b", 0)); run.Number != 1 {
			t.Errorf("another repository begins with %d", run.Number)
		}
		if _, err := s.db.write.Exec("DELETE FROM runs"); err != nil {
			t.Fatal(err)
		}
		if run := begin(t, s, newRun("/a", 0)); run.Number != 4 {
			t.Errorf("after all runs were deleted the next is %d", run.Number)
		}
	})
}

func TestRecordRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		tests := map[string]struct {
			before  []Change
			changes func(lane int64) []Change
			want    string // with LANE for the lane run's id
		}{
			"a leap over a state": {nil, func(l int64) []Change { return []Change{Move{LaneRun: l, From: Queued, To: Running}} },
				`lane run LANE: cannot go from "queued" to "running"`},
			"a state that has moved on": {nil, func(l int64) []Change {
				return []Change{
					Move{LaneRun: l, From: Starting, To: Running}}
			},
				`lane run LANE is queued, not starting, and cannot become running`},
			"a result before the run": {nil, func(l int64) []Change { return []Change{Result{LaneRun: l, State: Passed}} },
				`lane run LANE is queued, not running, and cannot become passed`},
			"a result that is not an end": {nil, func(l int64) []Change {
				return []Change{
					Result{LaneRun: l, From: Queued, State: Starting}}
			},
				`lane run LANE: "starting" is not an end`},
			"a lane of another run": {nil, func(int64) []Change {
				return []Change{
					Move{LaneRun: 99, From: Queued, To: Starting}}
			}, `lane run 99 is not part of run 1`},
			"facts of no lane": {nil, func(int64) []Change { return []Change{Facts{LaneRun: 99, Image: "x"}} },
				`lane run 99 is not part of run 1`},
			"an end that is none": {nil, func(int64) []Change { return []Change{End{State: Running}} },
				`"running" is not an end`},
			"a pass with a lane that is open": {nil, func(int64) []Change { return []Change{End{State: Passed}} },
				`lane run LANE is queued, not at its end, and cannot become passed`},
			"a second end": {[]Change{End{State: Broken}}, func(int64) []Change { return []Change{End{State: Cancelled}} },
				`run 1 is broken, not running, and cannot become cancelled`},
			"an artifact twice": {nil, func(l int64) []Change {
				return []Change{Move{LaneRun: l, From: Queued, To: Starting}, Move{LaneRun: l, From: Starting, To: Running},
					Result{LaneRun: l, State: Passed, Artifacts: []File{{Name: "a"}, {Name: "a"}}}}
			}, `two artifacts have the name "a"`},
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				ctx, s := context.Background(), on.fresh(t)
				run := begin(t, s, newRun("/r", 1))
				record(t, s, run.ID, test.before...)
				before, _ := s.Events(ctx, run.ID)
				err := s.Record(ctx, run.ID, append([]Change{Event{Kind: "first"}}, test.changes(run.Lanes[0].ID)...)...)
				want := "cannot record run 1: " + strings.ReplaceAll(test.want, "LANE", fmt.Sprint(run.Lanes[0].ID))
				if err == nil || err.Error() != want {
					t.Errorf("\n got %v\nwant %s", err, want)
				}
				if after, _ := s.Events(ctx, run.ID); len(after) != len(before) {
					t.Error("part of a refused batch was kept")
				}
			})
		}
	})
}

func TestConflictCanBeAskedFor(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		run := begin(t, s, newRun("/r", 1))
		err := s.Record(context.Background(), run.ID, Move{LaneRun: run.Lanes[0].ID, From: Running, To: Passed})
		c := (*ConflictError)(nil)
		if !errors.As(err, &c) || c.Got != Queued || c.Want != Running || c.To != Passed {
			t.Errorf("%v", err)
		}
		if err := s.Record(context.Background(), 77, End{State: Broken}); err == nil ||
			err.Error() != "cannot record run 77: there is no such run" {
			t.Errorf("%v", err)
		}
	})
}

func TestABrokenRunTakesItsLanesAlong(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		run := begin(t, s, newRun("/r", 3))
		record(t, s, run.ID, Move{LaneRun: run.Lanes[0].ID, From: Queued, To: Starting},
			Move{LaneRun: run.Lanes[1].ID, From: Queued, To: Skipped})
		record(t, s, run.ID, End{State: Broken, Exit: 3, Message: "its process is gone"})
		lanes, err := s.LaneRuns(context.Background(), run.ID)
		if err != nil || lanes[0].State != Broken || lanes[0].Message != "its process is gone" || lanes[1].State != Skipped ||
			lanes[2].State != Broken {
			t.Errorf("%+v %v", lanes, err)
		}
	})
}

func TestRetryIsTheNextAttempt(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		run := begin(t, s, newRun("/r", 1))
		lane := run.Lanes[0].ID
		if _, err := s.Retry(ctx, run.ID, lane, "x"); err == nil ||
			err.Error() != fmt.Sprintf("cannot retry lane run %d: lane run %d is queued, not broken, and cannot become queued",
				lane, lane) {
			t.Errorf("%v", err)
		}
		record(t, s, run.ID, Facts{LaneRun: lane, Image: "f"},
			Move{LaneRun: lane, From: Queued, To: Broken, Message: "Incus is down"})
		next, err := s.Retry(ctx, run.ID, lane, "Incus was down")
		if err != nil || next.Attempt != 2 || next.State != Queued || next.ID == lane || next.Message != "" ||
			next.Image != "" || next.Glob != "**/*.go" {
			t.Fatalf("%+v %v", next, err)
		}
		if _, err := s.Retry(ctx, run.ID, lane, "again"); err == nil {
			t.Error("one attempt was retried twice")
		}
		lanes, err := s.LaneRuns(ctx, run.ID)
		if err != nil || len(lanes) != 2 || !reflect.DeepEqual(lanes[1], next) {
			t.Errorf("%+v %v", lanes, err)
		}
		record(t, s, run.ID, End{State: Broken})
		if _, err := s.Retry(ctx, run.ID, next.ID, "late"); err == nil ||
			!strings.HasSuffix(err.Error(), "run 1 is broken, not running, and cannot become running") {
			t.Errorf("a lane of a run that has ended was retried: %v", err)
		}
	})
}

func TestRunsAreListedNewestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for _, key := range []string{"/a", "/b", "/a", "/a"} {
			begin(t, s, newRun(key, 1))
		}
		numbers := func(f Filter) string {
			runs, err := s.Runs(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, r := range runs {
				if len(r.Updates) != 2 || r.Updates[0].New != "abc1234def" {
					t.Errorf("updates %+v", r.Updates)
				}
				list = append(list, fmt.Sprint(r.RepoKey, r.Number))
			}
			return strings.Join(list, " ")
		}
		for want, f := range map[string]Filter{
			"/a3 /a2 /b1 /a1": {}, "/a3 /a2 /a1": {RepoKey: "/a"}, "/a3": {RepoKey: "/a", Limit: 1}, "/b1 /a1": {Before: 3},
			"": {RepoKey: "/none"},
		} {
			if got := numbers(f); got != want {
				t.Errorf("%+v: got %s, want %s", f, got, want)
			}
		}
		if _, err := s.Run(ctx, "/a", 9); !errors.Is(err, ErrNoRun) ||
			err.Error() != "cannot read run #9: there is no such run" {
			t.Errorf("%v", err)
		}
	})
}

func TestFind(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		begin(t, s, newRun("/a", 2))
		other := newRun("/b", 1)
		other.RepoName, other.Updates[0].New = "api", "abc9999"
		begin(t, s, other)
		begin(t, s, newRun("/a", 2))
		tests := map[string]string{
			"#1": "/a 1 lane-0 lane-1", "1:lane-1": "/a 1 lane-1", "last": "/a 2 lane-0 lane-1",
			"@abc1234": "/a 2 lane-0 lane-1",
			"api@abc9": "/b 1 lane-0", "web@abc1234def:lane-0": "/a 2 lane-0",
			"7":        "cannot find #7: there is no such run => see them with: pushlane runs",
			"1:lane-7": `cannot find #1:lane-7: the run has no lane "lane-7" => its lanes are ["lane-0" "lane-1"]`,
			"@abc9999": "cannot find @abc9999: there is no such run => see them with: pushlane runs",
		}
		for text, want := range tests {
			a, err := ParseAddress(text)
			if err != nil {
				t.Fatal(err)
			}
			run, err := s.Find(ctx, "/a", a)
			got := fmt.Sprint(run.RepoKey, " ", run.Number)
			for _, l := range run.Lanes {
				got += " " + l.Lane
			}
			if err != nil {
				got = err.Error()
				if h, ok := err.(interface{ Hint() string }); ok {
					got += " => " + h.Hint()
				}
			}
			if got != want {
				t.Errorf("%s: got %s, want %s", text, got, want)
			}
		}
	})
}

func TestBeginRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		n := newRun("/r", 1)
		n.Lanes[0].Update = 2
		if _, err := s.Begin(ctx, n); err == nil ||
			err.Error() != "cannot begin a run of web: lane \"docs\" names update 2 of 2" {
			t.Errorf("%v", err)
		}
		if _, err := s.Begin(ctx, NewRun{}); err == nil || err.Error() != "cannot begin a run: it has no repository" {
			t.Errorf("%v", err)
		}
		twice := newRun("/r", 1)
		twice.Lanes = append(twice.Lanes, twice.Lanes[1])
		if _, err := s.Begin(ctx, twice); err == nil {
			t.Error("one lane of one update was begun twice")
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := s.Begin(gone, newRun("/r", 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if runs, _ := s.Runs(ctx, Filter{}); len(runs) != 0 {
			t.Errorf("%d runs of refused ones were kept", len(runs))
		}
	})
}

func TestAbandoned(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		me := ThisHost()
		hosts := map[string]Host{
			"alive": me, "another boot": {PID: me.PID, Start: me.Start, Boot: "x", Space: me.Space},
			"same pid, another process": {PID: me.PID, Start: "1", Boot: me.Boot, Space: me.Space},
			"no such process":           {PID: 1 << 30, Boot: me.Boot, Space: me.Space},
			"out of sight":              {PID: 1 << 30, Boot: me.Boot, Space: "pid:[1]"},
		}
		for name, h := range hosts {
			n := newRun("/r", 1)
			n.Pusher, n.Host = name, h
			begin(t, s, n)
		}
		gone, err := s.Queue().Abandoned(ctx)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, r := range gone {
			names[r.Pusher] = true
			record(t, s, r.ID, End{State: Broken, Exit: 3})
		}
		if !reflect.DeepEqual(names, map[string]bool{"another boot": true, "same pid, another process": true,
			"no such process": true,
			"out of sight":    true}) { // after a day, where it can be told no sooner
			t.Errorf("%v", names)
		}
		if again, _ := s.Queue().Abandoned(ctx); len(again) != 0 {
			t.Errorf("%d are abandoned after they ended", len(again))
		}
		if err := s.Record(ctx, gone[0].ID, End{State: Broken}); !errors.As(err, new(*ConflictError)) {
			t.Errorf("the second to end it got %v", err)
		}
	})
}

// TestAClockThatGoesBack: order is by what was kept first, never by time.
func TestAClockThatGoesBack(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for i := range 4 {
			n := waiting("/r", 1)
			n.At = day.Add(-time.Duration(i) * time.Hour)
			begin(t, s, n)
		}
		runs, err := s.Runs(ctx, Filter{})
		if err != nil || len(runs) != 4 || runs[0].Number != 4 || !runs[0].Queued.Equal(day.Add(-3*time.Hour)) {
			t.Errorf("%+v %v", runs, err)
		}
		run := claimed(t, s, time.Hour)
		if run.Number != 1 {
			t.Errorf("the first to be claimed is #%d", run.Number)
		}
		lane := run.Lanes[0].ID
		record(t, s, run.ID, Move{LaneRun: lane, From: Queued, To: Starting, At: day},
			Move{LaneRun: lane, From: Starting, To: Running, At: day.Add(-time.Hour)},
			Result{LaneRun: lane, State: Passed, At: day.Add(-2 * time.Hour)}, End{State: Passed, At: day.Add(-3 * time.Hour)})
		events, _ := s.Events(ctx, run.ID)
		for i, e := range events {
			if e.Seq != int64(i+1) {
				t.Errorf("event %d: %+v", i, e)
			}
		}
		if last := events[len(events)-1]; last.Kind != "passed" || !last.At.Equal(day.Add(-3*time.Hour)) {
			t.Errorf("%+v", last)
		}
		n := waiting("/r", 0)
		n.Origin = "schedule:night:2026-03-04T08:00:00Z"
		begin(t, s, n)
		n.Origin = "schedule:night:2026-03-03T08:00:00Z"
		begin(t, s, n)
		at, err := s.Repositories().Fired(ctx, "/r", "night")
		if err != nil || at.UTC().Format(time.RFC3339) != "2026-03-04T08:00:00Z" {
			t.Errorf("%v %v", at, err)
		}
	})
}
