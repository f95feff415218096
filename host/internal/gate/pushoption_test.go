package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

// asked is what a call's options came to, in a line: "priority; reasons", or the error with its hint.
func asked(w pushOptions, err error) string {
	if err != nil {
		kind := ""
		if !problem.IsUsage(err) {
			kind = "not as wrong use: "
		}
		return fmt.Sprintf("%serror: %v; hint: %s", kind, err, problem.Hint(err))
	}
	return fmt.Sprintf("%d; %s", w.Priority, w.Reason())
}

// TestServerOptions: a pusher gets what the policy allows, and what is not understood refuses the push.
func TestServerOptions(t *testing.T) {
	t.Parallel()
	all := []string{config.OptionSkip, config.OptionOnly, config.OptionPriority}
	const noReason = "error: cannot skip lanes: no reason given; hint: git push -o 'lane.skip=%s:why'"
	for name, c := range map[string]struct {
		options, allowed []string
		want             string
	}{
		"none":                {nil, nil, "0; "},
		"those of others":     {[]string{"ci.skip", "merge_request.create", "lanes=1", "PRIORITY=high"}, nil, "0; "},
		"high":                {[]string{"priority=high"}, all, "1; "},
		"low":                 {[]string{"priority=low"}, all, "-1; "},
		"the last one counts": {[]string{"priority=low", "priority=normal"}, all, "0; "},
		"urgent": {[]string{"priority=urgent"}, all, "error: cannot use push option priority=urgent; hint: " +
			"say high, normal or low"},
		"priority alone": {[]string{"priority"}, all, "error: cannot use push option priority=; hint: say high, " +
			"normal or low"},
		"a lane skipped":       {[]string{"lane.skip=vet: too slow "}, all, "0; vet: too slow"},
		"a colon in a reason":  {[]string{"lane.skip=vet:see x:1"}, all, "0; vet: see x:1"},
		"all skipped":          {[]string{"lane.skip=all:fire"}, all, "0; all: fire"},
		"two skipped":          {[]string{"lane.skip=vet:b", "lane.skip=test:a"}, all, "0; test: a; vet: b"},
		"no reason":            {[]string{"lane.skip=vet"}, all, fmt.Sprintf(noReason, "vet")},
		"an empty reason":      {[]string{"lane.skip=vet:  "}, all, fmt.Sprintf(noReason, "vet")},
		"a reason of escapes":  {[]string{"lane.skip=vet:\x1b[31m\x07"}, all, fmt.Sprintf(noReason, "vet")},
		"a reason with colour": {[]string{"lane.skip=vet:\x1b[31mred"}, all, "0; vet: red"},
		"some only":            {[]string{"lane.only=vet", "lane.only=test"}, all, "0; only vet, test"},
		"both":                 {[]string{"lane.only=vet", "lane.skip=vet:why"}, all, "0; vet: why; only vet"},
		"not allowed": {[]string{"lane.skip=vet:why"}, []string{"priority"},
			"error: cannot use push option lane.skip: " +
				"the policy of this host does not allow it; hint: the host's owner may add it to `push_options`"},
		"only not allowed": {[]string{"lane.only=vet"}, []string{"lane.skip"},
			"error: cannot use push option lane.only: " +
				"the policy of this host does not allow it; hint: the host's owner may add it to `push_options`"},
		"priority not allowed": {[]string{"priority=high"}, nil, "error: cannot use push option priority: " +
			"the policy of this host does not allow it; hint: the host's owner may add it to `push_options`"},
		"not known": {[]string{"lane.\x1bstop=x"}, all,
			"error: cannot use push option \"lane.stop\": there is no such " +
				"option; hint: there are lane.skip=ID:reason, lane.only=ID and priority=high|normal|low"},
		"another case": {[]string{"lane.Skip=vet:why"}, all,
			"error: cannot use push option \"lane.Skip\": there is no " +
				"such " +
				"option; hint: there are lane.skip=ID:reason, lane.only=ID and priority=high|normal|low"},
		"one that is wrong after one that is right": {[]string{"priority=high", "lane.skip=x"}, all,
			fmt.Sprintf(noReason, "x")},
	} {
		for _, gate := range []string{"pre-receive", "post-receive"} {
			call := Call{Gate: gate, Env: []string{"PUSHLANE_SKIP=all", "PUSHLANE_SKIP_REASON=x",
				fmt.Sprintf("GIT_PUSH_OPTION_COUNT=%d", len(c.options))}}
			for i, o := range c.options {
				call.Env = append(call.Env, fmt.Sprintf("GIT_PUSH_OPTION_%d=%s", i, o))
			}
			w, err := call.options(config.Policy{AllowSkip: true, PushOptions: c.allowed})
			if got := asked(w, err); got != c.want {
				t.Errorf("%s at %s\n got %s\nwant %s", name, gate, got, c.want)
			}
		}
	}
}

// TestCountOfOptions: options that are not all read refuse the push, whatever they say.
func TestCountOfOptions(t *testing.T) {
	t.Parallel()
	const notOne = "error: cannot use push options: GIT_PUSH_OPTION_COUNT is %q, want a number; hint: "
	for count, want := range map[string]string{"": "0; ", "0": "0; ", "1": "0; x: y", "1000": "0; x: y",
		"-1": fmt.Sprintf(notOne, "-1"), "\x1b[1mx": fmt.Sprintf(notOne, "x"),
		"1001": "error: cannot use push options: there are 1001, at most 1000 are allowed; " +
			"hint: push with fewer: git push -o priority=high"} {
		call := Call{Gate: "pre-receive", Env: []string{"GIT_PUSH_OPTION_COUNT=" + count,
			"GIT_PUSH_OPTION_0=lane.skip=x:y"}}
		w, err := call.options(config.Policy{PushOptions: []string{config.OptionSkip}})
		if got := asked(w, err); got != want {
			t.Errorf("count %q\n got %s\nwant %s", count, got, want)
		}
	}
}

// TestSkipVariable: on one's own machine a variable skips, where the policy lets it, and says why.
func TestSkipVariable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env   string // separated by commas
		allow bool
		want  string
	}{
		"nothing":        {"", false, "0; "},
		"a reason alone": {"PUSHLANE_SKIP_REASON=x", false, "0; "},
		"one":            {"PUSHLANE_SKIP=vet|PUSHLANE_SKIP_REASON= slow ", true, "0; vet: slow"},
		"several":        {"PUSHLANE_SKIP=vet, test|PUSHLANE_SKIP_REASON=slow", true, "0; test: slow; vet: slow"},
		"not allowed": {"PUSHLANE_SKIP=vet|PUSHLANE_SKIP_REASON=slow", false,
			"error: cannot skip lanes: the policy of this host says allow_skip = false; hint: "},
		"without a reason": {"PUSHLANE_SKIP=vet|PUSHLANE_SKIP_REASON=\x1b[1m ", true,
			"error: cannot skip lanes: no reason given; hint: PUSHLANE_SKIP=vet PUSHLANE_SKIP_REASON=\"why\" git push"},
		"push options do not count here": {"GIT_PUSH_OPTION_COUNT=1|GIT_PUSH_OPTION_0=lane.skip=vet:x", true,
			"0; "},
	} {
		for _, gate := range []string{"pre-commit", "commit-msg", "pre-push", "manual"} {
			call := Call{Gate: gate, Env: strings.Split(c.env, "|")}
			policy := config.Policy{AllowSkip: c.allow, PushOptions: []string{config.OptionSkip}}
			if got := asked(call.options(policy)); got != c.want {
				t.Errorf("%s at %s\n got %s\nwant %s", name, gate, got, c.want)
			}
		}
	}
}

// TestOptionsOfLanes: an option about a lane that does not exist is refused, as a typing error must not be a skip of
// nothing; the others skip and leave out what they say.
func TestOptionsOfLanes(t *testing.T) {
	t.Parallel()
	h := newHistory(t,
		made{name: "one", files: map[string]string{"lanes.toml": lanesFile("files", "vet")}},
		made{"two", "one", map[string]string{"a.txt": "a"}},
		made{"drop", "one", map[string]string{"lanes.toml": lanesFile("files")}})
	const none = "error: cannot skip lane %q: there is no such lane; hint: see them with: pushlane lanes"
	const noOnly = "error: cannot run only lane %q: there is no such lane; hint: see them with: pushlane lanes"
	for name, c := range map[string]struct{ to, option, want string }{
		"one skipped": {"two", "lane.skip=vet:slow", "files: ; vet: skipped by the pusher: slow"},
		"all skipped": {"two", "lane.skip=all:fire",
			"files: skipped by the pusher: fire; vet: skipped by the pusher: fire"},
		"one only": {"two", "lane.only=vet", "vet: "},
		"one that the push drops, but that judges it": {"drop", "lane.skip=vet:slow",
			"files: ; vet: skipped by the pusher: slow"},
		"no such lane":      {"two", "lane.skip=vett:slow", fmt.Sprintf(none, "vett")},
		"no such only":      {"two", "lane.only=vett", fmt.Sprintf(noOnly, "vett")},
		"another case":      {"two", "lane.skip=VET:slow", fmt.Sprintf(none, "VET")},
		"all as an only":    {"two", "lane.only=all", fmt.Sprintf(noOnly, "all")},
		"an only of none":   {"two", "lane.only=", fmt.Sprintf(noOnly, "")},
		"of a deletion too": {"0", "lane.skip=vett:slow", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, "main=one")
			call := g.call("pre-receive", "main one "+c.to)
			call.Env = append(call.Env, "GIT_PUSH_OPTION_COUNT=1", "GIT_PUSH_OPTION_0="+c.option)
			policy := refusing()
			policy.AllowDelete, policy.PushOptions = true, []string{config.OptionSkip, config.OptionOnly}
			j, err := g.decide(call, policy)
			var all []string
			for _, o := range j.LaneRuns {
				all = append(all, o.Lane().ID+": "+o.Message)
			}
			got := strings.Join(all, "; ")
			if err != nil {
				got = asked(pushOptions{}, err)
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestChoose: what a person names runs whatever the paths say.
func TestChoose(t *testing.T) {
	t.Parallel()
	picked := func(id string, yes bool, on ...string) lanes.Picked {
		return lanes.Picked{Lane: lanes.Lane{ID: id, On: on}, Picked: yes, Reason: "by paths"}
	}
	for name, c := range map[string]struct {
		call Call
		only []string
		want string
	}{
		"as the paths say": {Call{Gate: "manual"}, nil, "a true by paths; b false by paths; c false by paths"},
		"one": {Call{Gate: "manual", Lanes: []string{"b"}}, nil, "a false not requested; b true requested; c " +
			"false not requested"},
		"all of the gate": {Call{Gate: "manual", All: true}, nil,
			"a true by paths; b true requested with --all; c false by paths"},
		"one and all": {Call{Gate: "manual", Lanes: []string{"c"}, All: true}, nil,
			"a false not requested; b false not requested; c true requested"},
		"left out by the pusher": {Call{Gate: "pre-receive"}, []string{"b", "c"},
			"a false skipped by the pusher: lane.only=b,c; b false by paths; c false by paths"},
		"left out by the paths already": {Call{Gate: "pre-receive"}, []string{"b"},
			"a false skipped by the pusher: lane.only=b; b false by paths; c false by paths"},
		"no such lane": {Call{Gate: "manual", Lanes: []string{"a", "x"}}, nil,
			"error: cannot run lane \"x\": there is no such lane; hint: see them with: pushlane lanes"},
	} {
		got, err := choose([]lanes.Picked{picked("a", true, "pre-push"), picked("b", false, "pre-push"),
			picked("c", false, "pre-commit")}, c.call, pushOptions{only: c.only})
		var all []string
		for _, p := range got {
			all = append(all, fmt.Sprint(p.Lane.ID, " ", p.Picked, " ", p.Reason))
		}
		text := strings.Join(all, "; ")
		if err != nil {
			text = asked(pushOptions{}, err)
		}
		if text != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, text, c.want)
		}
	}
}
