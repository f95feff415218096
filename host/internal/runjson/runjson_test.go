package runjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/runjson/runjsontest"
	"github.com/pushlane/pushlane/host/internal/store"
)

const commit = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"

func encode(t *testing.T, run runjson.Run) []byte {
	t.Helper()
	data, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))
	d := store.Detail{Run: store.Run{ID: 9, Number: 7, RepoName: "app", Gate: "pre-receive", State: store.Failed,
		Exit:   1,
		Queued: at, Started: at.Add(time.Second), Ended: at.Add(3 * time.Second), Total: 1,
		Updates: []store.Update{{Ref: "refs/heads/main", Old: commit, New: commit, Base: commit, Protected: true}},
		Lanes: []store.LaneRun{
			{ID: 3, Lane: "test", Title: "Test", Attempt: 1, State: store.Broken, Plugin: "shell", Required: true,
				Queued: at,
				Log:    store.File{Path: "/state/log", Size: 5, SHA256: "aa"}},
			{ID: 4, Lane: "test", Title: "Test", Attempt: 2, State: store.Failed, Plugin: "shell", Required: true,
				CachedFrom: 2}}},
		Findings: []store.Finding{{LaneRun: 4, Path: "a.go", Line: 7, Level: "error", Message: "bad"}},
		Artifacts: []store.Artifact{{LaneRun: 3, File: store.File{Name: "out", Path: "/state/out", Size: 1,
			SHA256: "bb"}}},
		Events: []store.Event{{Seq: 1, Lane: "docs", Kind: "not picked", At: at, Message: "no path"}}, Found: 1,
		Happened: 1}
	run := runjsontest.Check(t, encode(t, runjson.Of(d)))
	if run.Counts != (runjson.Counts{Updates: 1, Lanes: 1, LaneRuns: 2, Findings: 1, Events: 1}) ||
		*run.QueuedMS != 1000 || *run.DurationMS != 2000 || run.Events[0].Kind != "not_picked" ||
		run.LaneRuns[1].Address != "app@a94a8fe:test" ||
		run.LaneRuns[1].CachedFrom != 2 || len(run.LaneRuns[0].Findings) != 0 || len(run.LaneRuns[1].Findings) != 1 {
		t.Errorf("got %+v", run)
	}
	if text := string(encode(t, run)); strings.Contains(text, "/state/") ||
		!strings.Contains(text, `"queued":"2026-01-02T02:04:05.006Z"`) {
		t.Errorf("folders of this machine, or times that are not UTC: %s", text)
	}
	local := runjson.Of(d).WithPaths(d)
	if local.LaneRuns[0].Log.Path != "/state/log" || local.LaneRuns[0].Artifacts[0].Path != "/state/out" {
		t.Errorf("got %+v", local.LaneRuns[0])
	}
	runjsontest.Check(t, encode(t, local))
}

func TestNothing(t *testing.T) {
	t.Parallel()
	runjsontest.Check(t, encode(t, runjson.Nothing("app", "manual")))
}

// A run of more than anyone reads is cut where it is one of many, and its counts
// say so.
func TestBounded(t *testing.T) {
	t.Parallel()
	d := store.Detail{Run: store.Run{RepoName: "app", Gate: "pre-push", State: store.Failed,
		Message: strings.Repeat("ä", 5000)}, Found: 1000, Happened: 1000}
	for i := range 1000 {
		d.Run.Updates = append(d.Run.Updates, store.Update{Ref: strings.Repeat("r", 4000), New: commit})
		d.Run.Lanes = append(d.Run.Lanes, store.LaneRun{ID: int64(i + 1), Lane: fmt.Sprint("l", i), Attempt: 1,
			State: store.Failed, Message: strings.Repeat("\xff", 9000), Reason: strings.Repeat("p", 9000)})
		d.Findings = append(d.Findings, store.Finding{LaneRun: 2, Message: strings.Repeat("m", 9000), Level: "error",
			Path: strings.Repeat("p", 9000)})
		d.Events = append(d.Events, store.Event{Seq: int64(i + 1), Kind: "k", At: time.Now(),
			Message: strings.Repeat("e", 9000)})
	}
	data := encode(t, runjson.Of(d).Bounded())
	run := runjsontest.Check(t, data)
	if run.Counts.Updates != 1000 || run.Counts.LaneRuns != 1000 || run.Counts.Findings != 1000 ||
		len(run.Updates) != runjson.MaxListed || len(run.LaneRuns) != runjson.MaxListed ||
		len(run.Events) != runjson.MaxListed || len(run.LaneRuns[1].Findings) != runjson.MaxFindings {
		t.Errorf("got %+v, %d, %d, %d", run.Counts, len(run.Updates), len(run.LaneRuns), len(run.Events))
	}
	if len(data) > 2<<20 {
		t.Errorf("%d bytes", len(data))
	}
	if strings.ToValidUTF8(run.Message, "?") != run.Message || !strings.HasSuffix(run.Message, "ä...") {
		t.Errorf("cut within a character: %q", run.Message[len(run.Message)-8:])
	}
}
