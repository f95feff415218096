package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/sarif"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// judged is a run of one update with a lane run in each of the states.
func judged(states ...store.State) gate.Run {
	set := &lanes.Set{Source: ".pushlane/lanes.toml"}
	j := gate.Run{Repo: "app", Gate: "pre-push", Number: 7, Started: began, Ended: began.Add(2 * time.Second),
		Updates: []gate.Update{{Update: hooks.Update{Ref: "refs/heads/main", New: strings.Repeat("5", 40)},
			LanesFile: gate.LanesFile{Set: set, Rev: "abc"}}}}
	for i, state := range states {
		j.LaneRuns = append(j.LaneRuns, gate.LaneRun{State: state, Message: "what became of it", Started: began,
			Ended: began.Add(1500 * time.Millisecond), Picked: lanes.Picked{Path: "src/a.c",
				Lane: lanes.Lane{ID: string(state), Line: 10 + i}}})
	}
	return j
}

func sarifOf(t *testing.T, j gate.Run) sarif.Log {
	t.Helper()
	var out bytes.Buffer
	if err := (Output{Out: &out, Version: "v1"}).For(gate.Call{Format: "sarif"}).Write(j); err != nil {
		t.Fatal(err)
	}
	var log sarif.Log
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

// Services refuse results without a place, and show faults of a tool apart from
// what it found.
func TestSARIF(t *testing.T) {
	t.Parallel()
	j := judged(store.Failed, store.Broken, store.Passed)
	j.LaneRuns[0].Findings = []sdk.Finding{{Path: "a b.c", Line: 3, Col: 4, Level: "error", Rule: "r1", Message: "bad"},
		{Level: "warning", Message: "the commit message"},
		{Path: "a b.c", Line: 9, Level: "error", Rule: "r1", Message: "bad"}}
	log := sarifOf(t, j)
	failed, broken, passed := log.Runs[0], log.Runs[1], log.Runs[2]
	if len(failed.Results) != 3 || len(broken.Results) != 0 || len(passed.Results) != 0 {
		t.Fatalf("got %+v", log)
	}
	place := func(r sarif.Result) (string, sarif.Region) {
		return r.Locations[0].Physical.Artifact.URI, *r.Locations[0].Physical.Region
	}
	if uri, at := place(failed.Results[0]); uri != "a%20b.c" || at != (sarif.Region{StartLine: 3, StartColumn: 4}) {
		t.Errorf("got %s %+v", uri, at)
	}
	if uri, at := place(failed.Results[1]); uri != ".pushlane/lanes.toml" || at != (sarif.Region{StartLine: 10}) {
		t.Errorf("got %s %+v", uri, at)
	}
	rules := failed.Tool.Driver.Rules
	if len(rules) != 2 || rules[failed.Results[2].RuleIndex].ID != "r1" ||
		rules[failed.Results[1].RuleIndex].ID != "failed" ||
		failed.Tool.Driver.Version != "v1" {
		t.Errorf("got %+v", failed.Tool)
	}
	first, again := failed.Results[0].Fingerprints["pushlane/v1"], failed.Results[2].Fingerprints["pushlane/v1"]
	j.LaneRuns[0].Findings[0].Line = 300
	j.Updates[0].New = strings.Repeat("6", 40)
	moved := sarifOf(t, j).Runs[0]
	if first == again || len(first) != 32 || moved.Results[0].Fingerprints["pushlane/v1"] != first ||
		moved.AutomationDetails.ID != "pushlane/failed/" || failed.AutomationDetails.ID != "pushlane/failed/" {
		t.Errorf("%s and %s, moved %+v", first, again, moved)
	}
	if call := broken.Invocations[0]; call.Successful || call.Notifications[0].Message.Text != "what became of it" ||
		call.Start != "2026-01-02T03:04:05.000Z" || !passed.Invocations[0].Successful {
		t.Errorf("got %+v", call)
	}
}

func TestSARIFWithoutFindings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*gate.Run)
		uri    string
	}{
		"at its lane":             {func(*gate.Run) {}, ".pushlane/lanes.toml"},
		"of the host's own lanes": {func(j *gate.Run) { j.Updates[0].Rev = "" }, "src/a.c"},
		"picked by no path":       {func(j *gate.Run) { j.Updates[0].Rev, j.LaneRuns[0].Picked.Path = "", "" }, "."},
	} {
		j := judged(store.Failed)
		test.change(&j)
		r := sarifOf(t, j).Runs[0].Results
		if len(r) != 1 || r[0].Locations[0].Physical.Artifact.URI != test.uri || r[0].Message.Text != "what became of it" {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

// Two refs of one push are compared each with its own past.
func TestSARIFOfSeveralRefs(t *testing.T) {
	t.Parallel()
	j := judged(store.Failed, store.Failed)
	j.Updates = append(j.Updates, gate.Update{Update: hooks.Update{Ref: "refs/heads/b"}})
	j.LaneRuns[1].Update = 1
	log := sarifOf(t, j)
	a, b := log.Runs[0].AutomationDetails.ID, log.Runs[1].AutomationDetails.ID
	if a != "pushlane/failed/refs/heads/main/" ||
		b != "pushlane/failed/refs/heads/b/" {
		t.Errorf("got %s and %s", a, b)
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	j := judged(store.Passed, store.Failed, store.Broken, store.Cancelled, store.Skipped)
	j.LaneRuns[1].Message = "bad\x1b]0;title\a"
	var out bytes.Buffer
	if err := (Output{Out: &out}).For(gate.Call{Format: "junit"}).Write(j); err != nil {
		t.Fatal(err)
	}
	var s junitSuite
	if err := xml.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Tests != 5 || s.Failures != 1 || s.Errors != 2 || s.Skipped != 1 || s.Stamp != "2026-01-02T03:04:05" ||
		s.Time != "2.000" || s.Host == "" {
		t.Errorf("got %+v", s)
	}
	for _, c := range s.Cases {
		if c.Class != "app.pre-push" || c.Time != "1.500" {
			t.Errorf("got %+v", c)
		}
	}
	if f := s.Cases[1].Failure; f == nil || f.Type != "failed" || f.Message != "bad" || s.Cases[2].Error == nil ||
		s.Cases[3].Error == nil || s.Cases[4].Skipped == nil {
		t.Errorf("got %+v", s.Cases)
	}
}

// What a terminal would act on is written as numbers, and is the same value.
func TestIndentedIsHarmless(t *testing.T) {
	t.Parallel()
	const text = "a\x1b[31m\u009b\u202eb\u2028\t\U000e0001ä"
	var out bytes.Buffer
	if err := Indented(&out, []string{text}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b\u202e\u2028") {
		t.Errorf("got %q", out.String())
	}
	var back []string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back[0] != text {
		t.Errorf("got %q, %v", back, err)
	}
}
