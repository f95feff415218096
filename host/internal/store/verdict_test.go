package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// headRun ends a run of refs/heads/b at a commit; lanes are "name state", with
// ! for a required one.
func headRun(t *testing.T, s *Store, gate, commit string, at time.Time, lanes ...string) Run {
	t.Helper()
	n := NewRun{RepoKey: "/r", RepoName: "r", Gate: gate, At: at, Updates: []Update{{Ref: "refs/heads/b", New: commit}}}
	for _, l := range lanes {
		name, _, _ := strings.Cut(l, " ")
		n.Lanes = append(n.Lanes, NewLane{Lane: strings.Trim(name, "!"), Picked: true, Required: strings.HasPrefix(l, "!")})
	}
	run := begin(t, s, n)
	end := End{State: Passed, At: at}
	for i, l := range lanes {
		_, state, _ := strings.Cut(l, " ")
		if state == "running" {
			return run
		}
		if state == "failed" {
			end.State, end.Exit = Failed, 1
		}
		id := run.Lanes[i].ID
		record(t, s, run.ID, Move{LaneRun: id, From: Queued, To: Starting}, Move{LaneRun: id, From: Starting, To: Running},
			Result{LaneRun: id, State: State(state), At: at})
	}
	record(t, s, run.ID, end)
	return run
}

// TestHead: one failed required lane of a commit is seen, whichever gate's run
// is newer, and also when all of its runs are gone.
func TestHead(t *testing.T) {
	type runOf struct {
		gate, commit string
		lanes        []string
	}
	for name, c := range map[string]struct {
		runs []runOf
		want string
	}{
		"the gate failed, what comes after passed": {[]runOf{{"pre-receive", "c1", []string{"!test failed", "!lint passed"}},
			{"post-receive", "c1", []string{"!bench passed"}}}, `failed #1 "test"`},
		"what comes after failed": {[]runOf{{"pre-receive", "c1", []string{"!test passed"}},
			{"post-receive", "c1", []string{"!bench failed"}}}, `failed #2 "bench"`},
		"only an optional lane failed": {[]runOf{{"pre-receive", "c1", []string{"!test passed", "style failed"}}},
			`passed #1 ""`},
		"it passed when it was repeated": {[]runOf{{"post-receive", "c1", []string{"!a failed", "!b passed"}},
			{"post-receive", "c1", []string{"!a passed"}}}, `passed #2 ""`},
		"it failed when it was repeated": {[]runOf{{"post-receive", "c1", []string{"!a passed"}},
			{"post-receive", "c1", []string{"!a failed"}}}, `failed #2 "a"`},
		"another commit failed": {[]runOf{{"pre-receive", "c0", []string{"!test failed"}},
			{"pre-receive", "c1", []string{"!test passed"}}}, `passed #2 ""`},
		"broken and failed":  {[]runOf{{"pre-receive", "c1", []string{"!a broken", "!b failed"}}}, `failed #1 "b"`},
		"nothing was judged": {[]runOf{{"pre-receive", "c1", nil}}, `passed #1 ""`},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, on backend) {
				ctx, s := context.Background(), on.fresh(t)
				for i, r := range c.runs {
					headRun(t, s, r.gate, r.commit, day.Add(time.Duration(i)*time.Minute), r.lanes...)
				}
				head := func(when, want string) {
					t.Helper()
					v, known, err := s.Verdicts().Of(ctx, "/r", "refs/heads/b", "c1")
					if got := fmt.Sprintf("%s #%d %q", v.State, v.Number, v.Lane); err != nil || !known || got != want {
						t.Errorf("%s: %s, %t, %v; want %s", when, got, known, err, want)
					}
				}
				head("while its runs are there", c.want)
				for i := range c.runs { // they go one after the other
					if _, err := s.DropRuns(ctx, day.Add(time.Duration(i)*time.Minute+time.Second)); err != nil {
						t.Fatal(err)
					}
				}
				head("after retention", c.want[:strings.IndexByte(c.want, '"')]+`""`) // no lane is named
				if _, known, _ := s.Verdicts().Of(ctx, "/r", "refs/heads/b", "c2"); known {
					t.Error("a commit that was never judged has a verdict")
				}
			})
		})
	}
}

func TestHeadThatRuns(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		headRun(t, s, "pre-receive", "c1", day, "!test passed")
		headRun(t, s, "post-receive", "c1", day, "!bench running")
		v, _, err := s.Verdicts().Of(context.Background(), "/r", "refs/heads/b", "c1")
		if err != nil || v.State != Queued || v.Lane != "bench" {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

// TestPulse: it changes with every step of a run of those repositories, and
// with nothing else.
func TestPulse(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		was := map[string]string{}
		step := func(what string, here bool) {
			t.Helper()
			for of, keys := range map[string][]string{"all": nil, "/r": {"/r"}, "two": {"/r", "/x"}, "another": {"/y"}} {
				is, err := s.Pulse(ctx, keys)
				if err != nil {
					t.Fatal(err)
				}
				if changed := is != was[of]; changed != (here && of != "another") {
					t.Errorf("%s: %s changed %t:\n%s", what, of, changed, is)
				}
				was[of] = is
			}
		}
		step("nothing", false)
		run := begin(t, s, waiting("/r", 2))
		step("queued", true)
		step("nothing", false)
		run = claimed(t, s, time.Hour)
		step("claimed", true)
		id := run.Lanes[0].ID
		record(t, s, run.ID, Move{LaneRun: id, From: Queued, To: Starting}, Move{LaneRun: id, From: Starting, To: Running},
			Result{LaneRun: id, State: Passed})
		step("a lane passed", true)
		if err := s.Cancel(ctx, run.ID, "ann", ""); err != nil {
			t.Fatal(err)
		}
		step("cancel requested", true)
		record(t, s, run.ID, End{State: Cancelled})
		step("ended", true)
	})
}

func TestNumbersAreNotGivenAgain(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		if last, err := s.LastRun(ctx); last != 0 || err != nil {
			t.Errorf("a new database: %d, %v", last, err)
		}
		if err := s.SkipTo(ctx, 40); err != nil {
			t.Fatal(err)
		}
		run := begin(t, s, newRun("/r", 1))
		if run.ID != 41 {
			t.Errorf("run %d", run.ID)
		}
		if err := s.SkipTo(ctx, 7); err != nil {
			t.Fatal(err)
		}
		if last, err := s.LastRun(ctx); last != 41 || err != nil {
			t.Errorf("%d, %v", last, err)
		}
		if run := begin(t, s, newRun("/r", 1)); run.ID != 42 {
			t.Errorf("run %d", run.ID)
		}
	})
}
