package host

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/slots"
	"github.com/pushlane/pushlane/host/internal/store"
)

// scheduled is a lane run that waits for its turn, or has it.
type scheduled struct {
	lanerun.Spec
	lane *lanerun.Lane
	idle *idleness // of the whole run; nil: it is not out of the queue

	place *slots.Place // in line for the first attempt; nil: not yet
}

func (s *scheduled) outcome() *gate.LaneRun { return &s.Run.LaneRuns[s.Index] }

// runLanes runs every planned lane, at most policy.Parallel at once in this host,
// each after the lanes it needs. Every result is at its lane's index, so that the
// order of the output does not depend on time. A run out of the queue gives idle, by
// which it is given back while all of it waits.
func (h *Host) runLanes(ctx context.Context, repo *hooks.Repo, j *gate.Run, rec *record.Recorder,
	out report.Output, idle *idleness) {
	watch := out.Watch(j, rec)
	defer watch.Close()
	done := make([]chan struct{}, len(j.LaneRuns))
	for i := range done {
		done[i] = make(chan struct{})
	}
	v := j.Verdicts()
	var wg sync.WaitGroup
	for i := range j.LaneRuns {
		o, needs := &j.LaneRuns[i], v.NeedsOf(i)
		spec := lanerun.Spec{Repo: repo, Run: j, Index: i, Rec: rec, Watch: watch}
		l := &scheduled{Spec: spec, lane: h.lanes.Lane(spec), idle: idle}
		if !o.Done && o.Message == "" && len(needs) == 0 && o.Lane().ConcurrencyGroup == "" {
			l.place = h.lineUp(l) // here, so that lanes start in the order of their file
		}
		idle.begin()
		wg.Go(func() {
			ended := false
			defer func() { // what needs this lane does not wait for the log
				if ended {
					h.journal.lane(j, i, rec.WaitNumber())
				}
			}()
			defer close(done[i])
			defer idle.end()
			if o.Done {
				return
			}
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
			if rec.Claimed && o.State == store.Cancelled && lanerun.Stopped(ctx) {
				return // it goes on elsewhere
			}
			rec.Lane(context.WithoutCancel(ctx), i, o, l.lane.Recorded)
			watch.Ended(i, *o)
			ended = true
		})
	}
	wg.Wait()
	if j.Unconfined = h.Unconfined(); j.Unconfined != "" {
		rec.Later(ctx, store.Event{Kind: "sandbox", Message: j.Unconfined})
	}
}

// runInSlot runs a lane once its group and a slot are free, and again after an
// infrastructure error where the lane allows it. A run out of the queue, which
// no one waits for, is also run again where Incus was away.
func (h *Host) runInSlot(ctx context.Context, l *scheduled) {
	o := l.outcome()
	l.lane.Attempt = max(1, o.Attempt)
	for tried := 0; ; l.lane.Attempt++ {
		release, err := h.turn(ctx, l)
		if err != nil {
			l.lane.NotBegun(ctx, o, err)
			return
		}
		o.Started = time.Now()
		l.Watch.Started(l.Index)
		l.lane.Run(ctx, o)
		o.Ended = time.Now()
		release()
		switch {
		case !infrastructure(o) || ctx.Err() != nil:
			return
		case l.Rec.Claimed && l.lane.Attempt < maxAttempts && h.brokenByOutage(ctx, o):
		case tried >= o.Lane().Retries || !pause(ctx, backoff(tried)):
			return
		default:
			tried++
		}
		l.lane.Again(ctx, o)
	}
}

// maxAttempts bounds the attempts that an Incus costs which comes and goes.
const maxAttempts = 20

// turn waits until an attempt may begin: for the lane's group, then for a slot.
func (h *Host) turn(ctx context.Context, l *scheduled) (release func(), err error) {
	leave := func() {}
	place := l.place
	if l.place = nil; place == nil {
		if leave, err = enterGroup(ctx, l); err != nil {
			return nil, err
		}
		place = h.lineUp(l)
	}
	free, err := place.Wait(ctx)
	if err != nil {
		leave()
		return nil, err
	}
	return func() { free(); leave() }, nil
}

// lineUp takes a place in line for a slot. Lanes that may run containers have slots
// of their own: others, which take milliseconds, do not wait for them.
func (h *Host) lineUp(l *scheduled) *slots.Place {
	of := h.slots
	if l.outcome().Lane().Grant.Container {
		of = h.containerSlots
	}
	place := of.Queue(slots.Claimant{Zone: l.lane.Zone(), Ref: l.lane.Update().Ref, Pusher: l.lane.Pusher(),
		Priority: l.Run.Options.Priority})
	return &place
}

// backoff is the wait before the next attempt: 1 s, 2 s, 4 s, at most 30 s, of
// which up to a half is left to chance so that hosts do not march in step.
func backoff(tried int) time.Duration {
	d := min(30*time.Second, time.Second<<min(tried, 5))
	return d/2 + rand.N(d/2)
}

// groupEvery is how often a lane in line for its group looks whether others,
// perhaps of another host, have left it.
const groupEvery = 200 * time.Millisecond

// enterGroup waits for the lane's concurrency group: the limit sits on the
// group, per repository, over all runs of all hosts, and lane runs enter in the
// order in which they were made.
func enterGroup(ctx context.Context, l *scheduled) (free func(), err error) {
	lane := l.outcome().Lane()
	if lane.ConcurrencyGroup == "" {
		return func() {}, nil
	}
	limit := max(1, l.lane.Update().Set.Groups[lane.ConcurrencyGroup].Limit)
	id, st := l.Rec.WaitLaneID(l.Index), l.Rec.Store
	goes := func() {}
	defer func() { goes() }()
	began := time.Now()
	for waited := false; ; {
		in, err := st.Groups().Enter(ctx, l.lane.Zone(), lane.ConcurrencyGroup, limit, id)
		switch {
		case err != nil && (!store.Transient(err) || !l.Rec.Claimed && time.Since(began) > record.Patience):
			return nil, err
		case in:
			return func() { st.Groups().Leave(context.WithoutCancel(ctx), id) }, nil
		case err == nil && !waited:
			waited = true
			l.Rec.Event(ctx, l.Index, lane.ID, "waiting", fmt.Sprintf("for group %q, which runs at most %d at once",
				lane.ConcurrencyGroup, limit))
			if l.idle != nil {
				goes = l.idle.waits(l.Index, store.Wish{LaneRun: id, Group: lane.ConcurrencyGroup, Limit: limit})
			}
		}
		if l.idle != nil && err == nil {
			if err := parkIdle(ctx, l); err != nil && !store.Transient(err) {
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

// infrastructure reports whether a lane broke for a reason that another attempt
// may not meet. A "no" is never tried again.
func infrastructure(o *gate.LaneRun) bool {
	return o.State == store.Broken && (errors.As(o.Err, new(*incus.MachineError)) || incus.Away(o.Err) ||
		errors.As(o.Err, new(*sandbox.DiedError)) || store.Transient(o.Err))
}
