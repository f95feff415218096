package host

import (
	"context"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// What a server's host does again and again, and how often.
const (
	spoolEvery   = 2 * time.Second
	recoverEvery = 15 * time.Second
	nightlyEvery = 20 * time.Second
	collectEvery = time.Minute // a container that Incus was still making when its host was killed comes late
)

// server works the queue and what feeds it until ctx ends; it returns when all
// of that has come to its end.
func (r *Resident) server(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	h, q := r.Host, queue{r.Host}
	warn := func(err error) { r.Log.WithError(err).Warn("queue") }
	// Before anything is claimed: what a killed host left would run next to it.
	lines, err := q.recover(ctx)
	r.say(lines)
	if err != nil {
		warn(err)
	}
	wg.Go(func() { q.work(ctx, h.policy.Parallel, (*store.Queue).Claim, warn) })
	wg.Go(func() { q.work(ctx, max(1, h.policy.Parallel/2), (*store.Queue).ClaimProtected, warn) })
	r.every(ctx, &wg, spoolEvery, "spool", func() error { return h.spool().Take(ctx, acceptance{h}.takeAccepted) })
	r.every(ctx, &wg, acceptEvery, "pushes that no hook reported",
		func() error { return acceptance{h}.takeUnaccepted(ctx, time.Now()) })
	r.every(ctx, &wg, nightlyEvery, "schedules", func() error { return schedules{h}.runSchedules(ctx, time.Now()) })
	r.every(ctx, &wg, recoverEvery, "runs of hosts that ended", func() error {
		lines, err := q.recover(ctx)
		r.say(lines)
		return err
	})
	r.every(ctx, &wg, collectEvery, "leftovers", func() error {
		lines, err := h.Collect(ctx, h.policy)
		r.say(lines)
		return err
	})
}

func (r *Resident) say(lines []string) {
	for _, line := range lines {
		r.Log.Info(line)
	}
}

// every does something now and then again after each pause.
func (r *Resident) every(ctx context.Context, wg *sync.WaitGroup, pause time.Duration, what string, do func() error) {
	wg.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			if err := do(); err != nil && ctx.Err() == nil {
				r.Log.WithError(err).Warn(what)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}
