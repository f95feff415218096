package lanerun

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/sdk"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		output, stdout string
		findings       []sdk.Finding
		verdict        string
		err            string // part of it
	}{
		"records": {"jsonl", `{"type":"finding","finding":{"path":"a.go","line":3,"level":"error","message":"left over"}}` +
			"\n\n" +
			`{"type":"verdict","verdict":"fail","message":"no"}` + "\n",
			[]sdk.Finding{{Path: "a.go", Line: 3, Level: "error", Message: "left over"}}, "fail", ""},
		"garbage is no empty answer": {"jsonl", "hello\n", nil, "",
			"line 1 of standard output is not a record: want an object, found \"h\" at byte 0: hello"},
		"an unknown type": {"jsonl", `{"type":"nonesuch"}`, nil, "", `unknown record type "nonesuch"`},
		"two verdicts": {"jsonl", `{"type":"verdict","verdict":"pass"}` + "\n" +
			`{"type":"verdict","verdict":"pass"}`, nil, "", "a second verdict"},
		"a verdict nobody knows": {"jsonl", `{"type":"verdict","verdict":"maybe"}`, nil, "", "without its value"},
		"a finding outside the tree": {"jsonl",
			`{"type":"finding","finding":{"path":"../x","level":"error","message":"m"}}`, nil, "", `a finding at "../x"`},
		"a finding of a level nobody knows": {"jsonl", `{"type":"finding","finding":{"level":"fatal","message":"m"}}`, nil,
			"", `"fatal"`},
		"escapes in a message are cleaned": {"jsonl",
			`{"type":"finding","finding":{"level":"note","message":"\u001b[31mred"}}`,
			[]sdk.Finding{{Level: "note", Message: "red"}}, "", ""},
		"gnu lines": {"gnu", "/src/a.c:3:5: warning: unused\nsome talk\nb.c:7: broken\nc.c:1: info: hm\n",
			[]sdk.Finding{{Path: "a.c", Line: 3, Col: 5, Level: "warning", Message: "unused"},
				{Path: "b.c", Line: 7, Level: "error", Message: "broken"}, {Path: "c.c", Line: 1, Level: "note", Message: "hm"}},
			"", ""},
		"text says nothing": {"text", "whatever\n", nil, "", ""},
		"sarif": {"sarif",
			`{"version":"2.1.0","runs":[{"results":[{"ruleId":"R1","message":{"text":"bad"},"locations":[{"physicalLocation":` +
				`{"artifactLocation":{"uri":"a%20b.go"},"region":{"startLine":2,"startColumn":4}}}]}]}]}`,
			[]sdk.Finding{{Path: "a b.go", Line: 2, Col: 4, Level: "warning", Rule: "R1", Message: "bad"}}, "", ""},
		"sarif that is none":     {"sarif", "{", nil, "", "standard output is not SARIF"},
		"an output nobody knows": {"xml", "", nil, "", `unknown output "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadResult(c.output, []byte(c.stdout), 100)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Findings, c.findings) || got.Verdict != c.verdict {
				t.Errorf("got %+v %q, want %+v %q", got.Findings, got.Verdict, c.findings, c.verdict)
			}
		})
	}
}

func TestReadAnswerCountsFindings(t *testing.T) {
	t.Parallel()
	line := `{"type":"finding","finding":{"level":"note","message":"m"}}` + "\n"
	said, err := ReadResult("jsonl", []byte(strings.Repeat(line, 11)), 10)
	if err != nil || len(said.Findings) != 10 || said.shown() != "11 findings, the first 10 are shown" {
		t.Errorf("%d findings, %q, %v", len(said.Findings), said.shown(), err)
	}
}

// What a tool prints besides its findings is its user's to read.
func TestReadAnswerKeepsTalk(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{"text": "a.c:1: bad\nwhy\n", "gnu": "why\n"} {
		said, err := ReadResult(output, []byte("a.c:1: bad\nwhy\n"), 10)
		if err != nil || string(said.Talk) != want {
			t.Errorf("%s: talk is %q, want %q, %v", output, said.Talk, want, err)
		}
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	breakage := errors.New("cannot launch")
	for name, c := range map[string]struct {
		ctx     context.Context
		said    Result
		exit    int
		err     error
		state   store.State
		message string
	}{
		"exit 0 passes": {said: Result{}, state: store.Passed},
		"exit 1 fails with its reason": {said: Result{Verdict: "fail", Reason: "2 tests"}, exit: 1,
			state: store.Failed, message: "2 tests"},
		"exit 1 without a word counts errors": {said: Result{Findings: []sdk.Finding{{Level: "error"}, {Level: "note"}},
			total: 2, errors: 1}, exit: 1, state: store.Failed, message: "1 error"},
		"more findings than are shown": {said: Result{Findings: make([]sdk.Finding, 2), total: 9, errors: 8}, exit: 1,
			state: store.Failed, message: "8 errors; 9 findings, the first 2 are shown"},
		"exit 1 of a tool without a finding": {said: Result{places: true}, exit: 1, state: store.Failed,
			message: "exit status 1 without a finding: it failed or could not run; its output is in the log"},
		"exit 1 without anything": {exit: 1, state: store.Failed, message: "the plugin refused"},
		"skip": {said: Result{Verdict: "skip", Reason: "no Go here"}, state: store.Skipped,
			message: "no Go here"},
		"says pass, exits 1": {said: Result{Verdict: "pass"}, exit: 1, state: store.Broken,
			message: `the plugin contradicts itself: it says "pass" and exits with status 1`},
		"says fail, exits 0": {said: Result{Verdict: "fail"}, state: store.Broken,
			message: `the plugin contradicts itself: it says "fail" and exits with status 0`},
		"a breakage is broken, not failed": {exit: 1, err: breakage, state: store.Broken, message: "cannot launch"},
		"a breakage after a cancel":        {ctx: cancelled, err: breakage, state: store.Cancelled, message: "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			var o gate.LaneRun
			settle(c.ctx, &o, c.said, c.exit, c.err)
			if o.State != c.state || o.Message != c.message {
				t.Errorf("got %s %q, want %s %q", o.State, o.Message, c.state, c.message)
			}
		})
	}
}
