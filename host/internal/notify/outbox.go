package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Run works the outbox until ctx ends, and returns when nothing is under way.
// What was being sent then is sent again by the next.
func (t *Teller) Run(ctx context.Context) {
	var busy sync.WaitGroup
	defer busy.Wait()
	free := make(chan struct{}, workers)
	for {
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		d, ok, err := t.store.Outbox().Claim(ctx, t.now(), deliveryLease)
		if err != nil && ctx.Err() == nil {
			t.log.WithError(err).Warn("outbox")
		}
		if !ok {
			<-free
			t.wait(ctx)
			continue
		}
		busy.Go(func() {
			defer func() { <-free; t.wake() }() // a message that waited for this one is due
			t.deliver(ctx, d)
		})
	}
}

func (t *Teller) wait(ctx context.Context) {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-t.kick:
	case <-timer.C:
	}
}

func (t *Teller) deliver(ctx context.Context, d store.Delivery) {
	road := roadOf(d.Target)
	wait, because := t.targets.enter(road, t.now())
	if wait > 0 {
		t.settle(ctx, d, "", t.store.Outbox().Failed(context.WithoutCancel(ctx), d.ID, t.now().Add(wait), because, false))
		return
	}
	began := t.now()
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	err := t.send(sending, d)
	cancel()
	t.targets.leave(road, t.now(), t.now().Sub(began), err)
	if err != nil && ctx.Err() != nil {
		return // its lease ends, and it is tried again
	}
	after := context.WithoutCancel(ctx)
	if err == nil {
		t.settle(ctx, d, "done", t.store.Outbox().Done(after, d.ID))
		return
	}
	next, giveUp := t.again(after, d, err)
	t.log.WithError(err).WithField("to", d.Target).Warn("not told")
	t.settle(ctx, d, map[bool]string{true: "failed", false: "retried"}[giveUp],
		t.store.Outbox().Failed(after, d.ID, t.now().Add(next), runjson.Short(err.Error(), 1000), giveUp))
}

// settle counts an attempt. That the store has not taken its result means only
// that the attempt is made again; a run that was dropped takes its deliveries
// along.
func (t *Teller) settle(ctx context.Context, d store.Delivery, result string, err error) {
	if result != "" {
		t.metrics.deliveries.WithLabelValues(result).Inc()
	}
	if err != nil && !errors.Is(err, store.ErrNoDelivery) && ctx.Err() == nil {
		t.log.WithError(err).WithField("to", d.Target).Warn("outbox")
	}
}

// again says when to try again, or never.
func (t *Teller) again(ctx context.Context, d store.Delivery, cause error) (next time.Duration, giveUp bool) {
	if errors.As(cause, new(permanentError)) {
		return 0, true
	}
	run, err := t.store.RunByID(ctx, d.Run)
	if err != nil {
		return firstRetry, errors.Is(err, store.ErrNoRun)
	}
	age, limit := t.now().Sub(happened(run, d.Kind)), giveUpAfter
	if errors.As(cause, new(missingError)) {
		limit = missingAfter
	}
	var busy busyError
	errors.As(cause, &busy)
	return max(retryAfter(age), busy.after), age > limit && d.Attempts >= leastAttempts
}

// happened is when what a delivery tells of came to pass.
func happened(run store.Run, kind string) time.Time {
	at := run.Ended
	switch kind {
	case "run.queued", string(store.Queued):
		at = run.Queued
	case "run.started", string(store.Running):
		at = run.Started
	}
	if at.IsZero() {
		at = run.Queued
	}
	return at
}

// retryAfter waits about as long as has been tried already, so that waits
// double, from 5 seconds up to an hour, with a part left to chance. It goes by
// age and not by attempts: an attempt may have been only the look at a target
// that is known to be down.
func retryAfter(age time.Duration) time.Duration {
	wait := min(max(age, firstRetry), longestRetry)
	return wait/2 + rand.N(wait/2)
}

func (t *Teller) send(ctx context.Context, d store.Delivery) error {
	kind, target, _ := strings.Cut(d.Target, " ")
	switch kind {
	case "webhook":
		return t.sendWebhook(ctx, d)
	case "status":
		return t.sendStatus(ctx, target, d)
	case "notes":
		return t.writeNotes(ctx, d.Run)
	case "spans":
		return t.sendSpans(ctx, d.Run)
	}
	return permanentError{fmt.Errorf("the policy no longer has a target %q", d.Target)}
}
