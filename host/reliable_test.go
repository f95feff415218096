package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/held"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/store"
)

// openHost is a host over an empty state folder.
func openHost(t *testing.T, state string) *Host {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{"HOME": dir, "PUSHLANE_CONFIG": "/dev/null", "PUSHLANE_STATE": state}
	policy, err := config.Load(func(key string) string { return env[key] })
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(context.Background()) })
	return h
}

func openStore(t *testing.T, h *Host) *store.Store {
	t.Helper()
	st, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func beginRun(t *testing.T, st *store.Store, n store.NewRun) store.Run {
	t.Helper()
	n.RepoKey, n.RepoName = "/r", "r"
	n.Updates = []store.Update{{Ref: "refs/heads/main", New: "c1"}}
	n.Lanes = []store.NewLane{{Lane: "a", Picked: true, Required: true}}
	run, err := st.Begin(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestHeld(t *testing.T) {
	t.Parallel()
	var h held.Runs
	release := h.Hold(1)
	again := h.Hold(1)
	again()
	again() // twice is once
	for range 3 {
		if _, lost := h.Lost(1); lost {
			t.Error("a run is lost that is held")
		}
	}
	release()
	if _, lost := h.Lost(1); lost {
		t.Error("a run is lost at the first look: it may just have been recorded")
	}
	if why, lost := h.Lost(1); !lost || why == nil {
		t.Error("a run that no one holds is not lost")
	}
	h.Unrecorded(2, errors.New("disk full"))
	if why, lost := h.Lost(2); !lost || why.Error() != "disk full" {
		t.Errorf("a run whose end was not recorded: %v, %t", why, lost)
	}
	h.Settled(2)
	if _, lost := h.Lost(2); lost {
		t.Error("a settled run is lost")
	}
}

// fill takes all room of a small file system; the function makes room again.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := make([]byte, 4096); err == nil; {
		_, err = f.Write(page)
	}
	return func() { os.Remove(f.Name()) }
}

// TestAFullStoreInTheMiddle: a run whose end cannot be recorded is refused, and
// closed once there is room; the verdict of a run out of the queue waits for
// the room and is recorded as it was.
func TestAFullStoreInTheMiddle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("SKIPPED: cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	ctx, h := t.Context(), openHost(t, filepath.Join(dir, "state"))
	st := openStore(t, h)
	judged, waiting := beginRun(t, st, store.NewRun{Gate: "pre-receive"}),
		beginRun(t, st, store.NewRun{Gate: "post-receive", Waiting: true})
	claimed, ok, err := st.Queue().Claim(ctx, store.ThisHost(), lease)
	if err != nil || !ok || claimed.ID != waiting.ID {
		t.Fatalf("%+v, %v", claimed, err)
	}
	defer h.held.Hold(claimed.ID)()
	empty := fill(t, dir)
	queue := record.Resumed(st, claimed, nil)
	passed := &gate.LaneRun{State: store.Passed, Message: strings.Repeat("x", 64<<10), Started: time.Now(),
		Ended: time.Now()}
	queue.Lane(ctx, 0, passed, false)
	ended := make(chan error, 1)
	go func() { ended <- queue.End(ctx, &gate.Run{Ended: time.Now()}) }()

	r := record.Of(st, judged)
	r.Lane(ctx, 0, passed, false)
	err = r.End(ctx, &gate.Run{Ended: time.Now()})
	if err == nil || !strings.HasSuffix(err.Error(), "database or disk is full (13)") || problem.Hint(err) == "" {
		t.Errorf("the end of a run in a full store: %v, hint %q", err, problem.Hint(err))
	}
	h.held.Unrecorded(judged.ID, err)
	select {
	case err := <-ended:
		t.Errorf("the queue's run ended in a full store: %v", err)
	default:
	}
	empty()
	if err := <-ended; err != nil {
		t.Errorf("the verdict of the queue's run: %v", err)
	}
	lines, err := (upkeep{h}).endLost(ctx)
	if want := []string{"run #1 of r is broken: its host could not record the result: " +
		"cannot record run 1: database or disk is full (13)"}; err != nil || !slices.Equal(lines, want) {
		t.Errorf("%q, %v; want %q", lines, err, want)
	}
	for id, want := range map[int64]store.State{judged.ID: store.Broken, claimed.ID: store.Passed} {
		if run, err := st.RunByID(ctx, id); err != nil || run.State != want || run.Lanes[0].State != want {
			t.Errorf("run %d is %s, its lane %s, %v; want %s", id, run.State, run.Lanes[0].State, err, want)
		}
	}
}

// TestAClaimWhoseAnswerWasLost: a run that is claimed in this process's name and
// on which nothing works waits again, without an attempt lost.
func TestAClaimWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), openHost(t, t.TempDir())
	st := openStore(t, h)
	beginRun(t, st, store.NewRun{Gate: "post-receive", Waiting: true})
	run, _, err := st.Queue().Claim(ctx, store.ThisHost(), lease)
	if err != nil {
		t.Fatal(err)
	}
	for look, want := range [][]string{nil,
		{"run #1 of r is queued again: its host could not record the result: the response of the store was lost"}, nil} {
		if lines, err := (upkeep{h}).endLost(ctx); err != nil || !slices.Equal(lines, want) {
			t.Errorf("look %d: %q, %v", look, lines, err)
		}
	}
	if run, _ = st.RunByID(ctx, run.ID); run.State != store.Queued || run.Deaths != 0 || len(run.Lanes) != 1 {
		t.Errorf("%+v", run)
	}
}

func TestIdleness(t *testing.T) {
	t.Parallel()
	d := newIdleness(func(error) {})
	d.begin() // a lane that waits for its group
	d.begin() // a lane that runs
	goes := d.waits(0, store.Wish{LaneRun: 7, Group: "g", Limit: 1})
	if len(d.all()) != 0 {
		t.Error("a run with a lane under way is idle")
	}
	d.end()
	if all := d.all(); len(all) != 1 || all[0].LaneRun != 7 {
		t.Errorf("a run whose only lane waits has the wishes %v", all)
	}
	goes()
	if len(d.all()) != 0 || d.parked() {
		t.Error("a run whose lane may go is idle")
	}
	var none *idleness // of a run that a pusher waits for
	none.begin()
	none.end()
}

// TestADatabaseThatWasEmptied: what is lost is said until its owner knows, and
// no number is given again.
func TestADatabaseThatWasEmptied(t *testing.T) {
	t.Parallel()
	for name, noted := range map[string]bool{"noted": true, "by its folders": false} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			h := openHost(t, state)
			st := openStore(t, h)
			var last int64
			for range 3 {
				last = beginRun(t, st, store.NewRun{Gate: "pre-receive"}).ID
				h.files.NoteRun(st, last)
			}
			if err := os.MkdirAll(lanerun.Folder(h.state, last), 0o700); err != nil {
				t.Fatal(err)
			}
			if h.files.StoreLoss() != nil {
				t.Errorf("a whole database: %v", h.files.StoreLoss())
			}
			h.Close(t.Context())
			for _, file := range []string{"pushlane.db", "pushlane.db-wal", "pushlane.db-shm"} {
				os.Remove(filepath.Join(state, file))
			}
			if !noted {
				os.Remove(filepath.Join(h.state, "last-run"))
			}
			h = openHost(t, state)
			if run := beginRun(t, openStore(t, h), store.NewRun{Gate: "pre-receive"}); run.ID != last+1 {
				t.Errorf("run %d after %d", run.ID, last)
			}
			err := h.files.StoreLoss()
			want := fmt.Sprintf("the database %s knows runs up to 0, and runs up to %d were recorded",
				filepath.Join(state, "pushlane.db"), last)
			if err == nil || !strings.HasPrefix(err.Error(), "runs are lost: ") || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			hint := problem.Hint(err)
			command := hint[strings.LastIndex(hint, ": ")+2:]
			if path, ok := strings.CutPrefix(command, "rm "); !ok || os.Remove(path) != nil || h.files.StoreLoss() != nil {
				t.Errorf("the hint %q does not help", hint)
			}
		})
	}
}

// TestCollectKeepsToItsBounds: runs go by age with their files, and logs by the
// room that all take, oldest first.
func TestCollectKeepsToItsBounds(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), openHost(t, t.TempDir())
	st := openStore(t, h)
	for i := range 4 {
		run := beginRun(t, st, store.NewRun{Gate: "pre-receive"})
		age := time.Duration(8-2*i) * time.Hour // 8, 6, 4, 2
		if err := st.Record(ctx, run.ID, store.End{State: store.Cancelled, At: time.Now().Add(-age)}); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"0-a.1.log", "0-a.1.log.zst", "report"} {
			path := filepath.Join(lanerun.Folder(h.state, run.ID), file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
				os.WriteFile(path, make([]byte, 1<<20), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		when := time.Now().Add(-age)
		os.Chtimes(lanerun.Folder(h.state, run.ID), when, when)
	}
	p := h.policy
	p.KeepRuns, p.MaxTime, p.MaxLogsTotal = 7*time.Hour, time.Hour, "4MiB"
	lines, err := (upkeep{h}).dropOld(ctx, p)
	want := []string{"removed 1 run older than 7h0m0s",
		"removed the logs of the 1 run that ended first: all together took more than 4MiB (limits.logs_total)"}
	if err != nil || !slices.Equal(lines, want) {
		t.Errorf("%q, %v; want %q", lines, err, want)
	}
	left, _ := filepath.Glob(filepath.Join(h.state, "runs", "*", "*"))
	for i := range left {
		left[i], _ = filepath.Rel(filepath.Join(h.state, "runs"), left[i])
	}
	if want := []string{"2/report", "3/0-a.1.log", "3/0-a.1.log.zst", "3/report", "4/0-a.1.log", "4/0-a.1.log.zst",
		"4/report"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
	if runs, _ := st.Runs(ctx, store.Filter{}); len(runs) != 3 {
		t.Errorf("%d runs left", len(runs))
	}
}

// TestAClockThatRuns: time that passes is no step.
func TestAClockThatRuns(t *testing.T) {
	t.Parallel()
	h := openHost(t, t.TempDir())
	if (upkeep{h}).clockWasSet(time.Now()) || (upkeep{h}).clockWasSet(time.Now().Add(48*time.Hour)) {
		t.Error("a clock that runs counts as set")
	}
}
