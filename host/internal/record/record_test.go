package record

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// recorded is a repository, its runs' store and a push of two refs with the same work.
type recorded struct {
	t     *testing.T
	repo  *hooks.Repo
	store *store.Store
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	getenv := func(key string) string { return map[string]string{"HOME": dir, "PATH": os.Getenv("PATH")}[key] }
	repo, err := hooks.Open(t.Context(), hooks.Env{Dir: dir, Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), filepath.Join(dir, "runs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close(); st.Close() })
	return &recorded{t, repo, st}
}

// day is when everything began.
func day() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

// judged is a run of two refs, of which the first has the lane runs of both.
func judged() *gate.Run {
	set := &lanes.Set{Source: "lanes.toml"}
	pick := func(id string, picked bool, reason string) lanes.Picked {
		return lanes.Picked{Picked: picked, Reason: reason, Path: "a.go", Glob: "*.go",
			Lane: lanes.Lane{ID: id, Title: "The " + id, Plugin: "files", Required: id == "vet", ConcurrencyGroup: "g"}}
	}
	all := []lanes.Picked{pick("vet", true, "matches *.go"), pick("docs", false, "no changed path matches"),
		pick("test", true, "matches *.go")}
	main := gate.Update{Update: hooks.Update{Ref: "refs/heads/main", Old: "o1", New: "n1", Base: "b1", Forced: true},
		Protected: true, LanesFile: gate.LanesFile{Set: set, Text: []byte("version = 1\n"), Rev: "r1"}, Picked: all}
	rel := main
	rel.Ref, rel.Forced, rel.Protected = "refs/heads/rel", false, false
	j := &gate.Run{Repo: "team/app", Gate: "pre-receive", Started: day(), Updates: []gate.Update{main, rel}}
	for _, k := range []int{0, 2} {
		j.LaneRuns = append(j.LaneRuns, gate.LaneRun{Picked: all[k], State: store.Passed})
	}
	return j
}

// call is a server's, of a push with a name of its own.
func call(env ...string) gate.Call {
	return gate.Call{Gate: "pre-receive", Args: []string{"ori\x1b[1mgin"}, Env: append(env, "GL_USER=ann")}
}

// judgedFor is judged, as the run that answers a call.
func judgedFor(c gate.Call) *gate.Run { return answering(judged(), c) }

func answering(j *gate.Run, c gate.Call) *gate.Run {
	j.Gate, j.Remote, j.Asked = c.Gate, c.Arg(0), c.Asked()
	return j
}

// TestNew: what the store is told of a run before anything has run.
func TestNew(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	n := New(r.repo, judgedFor(call("PUSHLANE_PUSH=1.2")))
	if n.RepoKey != r.repo.CommonDir() || n.RepoName != "team/app" || n.Gate != "pre-receive" || n.Remote != "origin" ||
		n.Pusher != "ann" || !n.At.Equal(day()) || n.Origin != "pre-receive:"+call("PUSHLANE_PUSH=1.2").PushID() {
		t.Errorf("got %+v", n)
	}
	var got []string
	for _, u := range n.Updates {
		got = append(got, fmt.Sprintf("%s %s..%s since %s forced %t protected %t by %s of %s %q", u.Ref, u.Old, u.New, u.Base,
			u.Forced, u.Protected, u.Lanes.Source, u.LanesRev, u.Lanes.Text))
	}
	for _, l := range n.Lanes {
		got = append(got, fmt.Sprintf("%d %s %q picked %t required %t %s: %s", l.Update, l.Lane, l.Title, l.Picked,
			l.Required,
			l.Group, l.Reason))
	}
	want := []string{
		`refs/heads/main o1..n1 since b1 forced true protected true by lanes.toml of r1 "version = 1\n"`,
		`refs/heads/rel o1..n1 since b1 forced false protected false by lanes.toml of r1 "version = 1\n"`,
		`0 vet "The vet" picked true required true g: matches *.go`,
		`0 docs "The docs" picked false required false g: no changed path matches`,
		`0 test "The test" picked true required false g: matches *.go`,
		`1 vet "The vet" picked false required true g: judged once for several refs: matches *.go`,
		`1 docs "The docs" picked false required false g: no changed path matches`,
		`1 test "The test" picked false required false g: judged once for several refs: matches *.go`,
	}
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
	for name, c := range map[string]gate.Call{"a push without a name": call(), "one's own push": {Gate: "pre-push",
		Env: []string{"PUSHLANE_PUSH=1.2"}}} {
		if n := New(r.repo, judgedFor(c)); n.Origin != "" {
			t.Errorf("%s: origin %q", name, n.Origin)
		}
	}
	refused := judged()
	refused.Updates[0].LanesFile = gate.LanesFile{}
	if n := New(r.repo, answering(refused, call())); n.Updates[0].Lanes.Source != "" {
		t.Errorf("a ref without lanes: %+v", n.Updates[0])
	}
}

// TestNotes: what was said of a push as a whole is on record, by its kind.
func TestNotes(t *testing.T) {
	t.Parallel()
	j := judged()
	j.Bypasses = []string{"main was pushed past the gate"}
	j.Updates[0].Notes = []string{"main brings lanes", "and a lock"}
	j.Updates[1].Refusal = "rel may not go"
	var got []string
	for _, change := range Notes(j) {
		e, ok := change.(store.Event)
		if !ok {
			t.Fatalf("%T", change)
		}
		got = append(got, e.Kind+": "+e.Message)
	}
	if text := strings.Join(got, "; "); text != "bypass: main was pushed past the gate; lanes file: main brings lanes; "+
		"lanes file: and a lock; refused: rel may not go" {
		t.Error(text)
	}
	if got := Notes(judged()); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// begin records a run that this process holds.
func (r *recorded) begin(j *gate.Run, c gate.Call) (rec *Recorder, held *int) {
	held = new(int)
	rec = Begin(r.t.Context(), r.store, r.repo, answering(j, c), func(store.Run) func() {
		*held++
		return func() { *held-- }
	})
	return rec, held
}

// lanesOf are the lane runs of a run in the store: attempt, lane, state and message.
func (r *recorded) lanesOf(number int64) string {
	r.t.Helper()
	run, err := r.store.Run(r.t.Context(), r.repo.CommonDir(), number)
	if err != nil {
		r.t.Fatal(err)
	}
	text := fmt.Sprintf("%s %d", run.State, run.Exit)
	for _, l := range run.Lanes {
		text += fmt.Sprintf("; %d %s %s %q", l.Attempt, l.Lane, l.State, l.Message)
	}
	return text
}

// events are what happened in a run, as far as it has words.
func (r *recorded) events(run int64) string {
	r.t.Helper()
	all, err := r.store.Events(r.t.Context(), run)
	if err != nil {
		r.t.Fatal(err)
	}
	var words []string
	for _, e := range all {
		if e.Message != "" {
			words = append(words, strings.TrimSpace(e.Lane+" "+e.Kind+": "+e.Message))
		}
	}
	return strings.Join(words, "; ")
}

// TestARun goes from its beginning to its verdict.
func TestARun(t *testing.T) {
	t.Parallel()
	r, j := newRecorded(t), judged()
	j.Updates[0].Notes = []string{"main brings lanes"}
	rec, held := r.begin(j, call())
	ctx := t.Context()
	run := rec.WaitRunID()
	if run == 0 || rec.WaitNumber() != 1 || rec.WaitLaneID(0) == 0 || rec.WaitLaneID(0) == rec.WaitLaneID(1) ||
		rec.WaitLaneID(2) != 0 || *held != 1 {
		t.Fatalf("run %d, number %d, lanes %d and %d, held %d", run, rec.WaitNumber(), rec.WaitLaneID(0), rec.WaitLaneID(1),
			*held)
	}
	one, two := &j.LaneRuns[0], &j.LaneRuns[1]
	one.Started = day()
	rec.Starting(ctx, 0, one, "a container", "/log")
	if got := r.lanesOf(1); got != `running 0; 1 vet running "a container"; 1 test queued ""` &&
		got != `running 0; 1 vet running ""; 1 test queued ""` {
		t.Errorf("under way: %s", got)
	}
	rec.Event(ctx, 0, "vet", "denied", "http is not allowed")
	one.State, one.Message, one.Ended = store.Failed, "2 errors", day().Add(time.Second)
	one.Findings = []sdk.Finding{{Path: "a.go", Line: 3, Col: 4, Level: "error", Rule: "R", Message: "bad"}}
	rec.Lane(ctx, 0, one, true)
	two.State, two.Message, two.Ended = store.Skipped, `needs "vet", which failed`, day().Add(time.Second)
	rec.Lane(ctx, 1, two, false)
	j.Ended = day().Add(2 * time.Second)
	if err := rec.End(ctx, j); err != nil || j.Number != 1 {
		t.Fatalf("number %d, %v", j.Number, err)
	}
	if got := r.lanesOf(1); got != `failed 1; 1 vet failed "2 errors"; 1 test skipped "needs \"vet\", which failed"` {
		t.Errorf("ended: %s", got)
	}
	found, err := r.store.Findings(ctx, run)
	if err != nil || len(found) != 1 || found[0] != (store.Finding{LaneRun: rec.WaitLaneID(0), Path: "a.go", Line: 3,
		Col:   4,
		Level: "error", Rule: "R", Message: "bad"}) {
		t.Errorf("findings %+v, %v", found, err)
	}
	for _, want := range []string{"lanes file: main brings lanes", "vet denied: http is not allowed"} {
		if got := r.events(run); !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if rec.Release(); *held != 0 {
		t.Errorf("held %d", *held)
	}
}

// TestLanesInOneTransaction: a lane without containers is recorded with all that it went through when it ends.
func TestLanesInOneTransaction(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state   store.State
		started bool
	}{
		"passed": {store.Passed, true}, "failed": {store.Failed, true}, "broken": {store.Broken, true},
		"broken before it started": {store.Broken, false},
		"skipped":                  {store.Skipped, false}, "cancelled": {store.Cancelled, false},
		"cancelled under way": {store.Cancelled, true},
	} {
		r, j := newRecorded(t), judged()
		rec, _ := r.begin(j, call())
		for i := range j.LaneRuns {
			o := &j.LaneRuns[i]
			o.State, o.Ended = c.state, day().Add(time.Second)
			if c.started {
				o.Started = day()
			}
			rec.Lane(t.Context(), i, o, false)
		}
		err := rec.End(t.Context(), j)
		got := r.lanesOf(1)
		if want := fmt.Sprintf(`1 vet %s ""; 1 test %s ""`, c.state, c.state); err != nil || !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// TestRetry: the attempt that broke stays on record, and the next one has a lane run of its own.
func TestRetry(t *testing.T) {
	t.Parallel()
	r, j := newRecorded(t), judged()
	rec, _ := r.begin(j, call())
	o := &j.LaneRuns[0]
	first := rec.WaitLaneID(0)
	o.State, o.Message, o.Started, o.Ended = store.Broken, "the container died", day(), day()
	rec.Lane(t.Context(), 0, o, false)
	rec.Retry(t.Context(), 0, o.Message)
	if rec.WaitLaneID(0) == first {
		t.Error("the attempts share a lane run")
	}
	o.State, o.Message = store.Passed, ""
	rec.Lane(t.Context(), 0, o, false)
	j.LaneRuns[1].Started = day()
	rec.Lane(t.Context(), 1, &j.LaneRuns[1], false)
	if err := rec.End(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	got := r.lanesOf(1)
	for _, want := range []string{`1 vet broken "the container died"`, `2 vet passed`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if got := r.events(rec.WaitRunID()); !strings.Contains(got, "infrastructure error: the container died") {
		t.Errorf("events %s", got)
	}
	run, err := r.store.Run(t.Context(), r.repo.CommonDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if again := Of(r.store, run); again.WaitLaneID(0) != rec.WaitLaneID(0) || again.WaitNumber() != 1 || again.Claimed {
		t.Errorf("the recorder of a run that is there: lane run %d", again.WaitLaneID(0))
	}
	if claimed := Resumed(r.store, run, nil); !claimed.Claimed {
		t.Error("a run out of the queue is not claimed")
	}
}

// TestWhatCannotBeRecorded is the run's failure: the first one, after which nothing more is written.
func TestWhatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	t.Run("a change that does not fit", func(t *testing.T) {
		t.Parallel()
		r, j := newRecorded(t), judged()
		rec, _ := r.begin(j, call())
		rec.Record(t.Context(), store.Move{LaneRun: rec.WaitLaneID(0), From: store.Running, To: store.Passed, At: day()})
		rec.Event(t.Context(), 0, "vet", "progress", "after the gap")
		err := rec.End(t.Context(), j)
		if conflict := (*store.ConflictError)(nil); !errors.As(err, &conflict) {
			t.Errorf("got %v", err)
		}
		if got := r.events(rec.WaitRunID()); strings.Contains(got, "after the gap") {
			t.Errorf("it goes on: %s", got)
		}
		if got := r.lanesOf(1); !strings.HasPrefix(got, "running 0") {
			t.Errorf("it has a verdict: %s", got)
		}
	})
	t.Run("other lane runs than were planned", func(t *testing.T) {
		t.Parallel()
		r, j := newRecorded(t), judged()
		j.LaneRuns = append(j.LaneRuns, j.LaneRuns[0])
		rec, held := r.begin(j, call())
		err := rec.End(t.Context(), j)
		if want := "internal error: 2 lane runs recorded for 3 planned"; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
		if rec.Release(); *held != 0 || rec.WaitLaneID(0) != 0 {
			t.Errorf("held %d", *held)
		}
	})
	t.Run("a store that is closed", func(t *testing.T) {
		t.Parallel()
		r, j := newRecorded(t), judged()
		r.store.Close()
		rec, held := r.begin(j, call())
		if rec.WaitRunID() != 0 || rec.WaitNumber() != 0 || *held != 0 {
			t.Errorf("run %d, held %d", rec.WaitRunID(), *held)
		}
		if err := rec.End(t.Context(), j); err == nil || j.Number != 0 {
			t.Errorf("number %d, %v", j.Number, err)
		}
		rec.Release()
	})
}

// TestTheSamePushTwice: a server that is given the same lines again has a run of its own, to which the name goes over.
func TestTheSamePushTwice(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	named := call("PUSHLANE_PUSH=1.2")
	for n := int64(1); n <= 2; n++ {
		rec, _ := r.begin(judged(), named)
		if rec.WaitNumber() != n {
			t.Fatalf("number %d, want %d", rec.WaitNumber(), n)
		}
		run, err := r.store.RunByOrigin(t.Context(), r.repo.CommonDir(), "pre-receive:"+named.PushID())
		if err != nil || run.Number != n {
			t.Errorf("the push is run %d, %v", run.Number, err)
		}
	}
}

// TestPatience: while a pusher waits a write is tried again for so long; of a claimed run until the host is told to
// stop.
func TestPatience(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	close(stopped)
	long, now := time.Now().Add(-2*Patience), time.Now()
	for name, c := range map[string]struct {
		rec   *Recorder
		began time.Time
		want  bool
	}{
		"a pusher waits":                     {&Recorder{}, now, true},
		"a pusher has waited":                {&Recorder{}, long, false},
		"a claimed run":                      {&Recorder{Claimed: true}, long, true},
		"a claimed run, at the host's end":   {&Recorder{Claimed: true, stopping: stopped}, long, true},
		"a claimed run, long after that end": {&Recorder{Claimed: true, stopping: stopped, late: long}, long, false},
	} {
		if got := c.rec.waits(c.began, 0); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	tries, refused := 0, errors.New("no such column")
	err := (&Recorder{}).Patiently(func() error { tries++; return refused })
	if tries != 1 || !errors.Is(err, refused) {
		t.Errorf("a write that cannot succeed was tried %d times: %v", tries, err)
	}
}
