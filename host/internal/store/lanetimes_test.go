package store

import (
	"fmt"
	"testing"
	"time"
)

// TestLaneTimes: what lanes took is the middle of the runs that passed lately, of this repository alone.
func TestLaneTimes(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) { laneTimes(t, on.fresh(t)) })
}

func laneTimes(t *testing.T, s *Store) {
	t.Helper()
	ran := func(repo string, state State, cached int64, took time.Duration) {
		t.Helper()
		at := time.Now()
		run := begin(t, s, NewRun{RepoKey: repo, RepoName: repo, Gate: "pre-push", At: at,
			Updates: []Update{{Ref: "refs/heads/b", New: "c1"}}, Lanes: []NewLane{{Lane: "test", Picked: true}}})
		id := run.Lanes[0].ID
		record(t, s, run.ID, Move{LaneRun: id, From: Queued, To: Starting, At: at},
			Move{LaneRun: id, From: Starting, To: Running, At: at}, Facts{LaneRun: id, CachedFrom: cached},
			Result{LaneRun: id, State: state, At: at.Add(took)},
			End{State: Passed, At: at.Add(took)})
	}
	for _, seconds := range []time.Duration{40, 42, 90} {
		ran("/r", Passed, 0, seconds*time.Second)
	}
	ran("/r", Failed, 0, time.Second)
	ran("/r", Passed, 1, time.Millisecond)
	ran("/other", Passed, 0, time.Hour)
	got, err := s.LaneTimes(t.Context(), "/r")
	if err != nil || fmt.Sprint(got) != "map[test:42s]" {
		t.Errorf("got %v, %v", got, err)
	}
}
