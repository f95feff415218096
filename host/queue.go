package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/outage"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// enqueue records an accepted push as a run that waits. The same push handed
// over twice is one run.
func (h *Host) enqueue(ctx context.Context, repo *hooks.Repo, j *gate.Run) error {
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	h.afterwards(ctx, func(ctx context.Context) error { return h.accepted(ctx, st, repo.CommonDir(), j.Asked.Push) })
	if len(j.LaneRuns) == 0 {
		return nil
	}
	if err := record.FindAddress(ctx, st, j); err != nil {
		return err
	}
	n := record.New(repo, j)
	n.Waiting, n.Priority = true, j.Options.Priority
	if n.Origin, err = acceptedOrigin(ctx, st, n.RepoKey, j.Asked.Push); err != nil {
		return err
	}
	run, err := st.Begin(ctx, n)
	if errors.Is(err, store.ErrKnown) {
		j.Number = run.Number
		return nil
	}
	if err != nil {
		return err
	}
	j.Number = run.Number
	if err := st.Record(ctx, run.ID, append(record.Notes(j), skippedLanes(run, j)...)...); err != nil {
		return err
	}
	return h.tell(ctx, run.ID, Observer.Queued)
}

// skippedLanes ends the lanes that the pusher left out before they wait.
func skippedLanes(run store.Run, j *gate.Run) []store.Change {
	var all []store.Change
	for i, o := range j.LaneRuns {
		if o.Message != "" {
			all = append(all, store.Result{LaneRun: run.Lanes[i].ID, From: store.Queued, State: store.Skipped,
				Message: o.Message})
		}
	}
	return all
}

// lease is how long a claimed run belongs to a host that does not renew it.
const lease = 30 * time.Second

// maxCrashes is how many hosts a run may outlive before it is given up.
const maxCrashes = 4

// claimRun takes one waiting run; see store.Queue.
type claimRun func(*store.Queue, context.Context, store.Host, time.Duration) (store.Run, bool, error)

// work claims waiting runs and runs them, at most n at once, until ctx ends.
func (h queue) work(ctx context.Context, n int, claim claimRun, warn func(error)) {
	free := make(chan struct{}, n)
	defer func() { // wait for those under way
		for range n {
			free <- struct{}{}
		}
	}()
	for ctx.Err() == nil {
		h.waitForIncus(ctx)
		free <- struct{}{}
		run, ok, err := h.claim(ctx, claim)
		if err != nil && ctx.Err() == nil {
			warn(fmt.Errorf("cannot claim a run: %w", err))
		}
		if !ok {
			<-free
			h.waitForWork(ctx)
			continue
		}
		go func() {
			defer func() { <-free }()
			if err := h.execute(ctx, run); err != nil {
				warn(fmt.Errorf("run #%d of %s: %w", run.Number, run.RepoName, err))
			}
		}()
	}
}

func (h queue) claim(ctx context.Context, claim claimRun) (store.Run, bool, error) {
	st, err := h.Store(ctx)
	if err == nil {
		err = h.markAlive()
	}
	if err != nil {
		return store.Run{}, false, err
	}
	return claim(st.Queue().Without(h.blind.Keys(time.Now())), ctx, store.ThisHost(), lease)
}

func (h queue) waitForWork(ctx context.Context) {
	if st, err := h.Store(ctx); err == nil {
		st.Queue().Without(h.blind.Keys(time.Now())).Wait(ctx, 5*time.Second)
	} else {
		pause(ctx, time.Second)
	}
}

// execute runs a claimed run to its end. A host that is stopped gives it back,
// and so does one that waits for its group alone.
func (h queue) execute(ctx context.Context, run store.Run) error {
	defer h.held.Hold(run.ID)()
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	repo, release, err := h.repo(ctx, ownCall(run.Gate, run.RepoKey))
	if err != nil {
		return h.giveBack(ctx, st, run, err)
	}
	defer release()
	h.blind.Opened(run.RepoKey)
	j, err := h.resume(ctx, repo, run)
	if err != nil {
		return h.giveUp(ctx, st, run, err)
	}
	rec := record.Resumed(st, run, ctx.Done())
	h.afterwards(ctx, func(ctx context.Context) error { return h.tell(ctx, run.ID, Observer.Started) })
	working, park := context.WithCancelCause(ctx)
	defer park(nil)
	held, lost := h.holdLease(working, st, run)
	defer lost()
	idle := newIdleness(park)
	h.runLanes(held, repo, &j, rec, report.Output{Out: io.Discard, Err: io.Discard}, idle)
	if idle.parked() {
		return nil
	}
	after := context.WithoutCancel(ctx)
	if lanerun.Stopped(held) {
		rec.Record(after)
		return rec.Patiently(func() error { return rec.Store.Queue().Requeue(after, run.ID, "the host was stopped") })
	}
	j.Ended = time.Now()
	if err := rec.End(after, &j); err != nil {
		return err
	}
	h.journal.run(j)
	return h.tell(after, run.ID, Observer.Ended)
}

// resume builds the judgement of a run out of its record: the same lanes, the
// same trees, and what has ended already.
func (h queue) resume(ctx context.Context, repo *hooks.Repo, run store.Run) (gate.Run, error) {
	policy := h.policy
	j := gate.Run{Repo: run.RepoName, GitDir: run.RepoKey, Gate: run.Gate, Number: run.Number, Started: run.Started,
		Policy: policy, Asked: gate.Asked{Pusher: run.Pusher, NamedBy: run.Pusher, Env: ownCall(run.Gate, run.RepoKey).Env}}
	j.Options.Priority = run.Priority
	for _, u := range run.Updates {
		p := gate.Update{Update: hooks.Update{Ref: u.Ref, Old: u.Old, New: u.New, Base: u.Base, Forced: u.Forced},
			Protected: u.Protected}
		p.Rev, p.Text = u.LanesRev, u.Lanes.Text
		p.Strict = run.OwnLanes(u)
		var err error
		if p.Set, err = lanes.Load(u.Lanes.Source, u.Lanes.Text); err != nil {
			return j, err
		}
		if p.Changes, err = j.Listing(repo).Changes(ctx, u.Base, u.New); err != nil {
			return j, err
		}
		j.Updates = append(j.Updates, p)
	}
	for _, l := range store.Latest(run.Lanes) {
		o, err := resumeLane(j, l)
		if err != nil {
			return j, err
		}
		j.LaneRuns = append(j.LaneRuns, o)
	}
	return j, nil
}

func resumeLane(j gate.Run, l store.LaneRun) (gate.LaneRun, error) {
	p := &j.Updates[l.Update]
	lane, known := gate.LanesByID(p.Set)[l.Lane]
	if !known {
		return gate.LaneRun{}, fmt.Errorf("lane %q is not in the run's own lanes file", l.Lane)
	}
	picked := lanes.Picked{Lane: lane, Picked: true, Path: l.Path, Glob: l.Glob, Reason: l.Reason}
	p.Picked = append(p.Picked, picked)
	o := gate.LaneRun{Update: l.Update, Picked: picked, Address: gate.Address(j.Repo, p.New, l.Lane), Attempt: l.Attempt}
	if l.State.Final() {
		o.State, o.Message, o.Started, o.Ended, o.Done = l.State, l.Message, l.Started, l.Ended, true
	}
	return o, nil
}

// errLost: another host has the run now.
var errLost = errors.New("the claim on this run was lost")

// holdLease keeps a claim alive. The context ends when the run is cancelled or
// the claim is lost.
func (h queue) holdLease(ctx context.Context, st *store.Store, run store.Run) (context.Context, func()) {
	held, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for renewed := time.Now(); ; {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			if time.Since(renewed) < lease/3 {
				if by := cancelAsked(held, st, run.ID); by != "" {
					cancel(lanerun.CancelError{By: by})
				}
				continue
			}
			by, err := st.Queue().Renew(held, run.ID, run.Fence, lease)
			switch {
			case errors.As(err, new(*store.ConflictError)):
				cancel(errLost)
			case err == nil:
				renewed = time.Now()
			}
			if by != "" {
				cancel(lanerun.CancelError{By: by})
			}
		}
	}()
	return held, func() { cancel(nil) }
}

// recover returns the runs of hosts that no longer respond to the queue.
func (h queue) recover(ctx context.Context) ([]string, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	lines, err := upkeep(h).endLost(ctx)
	runs, lostErr := st.Queue().Lost(ctx)
	if len(runs) > 0 && lostErr == nil {
		if lostErr = h.sweepDead(ctx); lostErr != nil {
			runs = nil // else two containers of one lane would run at once
		}
	}
	err = errors.Join(err, lostErr, st.Queue().WakeParked(ctx))
	for _, r := range runs {
		line, one := h.recoverRun(ctx, st, r)
		if errors.As(one, new(*store.ConflictError)) {
			continue // another host was first
		}
		err = errors.Join(err, one)
		lines = append(lines, line)
	}
	return lines, err
}

func (h queue) recoverRun(ctx context.Context, st *store.Store, r store.Run) (string, error) {
	if r.Deaths >= maxCrashes-1 {
		err := st.Holding(r).Record(ctx, r.ID, store.End{State: store.Broken, Exit: gate.ExitUndecided, At: time.Now(),
			Message: fmt.Sprintf("given up: its host died %d times while it ran", maxCrashes)})
		return fmt.Sprintf("run #%d of %s is given up: its host died %d times", r.Number, r.RepoName, maxCrashes), err
	}
	return fmt.Sprintf("run #%d of %s is queued again: its host no longer responds", r.Number, r.RepoName),
		st.Queue().Requeue(ctx, r.ID, "its host no longer responds")
}

// giveBack returns a run whose repository this host cannot open to the queue,
// for another host or a later time.
func (h queue) giveBack(ctx context.Context, st *store.Store, run store.Run, cause error) error {
	most := outage.UnseenTime
	if h.policy.Store != "" {
		most = outage.UnseenShared
	}
	if time.Since(run.Queued) > most {
		return h.giveUp(ctx, st, run, cause)
	}
	h.blind.Failed(run.RepoKey, time.Now())
	why := printable.CleanText("this host cannot open the repository: " + cause.Error())
	err := st.Holding(run).Queue().Requeue(context.WithoutCancel(ctx), run.ID, why)
	return errors.Join(fmt.Errorf("it is queued again: %s", why), err)
}

// giveUp ends a run that cannot begin: its repository has been missing for long,
// or its objects were pruned.
func (h queue) giveUp(ctx context.Context, st *store.Store, run store.Run, cause error) error {
	err := st.Holding(run).Record(context.WithoutCancel(ctx), run.ID,
		store.End{State: store.Broken, Exit: gate.ExitUndecided, At: time.Now(), Message: printable.CleanText(cause.Error())})
	if err != nil {
		return errors.Join(cause, err)
	}
	return errors.Join(cause, h.tell(ctx, run.ID, Observer.Ended))
}

// cancelEvery is how often a run under way looks whether it was cancelled.
const cancelEvery = time.Second

// cancellable returns a context that ends when a user cancels the run.
func (h *Host) cancellable(ctx context.Context, rec *record.Recorder) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(cancelEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if by := cancelAsked(ctx, rec.Store, rec.WaitRunID()); by != "" {
					cancel(lanerun.CancelError{By: by})
				}
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

func cancelAsked(ctx context.Context, st *store.Store, run int64) string {
	r, err := st.RunByID(ctx, run)
	if err != nil {
		return ""
	}
	return r.CancelBy
}
