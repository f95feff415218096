package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/store"
)

// runLanes runs every planned lane, at most policy.Parallel at once in this
// host, each after the lanes it needs. Results stand at their own index, so that the
// order of what is printed never depends on time.
func (h *Host) runLanes(ctx context.Context, repo *hooks.Repo, call gate.Call, j *gate.Run, rec *record.Recorder, out report.Output) {
	h.runLanesUntil(ctx, repo, call, j, rec, out, nil)
}

// runLanesUntil is runLanes of a run that can be given back while it waits.
func (h *Host) runLanesUntil(ctx context.Context, repo *hooks.Repo, call gate.Call, j *gate.Run, rec *record.Recorder, out report.Output, idle *idleness) {
	watch := out.Watch(call, j)
	defer watch.Close()
	done := make([]chan struct{}, len(j.Outcomes))
	for i := range done {
		done[i] = make(chan struct{})
	}
	v := j.Verdicts()
	var wg sync.WaitGroup
	for i := range j.Outcomes {
		idle.begin()
		wg.Go(func() {
			defer close(done[i])
			defer idle.end()
			o := &j.Outcomes[i]
			if o.Done {
				return
			}
			l := &laneRun{host: h, repo: repo, call: call, j: j, i: i, rec: rec, watch: watch, idle: idle}
			needs := v.NeedsOf(i)
			idle.end()
			waitForNeeds(needs, done)
			idle.begin()
			if o.Message == "" {
				o.Message, o.Blocked = gate.UnmetNeed(j, needs)
			}
			if o.Message != "" {
				o.State = store.Skipped
			} else {
				h.runInSlot(ctx, l)
			}
			if rec.Claimed && o.State == store.Cancelled && stopped(ctx) {
				return // it goes on elsewhere
			}
			rec.Lane(context.WithoutCancel(ctx), i, o, l.recorded)
			watch.Ended(i, *o)
		})
	}
	wg.Wait()
	if j.Unsealed = h.unsealed(); j.Unsealed != "" {
		rec.Later(ctx, store.Event{Kind: "sandbox", Message: j.Unsealed})
	}
}

// runInSlot runs a lane once its group and a slot are free, and again after an
// infrastructure error where the lane allows it. A run out of the queue, which
// no one waits for, is also run again where Incus was away.
func (h *Host) runInSlot(ctx context.Context, l *laneRun) {
	o := &l.j.Outcomes[l.i]
	l.attempt = max(1, o.Attempt)
	for tried := 0; ; l.attempt++ {
		if err := h.runOnce(ctx, l, o); err != nil {
			l.notBegun(ctx, o, err)
			return
		}
		switch {
		case !infrastructure(o) || ctx.Err() != nil:
			return
		case l.rec.Claimed && l.attempt < maxAttempts && h.brokenByOutage(ctx, o):
		case tried >= l.lane().Retries || !pause(ctx, backoff(tried)):
			return
		default:
			tried++
		}
		l.again(ctx, o)
	}
}

// maxAttempts bounds the attempts that an Incus costs which comes and goes.
const maxAttempts = 20

// notBegun is the outcome of an attempt that did not begin: it was called off,
// or its group could not be asked for.
func (l *laneRun) notBegun(ctx context.Context, o *gate.LaneRun, err error) {
	if ctx.Err() == nil {
		o.State, o.Message, o.Err = store.Broken, printable.CleanText(err.Error()), err
		return
	}
	o.State, o.Message = store.Cancelled, "cancelled before it started"
	if by := cancelledBy(ctx); by != "" {
		o.Message = by
	}
}

// runOnce is one attempt; an error means that it did not begin.
func (h *Host) runOnce(ctx context.Context, l *laneRun, o *gate.LaneRun) error {
	free, err := h.enterGroup(ctx, l)
	if err != nil {
		return err
	}
	defer free()
	release, err := h.slots.acquire(ctx, claimant{zone: l.zone(), ref: l.update().Ref, pusher: l.pusher(),
		priority: l.j.Wishes.Priority})
	if err != nil {
		return err
	}
	defer release()
	o.Started = time.Now()
	l.watch.Started(l.i)
	l.run(ctx, o)
	o.Ended = time.Now()
	return nil
}

// backoff is the wait before the next attempt: 1 s, 2 s, 4 s, at most 30 s, of
// which up to a half is left to chance so that hosts do not march in step.
func backoff(tried int) time.Duration {
	d := min(30*time.Second, time.Second<<min(tried, 5))
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// again records the attempt that broke and makes ready for the next one.
func (l *laneRun) again(ctx context.Context, o *gate.LaneRun) {
	l.rec.Lane(context.WithoutCancel(ctx), l.i, o, l.recorded)
	l.rec.Retry(ctx, l.i, o.Message)
	// What says which lane this is stays untouched: other lanes read it.
	o.State, o.Message, o.Err, o.Findings, o.Tail, o.Artifacts = "", "", nil, nil, nil, nil
	o.Log, o.LogSize, o.LogSum, o.Image, o.Started, o.Ended = "", 0, "", "", time.Now(), time.Time{}
	l.recorded, l.results, l.quota = false, nil, nil
}

// groupEvery is how often a lane in line for its group looks whether others,
// perhaps of another host, have left it.
const groupEvery = 200 * time.Millisecond

// enterGroup waits for the lane's concurrency group: the limit sits on the
// group, per repository, over all runs of all hosts, and lane runs enter in the
// order in which they were made.
func (h *Host) enterGroup(ctx context.Context, l *laneRun) (free func(), err error) {
	lane := l.lane()
	if lane.ConcurrencyGroup == "" {
		return func() {}, nil
	}
	limit := max(1, l.update().Set.Groups[lane.ConcurrencyGroup].Limit)
	id, st := l.rec.WaitLaneID(l.i), l.rec.Store
	goes := func() {}
	defer func() { goes() }()
	began := time.Now()
	for waited := false; ; {
		in, err := st.EnterGroup(ctx, l.zone(), lane.ConcurrencyGroup, limit, id)
		switch {
		case err != nil && (!store.Transient(err) || !l.rec.Claimed && time.Since(began) > record.Patience):
			return nil, err
		case in:
			return func() { st.LeaveGroup(context.WithoutCancel(ctx), id) }, nil
		case err == nil && !waited:
			waited = true
			l.rec.Event(ctx, l.i, lane.ID, "waiting", fmt.Sprintf("for a place in group %q, of which %d run at once", lane.ConcurrencyGroup, limit))
			if l.idle != nil {
				goes = l.idle.waits(l.i, store.Wish{LaneRun: id, Group: lane.ConcurrencyGroup, Limit: limit})
			}
		}
		if l.idle != nil && err == nil {
			if err := l.parkIdle(ctx); err != nil && !store.Transient(err) {
				return nil, err
			}
		}
		if !pause(ctx, groupEvery) {
			return nil, ctx.Err()
		}
	}
}

func waitForNeeds(needs []int, done []chan struct{}) {
	for _, k := range needs {
		<-done[k]
	}
}
