package perref

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// perRefRun is a judged push of main, on which a lane said no, of topic, which is not protected, and of a ref that the
// gate refused.
func perRefRun(refuse ...string) gate.Run {
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	picked := lanes.Picked{Picked: true, Lane: lanes.Lane{ID: "vet", Required: true}}
	j := gate.Run{Number: 7, PerRef: true, Asked: gate.Asked{Process: process}}
	for i, ref := range []string{"refs/heads/main", "refs/heads/topic", "refs/notes/pushlane"} {
		u := gate.Update{Update: hooks.Update{Ref: ref, Old: one, New: two, Base: string(rune('a' + i))},
			Protected: i == 0, Picked: []lanes.Picked{picked}}
		if i == 2 {
			u.Refusal = "it holds verdicts"
		}
		state := store.Passed
		for _, r := range refuse {
			if r == ref {
				state = store.Failed
			}
		}
		j.Pushed = append(j.Pushed, u.Update)
		j.Updates = append(j.Updates, u)
		j.LaneRuns = append(j.LaneRuns, gate.LaneRun{Update: i, Picked: picked, State: state})
	}
	return j
}

// process is git's, that runs the hooks of the push.
const process = "1.2"

// asks is git's proc-receive about a push, and what it is answered.
func asks(t *testing.T, process string, state string, updates []hooks.Update) string {
	t.Helper()
	var in, out bytes.Buffer
	enc := pktline.NewEncoder(&in)
	var lines []string
	for _, u := range updates {
		lines = append(lines, u.Old+" "+u.New+" "+u.Ref)
	}
	if err := errors.Join(enc.EncodeString("version=1\n"), enc.Flush(), enc.EncodeString(lines...),
		enc.Flush()); err != nil {
		t.Fatal(err)
	}
	call := gate.Call{Env: []string{"PUSHLANE_PUSH=" + process}}
	if err := ProcReceive(call, config.Policy{State: state}, &in, &out); err != nil {
		t.Fatal(err)
	}
	scan := pktline.NewScanner(&out)
	var all []string
	for scan.Scan() {
		if line := strings.TrimSpace(string(scan.Bytes())); line != "" && line != "version=1" {
			all = append(all, line)
		}
	}
	return strings.Join(all, "; ")
}

// TestPerRefVerdict: each ref is answered as it was judged, for this very push, once; any other push is refused whole.
func TestPerRefVerdict(t *testing.T) {
	t.Parallel()
	const ok = "ok refs/heads/%s; option fall-through"
	good := func(name string) string { return strings.Replace(ok, "%s", name, 1) }
	const notes = `ng refs/notes/pushlane it holds verdicts (run #7)`
	cannot := func(why string) string {
		return "ng refs/heads/main pushlane cannot decide: " + why + "; ng refs/heads/topic pushlane cannot decide: " + why +
			"; ng refs/notes/pushlane pushlane cannot decide: " + why
	}
	const other, none = "the push is not the one that was judged", "pre-receive stored no verdict for this push"
	for name, c := range map[string]struct {
		refuse []string
		change func(us []hooks.Update) []hooks.Update // of what git asks about
		spoil  func(t *testing.T, path string)
		as     string // git's process
		want   string
	}{
		"as it was judged": {[]string{"refs/heads/main"}, nil, nil, process,
			`ng refs/heads/main lane "vet" failed (run #7); ` + good("topic") + "; " + notes},
		"a no where none is needed": {[]string{"refs/heads/topic"}, nil, nil, process,
			good("main") + "; " + good("topic") + "; " + notes},
		"another commit": {nil, func(us []hooks.Update) []hooks.Update {
			us[0].New = strings.Repeat("3", 40)
			return us
		}, nil, process, cannot(other)},
		"another old value": {nil, func(us []hooks.Update) []hooks.Update {
			us[1].Old = hooks.ZeroID
			return us
		}, nil, process, cannot(other)},
		"fewer refs": {nil, func(us []hooks.Update) []hooks.Update { return us[:1] }, nil, process,
			"ng refs/heads/main pushlane cannot decide: " + other},
		"more refs": {nil, func(us []hooks.Update) []hooks.Update {
			return append(us, hooks.Update{Ref: "refs/heads/x", Old: us[0].Old, New: us[0].New})
		}, nil, process, ""},
		"another push":      {nil, nil, nil, "1.3", cannot(none)},
		"a push of no name": {nil, nil, nil, "", cannot(none)},
		"a verdict cut short": {nil, nil, func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, process, cannot("unexpected end of JSON input")},
		"a verdict of nothing": {nil, nil, func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, process, cannot(other)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := t.TempDir()
			j := perRefRun(c.refuse...)
			goOn, err := Leave(state, j)
			path := verdictPath(state, process)
			info, _ := os.Stat(path)
			if err != nil || !goOn || info == nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("left %t, %v, %v", goOn, info, err)
			}
			if c.spoil != nil {
				c.spoil(t, path)
			}
			us := append([]hooks.Update{}, j.Pushed...)
			if c.change != nil {
				us = c.change(us)
			}
			got := asks(t, c.as, state, us)
			if c.want != "" && got != c.want || c.want == "" && strings.Count(got, other) != len(us) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if again := asks(t, process, state, j.Pushed); c.as == process &&
				again != cannot(none) {
				t.Errorf("a verdict counts twice: %s", again)
			}
		})
	}
}

// TestNothingGoesIn: a push of which nothing is good is refused at once; a deletion that is let through is something.
func TestNothingGoesIn(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	j := perRefRun("refs/heads/main")
	j.Updates, j.Pushed = []gate.Update{j.Updates[0]}, j.Pushed[:1]
	j.LaneRuns = j.LaneRuns[:1]
	if goOn, err := Leave(state, j); goOn || err != nil {
		t.Errorf("it goes on: %v", err)
	}
	if _, err := os.Stat(filepath.Join(state, "verdicts")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a verdict: %v", err)
	}
	j.Pushed = append(j.Pushed, hooks.Update{Ref: "refs/heads/old", Old: j.Pushed[0].Old, New: hooks.ZeroID, Delete: true})
	if goOn, err := Leave(state, j); !goOn || err != nil {
		t.Errorf("it does not go on: %v", err)
	}
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if goOn, err := Leave(state, j); goOn || err == nil ||
		!strings.HasPrefix(err.Error(), "cannot store the verdict: ") {
		t.Errorf("a verdict that cannot be written: %t, %v", goOn, err)
	}
}

// TestLetThrough: refs that go in although others of their push do not are on record.
func TestLetThrough(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*gate.Run)
		want   string
	}{
		"some":                      {func(*gate.Run) {}, "refs/heads/topic"},
		"not where all are refused": {func(j *gate.Run) { j.PerRef = false }, ""},
		"not where all go in":       {func(j *gate.Run) { j.Updates, j.LaneRuns = j.Updates[1:2], nil }, ""},
	} {
		j := perRefRun("refs/heads/main")
		c.change(&j)
		var got []string
		for _, change := range LetThrough(&j) {
			if e, ok := change.(store.Event); ok && e.Kind == store.LetThrough {
				got = append(got, e.Message)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
