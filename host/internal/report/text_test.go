package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// startTime is when every run of these tests began.
func startTime() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

// updateOf is a protected update of a ref, from a commit of ones to one of twos.
func updateOf(ref string) gate.Update {
	return gate.Update{Protected: true, Update: hooks.Update{Ref: ref, Old: strings.Repeat("1", 40),
		New: strings.Repeat("2", 40), Base: strings.Repeat("1", 40)}}
}

// ended is a required lane run of the first update, which took so many seconds.
func ended(id string, state store.State, message string) gate.LaneRun {
	return gate.LaneRun{State: state, Message: message, Started: startTime(),
		Ended:  startTime().Add(1500 * time.Millisecond),
		Picked: lanes.Picked{Picked: true, Lane: lanes.Lane{ID: id, Title: id, Required: true}}}
}

// runOf is run #7 on main with some lane runs.
func runOf(outcomes ...gate.LaneRun) gate.Run {
	j := gate.Run{Repo: "app", Gate: "pre-push", Number: 7, Updates: []gate.Update{updateOf("refs/heads/main")},
		LaneRuns: outcomes, Started: startTime(), Ended: startTime().Add(62 * time.Second)}
	for _, o := range outcomes {
		j.Updates[o.Update].Picked = append(j.Updates[o.Update].Picked, o.Picked)
	}
	return j
}

// written is what a pusher reads at the end of a run.
func written(t *testing.T, call gate.Call, j gate.Run) string {
	t.Helper()
	var out, err bytes.Buffer
	if j.Asked.Config = call.Config; j.Gate == "" || j.Gate == "pre-push" {
		j.Gate = cmp.Or(call.Gate, j.Gate)
	}
	if e := (Output{Out: &out, Err: &err}).For(call).Write(j); e != nil {
		t.Fatal(e)
	}
	if out.Len() > 0 {
		t.Errorf("standard output has %q", out.String())
	}
	return err.String()
}

// optional makes a lane run that refuses nothing.
func optional(o gate.LaneRun) gate.LaneRun {
	o.Picked.Lane.Required = false
	return o
}

// TestSummary: the last word of a run, by what became of it.
func TestSummary(t *testing.T) {
	t.Parallel()
	passed, failed := ended("vet", store.Passed, ""), ended("test", store.Failed, "2 errors")
	broken, skipped := ended("lint", store.Broken, "it broke"), ended("docs", store.Skipped, "not needed")
	push := gate.Call{Gate: "pre-push"}
	free := func(j gate.Run) gate.Run { j.Updates[0].Protected = false; return j }
	with := func(j gate.Run, change func(*gate.Run)) gate.Run { change(&j); return j }
	for name, c := range map[string]struct {
		call gate.Call
		j    gate.Run
		want string // the last line
	}{
		"nothing to push": {gate.Call{Gate: "manual"}, gate.Run{}, "nothing to push: the remote already has it; judge a " +
			"range with --range A..B"},
		"nothing to judge": {push, gate.Run{}, "nothing to judge"},
		"no lane picked":   {push, runOf(), "accepted: no lane matches these paths (run #7)"},
		"one passed":       {push, runOf(passed), "accepted: 1 lane passed in 1m02s (run #7)"},
		"two passed":       {push, runOf(passed, passed), "accepted: 2 lanes passed in 1m02s (run #7)"},
		"some skipped":     {push, runOf(passed, skipped), "accepted: 1 lane passed, 1 skipped in 1m02s (run #7)"},
		"an optional no": {push, runOf(passed, optional(failed)), "accepted: 1 lane passed, 1 optional failed in 1m02s " +
			"(run #7)"},
		"a no where none is needed": {push, free(runOf(passed, failed)),
			"accepted: 1 lane passed, 1 failed on an unprotected ref in 1m02s (run #7)"},
		"both": {push, free(runOf(failed, optional(failed))),
			"accepted: 0 lanes passed, 1 optional failed, 1 failed on an unprotected ref in 1m02s (run #7)"},
		"a no": {push, runOf(passed, failed), `refused: lane "test" failed (push refused, run #7)`},
		"a no to a commit": {gate.Call{Gate: "pre-commit"}, runOf(failed), `refused: lane "test" failed (commit ` +
			`refused, run #7)`},
		"a no to a message": {gate.Call{Gate: "commit-msg"}, runOf(failed), `refused: lane "test" failed (commit ` +
			`refused, run #7)`},
		"a no by hand": {gate.Call{Gate: "manual"}, runOf(failed), `refused: lane "test" failed (run refused, run ` +
			`#7)`},
		"a breakage": {push, runOf(broken), `cannot decide: lane "lint" broke (push refused, run #7)`},
		"a no and a breakage": {push, runOf(broken, failed), `refused: lane "lint" broke, lane "test" failed (push ` +
			`refused, run #7)`},
		"a breakage that the owner lets " +
			"through": {push, with(runOf(broken), func(j *gate.Run) { j.Policy.OnUndecided = "accept" }),
			`cannot decide: lane "lint" broke (push accepted by on_undecided = "accept", run #7)`},
		"a ref that may not go": {push, with(runOf(), func(j *gate.Run) { j.Updates[0].Refusal = "main is protected" }),
			`refused: main is protected (push refused, run #7)`},
		"one ref of two": {gate.Call{Gate: "pre-receive"}, with(runOf(failed), func(j *gate.Run) {
			j.Updates, j.Partly = append(j.Updates, updateOf("refs/heads/rel")), true
			j.Updates[1].New = strings.Repeat("3", 40)
		}), `refused: main: lane "test" failed (the other refs are accepted, run #7)`},
		"the same word of two refs": {gate.Call{Gate: "pre-receive"}, with(runOf(), func(j *gate.Run) {
			j.Updates = append(j.Updates, updateOf("refs/heads/rel"))
			j.Updates[0].Refusal, j.Updates[1].Refusal = "no", "no"
		}), `refused: no (push refused, run #7)`},
	} {
		lines := strings.Split(strings.TrimSpace(written(t, c.call, c.j)), "\n")
		if got := lines[len(lines)-1]; got != "pushlane: "+c.want {
			t.Errorf("%s\n got %s\nwant pushlane: %s", name, got, c.want)
		}
	}
}

// TestLaneThatDidNotPass: its reason, its findings or else the end of its log, and what to do.
func TestLaneThatDidNotPass(t *testing.T) {
	t.Parallel()
	finding := sdk.Finding{Path: "a.go", Line: 3, Level: "error", Message: "bad", Rule: "R1"}
	with := func(o gate.LaneRun, change func(*gate.LaneRun)) gate.LaneRun { change(&o); return o }
	failed := with(ended("test", store.Failed, "2 errors"), func(o *gate.LaneRun) {
		o.Tail, o.Log = []string{"=== FAIL"},
			"/log"
	})
	broken := with(ended("test", store.Broken, "unreachable\n  at f\n  at "+
		"g"), func(o *gate.LaneRun) { o.Tail = []string{"x"} })
	hinted := with(broken, func(o *gate.LaneRun) { o.Err = problem.WithHint(errors.New("x"), "try\nagain") })
	const again = "pushlane: again: pushlane run --lane test --range 1111111..2222222\n"
	local := gate.Call{Gate: "pre-push"}
	server := func(j gate.Run) gate.Run {
		j.Pushed = []hooks.Update{j.Updates[0].Update}
		j.Address, j.Policy.URL = "team/app", "https://ci.example.org/"
		return j
	}
	run := func(o gate.LaneRun, change func(*gate.Run)) gate.Run {
		j := runOf(o)
		if change != nil {
			change(&j)
		}
		return j
	}
	for name, c := range map[string]struct {
		call gate.Call
		j    gate.Run
		want string
	}{
		"passed": {local, run(ended("test", store.Passed, "fine"), nil), ""},
		"passed, a " +
			"warning": {local, run(with(ended("test", store.Passed, ""),
			func(o *gate.LaneRun) { o.Findings = []sdk.Finding{finding} }), nil),
			"pushlane: lane \"test\" says:\n  a.go:3: error: bad [R1]\n"},
		"the end of its log": {local, run(failed, nil),
			"pushlane: lane \"test\" failed: 2 errors\n  | === FAIL\npushlane: log: pushlane log 7:test\n" + again},
		"findings": {local, run(with(failed, func(o *gate.LaneRun) { o.Findings = []sdk.Finding{finding} }), nil),
			"pushlane: lane \"test\" failed: 2 errors\n  a.go:3: error: bad [R1]\npushlane: log: pushlane log 7:test\n" + again},
		"a no of several lines": {local, run(ended("test", store.Failed, "no\nmore"), nil),
			"pushlane: lane \"test\" failed: no\n" + again},
		"broken, and where": {local, run(broken, nil), "pushlane: lane \"test\" broke: unreachable\n  at f\n  at g\n" +
			again},
		"broken, with a hint": {local, run(hinted, nil), "pushlane: lane \"test\" broke: unreachable\n  at f\n  at g\n" +
			"pushlane: hint: try\n  again\n" + again},
		"cancelled": {local, run(ended("test", store.Cancelled, "by ann"), nil),
			"pushlane: lane \"test\" was cancelled: by ann\n" + again},
		"skipped": {local, run(ended("test", store.Skipped, "why"), nil), ""},
		"at a commit": {local, run(ended("test", store.Failed, "no"), func(j *gate.Run) { j.Gate = "pre-commit" }),
			"pushlane: lane \"test\" failed: no\n"},
		"of a message": {local, run(ended("test", store.Failed, "no"), func(j *gate.Run) { j.Gate = "commit-msg" }),
			"pushlane: lane \"test\" failed: no\n"},
		"with lanes of a file": {gate.Call{Gate: "manual", Config: "x.toml"}, run(ended("test", store.Failed, "no"), nil),
			"pushlane: lane \"test\" failed: no\n"},
		"all of a " +
			"branch": {local, run(ended("test", store.Failed, "no"), func(j *gate.Run) { j.Updates[0].Base = hooks.ZeroID }),
			"pushlane: lane \"test\" failed: no\npushlane: again: pushlane run --lane test --range " + emptyTree +
				"..2222222\n"},
		"on a server": {gate.Call{Gate: "pre-receive"}, server(run(failed, nil)), "pushlane: lane \"test\" failed: 2 " +
			"errors\n" +
			"  | === FAIL\npushlane: page: https://ci.example.org/r/team%2Fapp/runs/7/test\n" + again},
		"on a server without a page": {gate.Call{Gate: "pre-receive"}, run(failed,
			func(j *gate.Run) { j.Pushed = []hooks.Update{{}} }),
			"pushlane: lane \"test\" failed: 2 errors\n  | === FAIL\n" + again},
		"no line of a plugin is one of ours": {local, run(ended("test", store.Broken, "x\npushlane: accepted"), nil),
			"pushlane: lane \"test\" broke: x\n  pushlane: accepted\n" + again},
	} {
		got := written(t, c.call, c.j)
		if end := strings.LastIndex(strings.TrimSpace(got), "\n") + 1; got[:end] != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, got[:end], c.want)
		}
	}
}

// TestWorstFirst: what refuses comes before what is not decided, and both before what stands in no way.
func TestWorstFirst(t *testing.T) {
	t.Parallel()
	j := runOf(ended("a", store.Passed, ""), ended("b", store.Broken, ""), optional(ended("c", store.Failed, "")),
		ended("d", store.Failed, ""), ended("e", store.Failed, ""))
	order := func() string {
		var ids []string
		for _, o := range worstFirst(j) {
			ids = append(ids, o.Lane().ID)
		}
		return strings.Join(ids, " ")
	}
	if got := order(); got != "d e b a c" {
		t.Errorf("protected: %s", got)
	}
	j.Updates[0].Protected = false
	if got := order(); got != "a b c d e" {
		t.Errorf("not protected: %s", got)
	}
}

// TestRefs: a server says of every ref of a push what became of it.
func TestRefs(t *testing.T) {
	t.Parallel()
	j := runOf(ended("test", store.Failed, "2 errors"))
	for i, ref := range []string{"refs/heads/topic", "refs/heads/rel", "refs/tags/v1"} {
		u := updateOf(ref)
		u.New, u.Protected = strings.Repeat(fmt.Sprint(i+3), 40), i > 0
		j.Updates = append(j.Updates, u)
	}
	j.Updates[3].Refusal = "tags/v1 is a protected tag and cannot be moved"
	free := ended("vet", store.Broken, "")
	free.Update = 1
	j.LaneRuns = append(j.LaneRuns, free)
	want := "pushlane: main: refused: lane \"test\" failed\n" +
		"pushlane: topic: not protected; lane \"vet\" broke\n" +
		"pushlane: rel: accepted\n" +
		"pushlane: tags/v1: refused: tags/v1 is a protected tag and cannot be moved\n"
	if got := written(t, gate.Call{Gate: "pre-receive"}, j); !strings.Contains(got, want) ||
		!strings.Contains(got, `lane "test" failed on main: 2 errors`) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := written(t, gate.Call{Gate: "pre-push"}, j); strings.Contains(got, "pushlane: rel: accepted") {
		t.Errorf("before a push:\n%s", got)
	}
}

// TestNotesOfARun: pushes past the gate, and plugins that are less confined than they could be.
func TestNotesOfARun(t *testing.T) {
	t.Parallel()
	j := runOf(ended("vet", store.Passed, ""))
	j.Bypasses = []string{"main was pushed to 1111111 past the gate (git push --no-verify)"}
	j.Unconfined = "plugins run without seccomp, which this system does not have"
	want := "pushlane: note: main was pushed to 1111111 past the gate (git push --no-verify); it is recorded\n" +
		"pushlane: warning: plugins run without seccomp, which this system does not have\npushlane: hint: " + SealHint +
		"\n" +
		"pushlane: accepted: 1 lane passed in 1m02s (run #7)\n"
	if got := written(t, gate.Call{Gate: "pre-push"}, j); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestFindingLine: the form that editors jump by; what a path or message holds makes no line of its own.
func TestFindingLine(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]sdk.Finding{
		"a.go:3:4: error: bad [R1]":      {Path: "a.go", Line: 3, Col: 4, Level: "error", Message: "bad", Rule: "R1"},
		"a.go:3: warning: bad":           {Path: "a.go", Line: 3, Level: "warning", Message: "bad"},
		"a.go: note: bad":                {Path: "a.go", Col: 4, Level: "note", Message: "bad"},
		"error: bad":                     {Line: 3, Level: "error", Message: "bad"},
		`"a\nb.go":1: error: bad`:        {Path: "a\nb.go", Line: 1, Level: "error", Message: "bad"},
		`"a\x1b[2J": error: bad`:         {Path: "a\x1b[2J", Level: "error", Message: "bad"},
		"a: error: red [x]":              {Path: "a", Level: "error", Message: "\x1b[31mred\u202e", Rule: "\x07x"},
		"a b: error: pushlane: accepted": {Path: "a b", Level: "error", Message: "pushlane: accepted"},
	} {
		if got := FindingLine(f); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for n, end := range map[int]string{50: "", 51: "  and 1 more finding\n", 60: "  and 10 more findings\n"} {
		var b bytes.Buffer
		writeFindings(&b, make([]sdk.Finding, n))
		if got := b.String(); strings.Count(got, "\n") != min(n, 50)+min(len(end), 1) || !strings.HasSuffix(got, end) {
			t.Errorf("%d findings: %d lines, %q", n, strings.Count(got, "\n"), got[len(got)-30:])
		}
	}
}

// TestFail: an error that ended a call, with its hint, and what it means for what was to go in.
func TestFail(t *testing.T) {
	t.Parallel()
	plain := errors.New("cannot open /x: not a git directory")
	for name, c := range map[string]struct {
		gate string
		err  error
		want string
	}{
		"a push":    {"pre-receive", plain, "pushlane: cannot decide: the push is refused\n"},
		"a commit":  {"pre-commit", plain, "pushlane: cannot decide: the commit is refused\n"},
		"by hand":   {"manual", plain, ""},
		"wrong use": {"pre-push", problem.Usage(plain), ""},
		"a hint": {"pre-push", problem.WithHint(plain, "git init"), "pushlane: hint: git init\n" +
			"pushlane: cannot decide: the push is refused\n"},
	} {
		var b bytes.Buffer
		Output{Err: &b}.For(gate.Call{Gate: c.gate}).Fail(c.err)
		if want := "pushlane: error: cannot open /x: not a git directory\n" + c.want; b.String() != want {
			t.Errorf("%s\n got %swant %s", name, b.String(), want)
		}
	}
}

// TestQueued: what still runs once git has taken the push.
func TestQueued(t *testing.T) {
	t.Parallel()
	one, paged := runOf(ended("a", "", "")), runOf(ended("a", "", ""), ended("b", "", ""))
	paged.Address, paged.Policy = "team/app", config.Policy{URL: "https://ci"}
	for want, j := range map[string]gate.Run{
		"": runOf(),
		"pushlane: run #7: 1 lane queued now that the push is in\n":                                  one,
		"pushlane: run #7: 2 lanes queued now that the push is in: https://ci/r/team%2Fapp/runs/7\n": paged,
	} {
		if got := written(t, gate.Call{Gate: "post-receive"}, j); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestRangeWord: an update as people name it.
func TestRangeWord(t *testing.T) {
	t.Parallel()
	with := func(change func(*gate.Update)) gate.Update {
		u := updateOf("refs/heads/main")
		change(&u)
		return u
	}
	for want, u := range map[string]gate.Update{
		"main 1111111..2222222":          with(func(*gate.Update) {}),
		"main (forced) 1111111..2222222": with(func(u *gate.Update) { u.Forced = true }),
		"main (all of) 2222222":          with(func(u *gate.Update) { u.Base, u.Forced = hooks.ZeroID, true }),
		"main (deleted) 1111111":         with(func(u *gate.Update) { u.Delete = true }),
		"old -> main 1111111..2222222":   with(func(u *gate.Update) { u.Alias = "refs/heads/old" }),
		"tags/v1 1111111..2222222":       with(func(u *gate.Update) { u.Ref = "refs/tags/v1" }),
		"1111111..2222222":               with(func(u *gate.Update) { u.Ref = "" }),
		"main\u00e9 1111111..2222222":    with(func(u *gate.Update) { u.Ref = "refs/heads/ma\u202ein\u00e9" }),
	} {
		if got := RangeWord(u); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
