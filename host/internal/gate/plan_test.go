package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
)

// planned is an update with a commit and picked lanes; change makes it another.
func planned(ref, commit string, lanesOf []string, change func(*Update)) Update {
	p := Update{Update: hooks.Update{Ref: ref, New: commit, Base: "base"}, Commit: commit, Protected: true,
		LanesFile: LanesFile{Rev: "rev"}}
	for _, id := range lanesOf {
		p.Picked = append(p.Picked, lanes.Picked{Picked: true, Lane: lanes.Lane{ID: id, Required: true}})
	}
	if change != nil {
		change(&p)
	}
	return p
}

// TestPlan: two refs share a lane run where nothing about their work differs and the plugin is not told the ref; the
// lanes of a refused update do not run, and say nothing about another.
func TestPlan(t *testing.T) {
	t.Parallel()
	both := func(change func(*Update)) []Update {
		return []Update{planned("a", "c1", []string{"x"}, nil), planned("b", "c1", []string{"x"}, change)}
	}
	const apart, refusedRun = "0:x, 1:x", "not run: the push is refused already"
	for name, c := range map[string]struct {
		updates []Update
		sees    bool // the plugin is told the ref
		perRef  bool
		skip    map[string]string
		want    string
	}{
		"one ref":                       {both(nil)[:1], false, false, nil, "0:x"},
		"two of one commit":             {both(nil), false, false, nil, "0:x"},
		"a plugin that is told the ref": {both(nil), true, false, nil, apart},
		"another commit":                {both(func(p *Update) { p.Commit = "c2" }), false, false, nil, apart},
		"another base":                  {both(func(p *Update) { p.Base = "b2" }), false, false, nil, apart},
		"another lanes file":            {both(func(p *Update) { p.Rev = "r2" }), false, false, nil, apart},
		"a file for a commit":           {both(func(p *Update) { p.Path = "f" }), false, false, nil, apart},
		"its own lanes":                 {both(func(p *Update) { p.Strict = true }), false, false, nil, apart},
		"one that is not protected":     {both(func(p *Update) { p.Protected = false }), false, false, nil, apart},
		"a tag of the same commit":      {both(func(p *Update) { p.New = "tag" }), false, false, nil, "0:x"},
		"lanes that were not picked": {both(func(p *Update) { p.Picked[0].Picked = false }), false, false, nil,
			"0:x"},
		"several lanes": {[]Update{planned("a", "c1", []string{"x"}, nil), planned("b", "c1", []string{"y", "x"},
			nil)},
			false,
			false, nil, "0:x, 1:y"},
		"one skipped": {both(nil), false, false, map[string]string{"x": "slow"}, "0:x skipped by the pusher: slow"},
		"all skipped": {both(nil), false, false, map[string]string{"all": "fire"}, "0:x skipped by the pusher: fire"},
		"one refused, and so is the push": {both(func(p *Update) { p.Refusal = "no"; p.Commit = "c2" }), false,
			false, nil,
			"0:x " + refusedRun + ", 1:x " + refusedRun},
		"one refused, each by itself": {both(func(p *Update) { p.Refusal = "no"; p.Commit = "c2" }), false, true, nil,
			"0:x, 1:x " + refusedRun},
		"the same work, the second refused": {both(func(p *Update) { p.Refusal = "no" }), false, true, nil, "0:x"},
		"the same work, the first refused": {[]Update{planned("a", "c1", []string{"x"},
			func(p *Update) { p.Refusal = "no" }),
			planned("b", "c1", []string{"x"}, nil)}, false, true, nil, "0:x " + refusedRun + ", 1:x"},
	} {
		j := &Run{Repo: "app", Updates: c.updates, PerRef: c.perRef, Options: pushOptions{skip: c.skip}}
		j.Plan(func(int, lanes.Lane) bool { return c.sees })
		var all []string
		for _, o := range j.LaneRuns {
			all = append(all, strings.TrimSuffix(fmt.Sprintf("%d:%s %s", o.Update, o.Lane().ID, o.Message), " "))
			if want := "app@" + c.updates[o.Update].New + ":" + o.Lane().ID; o.Address != want {
				t.Errorf("%s: address %s", name, o.Address)
			}
		}
		if got := strings.Join(all, ", "); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// TestWhoseVerdict: a lane run counts for every ref with its work that has none of its own for that lane.
func TestWhoseVerdict(t *testing.T) {
	t.Parallel()
	both := []Update{planned("a", "c1", []string{"x", "y"}, nil), planned("b", "c1", []string{"x", "y"}, nil)}
	run := func(update int, id string, state store.State) LaneRun {
		o := lane(id, state, "", true)
		o.Update = update
		return o
	}
	for name, c := range map[string]struct {
		outcomes []LaneRun
		want     string
	}{
		"shared":                      {[]LaneRun{run(0, "x", store.Failed)}, "1 1"},
		"each its own":                {[]LaneRun{run(0, "x", store.Failed), run(1, "x", store.Passed)}, "1 0"},
		"each its own, the other way": {[]LaneRun{run(0, "x", store.Passed), run(1, "x", store.Broken)}, "0 3"},
		"its own of one lane, and one that is shared": {[]LaneRun{run(0, "x", store.Passed), run(0, "y",
			store.Failed),
			run(1, "x", store.Passed)}, "1 1"},
	} {
		v := (&Run{Updates: both, LaneRuns: c.outcomes}).Verdicts()
		if got := fmt.Sprint(v.ExitOf(0), " ", v.ExitOf(1)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	not := planned("b", "c1", []string{"x"}, func(p *Update) { p.Picked[0].Picked = false })
	v := (&Run{Updates: []Update{both[0], not}, LaneRuns: []LaneRun{run(0, "x", store.Failed)}}).Verdicts()
	if v.ExitOf(0) != ExitRefuse || v.ExitOf(1) != ExitAccept {
		t.Errorf("a lane that the other ref does not ask for: %d, %d", v.ExitOf(0), v.ExitOf(1))
	}
}

// judged is a run of lane runs on one protected update.
func judged(outcomes ...LaneRun) *Run {
	return &Run{Updates: []Update{{Protected: true}}, LaneRuns: outcomes}
}

// lane is a lane run that ended so; needs are other lanes.
func lane(id string, state, blocked store.State, required bool, needs ...string) LaneRun {
	return LaneRun{State: state, Blocked: blocked, Message: "waited for it",
		Picked: lanes.Picked{Picked: true, Lane: lanes.Lane{ID: id, Required: required, Needs: needs}}}
}

// TestAgainst: what is said of a ref that does not go in, and the state of the run.
func TestAgainst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcomes []LaneRun
		against  string
		state    store.State
	}{
		"nothing":    {nil, "", store.Passed},
		"passed":     {[]LaneRun{lane("a", store.Passed, "", true)}, "", store.Passed},
		"skipped":    {[]LaneRun{lane("a", store.Skipped, "", true)}, "", store.Passed},
		"a no":       {[]LaneRun{lane("a", store.Failed, "", true)}, `lane "a" failed`, store.Failed},
		"a breakage": {[]LaneRun{lane("a", store.Broken, "", true)}, `lane "a" broke`, store.Broken},
		"stopped":    {[]LaneRun{lane("a", store.Cancelled, "", true)}, `lane "a" was cancelled`, store.Cancelled},
		"stopped after a breakage": {[]LaneRun{lane("a", store.Cancelled, "", true), lane("b", store.Broken, "",
			true)},
			`lane "a" was cancelled, lane "b" broke`, store.Broken},
		"a no after a breakage": {[]LaneRun{lane("a", store.Broken, "", true), lane("b", store.Failed, "", true)},
			`lane "a" broke, lane "b" failed`, store.Failed},
		"optional": {[]LaneRun{lane("a", store.Failed, "", false), lane("b", store.Broken, "", false)}, "",
			store.Passed},
		"waited for a no": {[]LaneRun{lane("a", store.Skipped, store.Failed, true)}, `lane "a" waited for it`,
			store.Failed},
		"waited for one that was stopped": {[]LaneRun{lane("a", store.Skipped, store.Cancelled, true)},
			`lane "a" waited for it`, store.Cancelled},
		"waited for an optional one that broke": {[]LaneRun{lane("a", store.Broken, "", false),
			lane("b", store.Skipped, store.Broken, true)}, `lane "b" waited for it`, store.Broken},
	} {
		j := judged(c.outcomes...)
		if got := strings.Join(j.Verdicts().Against(0), ", "); got != c.against || j.State() != c.state {
			t.Errorf("%s: got %s, %s; want %s, %s", name, got, j.State(), c.against, c.state)
		}
	}
	j := judged(lane("a", store.Failed, "", true))
	j.Updates[0].Refusal = "it may not go"
	if got := j.Verdicts().Against(0); len(got) != 1 || got[0] != "it may not go" {
		t.Errorf("a refusal of the gate: %q", got)
	}
}

// TestUnmetNeed: a lane waits for what it needs, and a lane that was skipped is not in its way.
func TestUnmetNeed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		need    []LaneRun
		message string
		blocked store.State
	}{
		"nothing":  {nil, "", ""},
		"passed":   {[]LaneRun{lane("a", store.Passed, "", true)}, "", ""},
		"skipped":  {[]LaneRun{lane("a", store.Skipped, "", true)}, "", ""},
		"failed":   {[]LaneRun{lane("a", store.Failed, "", true)}, `needs "a", which failed`, store.Failed},
		"optional": {[]LaneRun{lane("a", store.Failed, "", false)}, `needs "a", which failed`, store.Failed},
		"broken":   {[]LaneRun{lane("a", store.Broken, "", true)}, `needs "a", which broke`, store.Broken},
		"cancelled": {[]LaneRun{lane("a", store.Cancelled, "", true)}, `needs "a", which was cancelled`,
			store.Cancelled},
		"the second": {[]LaneRun{lane("a", store.Passed, "", true), lane("b", store.Failed, "", true)},
			`needs "b", which failed`, store.Failed},
		"one that waited itself": {[]LaneRun{lane("a", store.Skipped, store.Failed, true)},
			`needs "a", which did not pass`,
			store.Failed},
		"one that is not over": {[]LaneRun{lane("a", store.Running, "", true)}, `needs "a", which did not pass`,
			store.Running},
	} {
		j := judged(c.need...)
		var needs []int
		for i := range c.need {
			needs = append(needs, i)
		}
		if message, blocked := UnmetNeed(j, needs); message != c.message || blocked != c.blocked {
			t.Errorf("%s: %q, %q", name, message, blocked)
		}
	}
	if got := GrantedNames([]lanes.Granted{{Name: "kv"}, {Name: "http", Scope: []string{"x"}}}); strings.Join(got,
		" ") != "kv http" {
		t.Errorf("names: %q", got)
	}
}

// TestTrust: the zone of an update's runs, by gate, protection and whose lanes judge.
func TestTrust(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		gate              string
		protected, strict bool
		want              zone.Trust
	}{
		{"pre-receive", true, false, zone.Protected}, {"pre-receive", true, true, zone.Unprotected},
		{"pre-receive", false, false, zone.Unprotected}, {"pre-receive", false, true, zone.Unprotected},
		{"post-receive", true, false, zone.Protected}, {"post-receive", false, false, zone.Unprotected},
		{"schedule", true, false, zone.Protected}, {"schedule", false, false, zone.Unprotected},
		{"pre-push", true, false, zone.Local}, {"pre-commit", true, false, zone.Local},
		{"commit-msg", true, false, zone.Local}, {"manual", true, false, zone.Local},
	} {
		if got := (Update{Protected: c.protected,
			LanesFile: LanesFile{Strict: c.strict}}).Trust(c.gate); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestExitOfErrors: a gate that cannot decide refuses, unless the owner says otherwise; wrong use is never let through.
func TestExitOfErrors(t *testing.T) {
	t.Parallel()
	broken, wrong := errors.New("x"), problem.Usage(errors.New("y"))
	accept := config.Policy{OnUndecided: "accept"}
	for name, c := range map[string]struct {
		err    error
		policy config.Policy
		want   int
	}{
		"nothing":                         {nil, config.Policy{}, ExitAccept},
		"a breakage":                      {broken, config.Policy{OnUndecided: "refuse"}, ExitUndecided},
		"a breakage under no policy":      {broken, config.Policy{}, ExitUndecided},
		"a breakage where the owner lets": {broken, accept, ExitAccept},
		"wrong use":                       {wrong, config.Policy{}, ExitUsage},
		"wrong use where the owner lets":  {problem.WithHint(wrong, "z"), accept, ExitUsage},
	} {
		if got := ExitOf(c.err, c.policy); got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestDecideAsksAboutRefs: whether a plugin is told the ref is asked of the update that would share a run.
func TestDecideAsksAboutRefs(t *testing.T) {
	t.Parallel()
	g := someHistory(t).guard(t, "main=one rel=one")
	for _, sees := range []bool{true, false} {
		var asked []string
		j, err := Decide(t.Context(), g.open(), g.call("pre-receive", "main one two", "rel one two"),
			refusing("main", "rel"), g.store.Repositories(), func(_ context.Context, j *Run, i int, l lanes.Lane) bool {
				asked = append(asked, j.Updates[i].Ref+" "+l.ID)
				return sees
			})
		if err != nil || len(j.LaneRuns) != map[bool]int{true: 2, false: 1}[sees] ||
			strings.Join(asked, ", ") != "refs/heads/rel files" {
			t.Errorf("told the ref %t: %d lane runs, asked %q, %v", sees, len(j.LaneRuns), asked, err)
		}
	}
}
