package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/runjson"
)

// runOn is a run of refs/heads/b at a commit: "lane state" or "lane! state" for a required one.
func runOn(number int64, state, commit string, lanes ...string) runjson.Run {
	r := runjson.Run{Number: number, State: state, Updates: []runjson.Update{{Ref: "refs/heads/other", New: commit},
		{Ref: "refs/heads/b", New: commit}}}
	r.LaneRuns = append(r.LaneRuns, runjson.LaneRun{Lane: "test", State: "broken", Required: true}) // of the other ref
	for _, l := range lanes {
		name, state, _ := strings.Cut(l, " ")
		r.LaneRuns = append(r.LaneRuns, runjson.LaneRun{Lane: strings.TrimSuffix(name, "!"), State: state, Update: 1,
			Required: strings.HasSuffix(name, "!")})
	}
	return r
}

// TestHeadOf: a branch is what all runs of its commit say, of each lane the newest.
func TestHeadOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		runs []runjson.Run // the newest first
		want string
	}{
		"no run":            {nil, "unknown  #0 exit 3"},
		"of another commit": {[]runjson.Run{runOn(1, "passed", "c0", "test! passed")}, "unknown  #0 exit 3"},
		"passed":            {[]runjson.Run{runOn(1, "passed", "c1", "test! passed")}, "passed  #1 exit 0"},
		"an optional no":    {[]runjson.Run{runOn(1, "passed", "c1", "test! passed", "style failed")}, "passed  #1 exit 0"},
		"the gate said no, what comes after passed": {[]runjson.Run{runOn(2, "passed", "c1", "bench! passed"),
			runOn(1, "failed", "c1", "test! failed")}, "failed test #2 exit 1"},
		"it passed again": {[]runjson.Run{runOn(2, "passed", "c1", "test! passed"),
			runOn(1, "failed", "c1", "test! failed", "vet! passed")}, "passed  #2 exit 0"},
		"a later attempt": {[]runjson.Run{runOn(1, "passed", "c1", "test! broken", "test! passed")}, "passed  #1 exit 0"},
		"under way":       {[]runjson.Run{runOn(1, "running", "c1", "test! running", "vet! broken")}, "running  #1 exit 3"},
		"lost already":    {[]runjson.Run{runOn(1, "running", "c1", "test! running", "vet! failed")}, "failed vet #1 exit 1"},
		"broken": {[]runjson.Run{
			runOn(1, "broken", "c1", "vet! cancelled", "test! broken")}, "broken test #1 exit 3"},
		"cancelled": {[]runjson.Run{runOn(1, "cancelled", "c1", "vet! cancelled")}, "cancelled vet #1 exit 3"},
		"no lane":   {[]runjson.Run{runOn(1, "passed", "c1")}, "passed  #1 exit 0"},
	} {
		h := HeadOf(c.runs, "refs/heads/b", "c1")
		if got := fmt.Sprintf("%s %s #%d exit %d", h.State, h.Lane, h.Run, h.Exit()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	two := []runjson.Run{runOn(2, "passed", "c2"), runOn(1, "failed", "c1", "test! failed")}
	if h := HeadOf(two, "refs/heads/b", ""); h.Commit != "c2" || h.State != "passed" {
		t.Errorf("of no commit: %+v", h)
	}
}
