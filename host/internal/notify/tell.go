// Package notify sends notifications about runs: commit statuses of forges,
// webhooks, git notes, metrics and spans.
//
// A notification is saved in the store's outbox before it is sent, and tried until
// it is accepted or a day has passed: a host that is killed in between sends it
// twice rather than never.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Teller writes to the outbox and works it.
type Teller struct {
	config  Config
	store   *store.Store
	log     logrus.FieldLogger
	client  *http.Client
	metrics *metrics
	targets *targets
	now     func() time.Time
	kick    chan struct{}
}

// New checks a configuration: addresses, events, and that the files it names
// can be read.
func New(c Config, st *store.Store, log logrus.FieldLogger) (*Teller, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Teller{config: c, store: st, log: log, client: newClient(), metrics: newMetrics(st), targets: newTargets(),
		now: time.Now, kick: make(chan struct{}, 1)}, nil
}

// Warnings are what the owner wrote that has no effect.
func (t *Teller) Warnings() []string { return t.config.Unknown() }

// Queued notes that a run waits.
func (t *Teller) Queued(ctx context.Context, run store.Run) error {
	return t.add(ctx, run, "run.queued")
}

// Started notes that a run has begun.
func (t *Teller) Started(ctx context.Context, run store.Run) error {
	return t.add(ctx, run, "run.started")
}

// Ended notes a run's end.
func (t *Teller) Ended(ctx context.Context, run store.Run) error {
	t.metrics.ended(run)
	return t.add(ctx, run, "run.ended")
}

// add saves the notifications of one event in the outbox.
func (t *Teller) add(ctx context.Context, run store.Run, event string) error {
	link, err := t.runURL(ctx, run)
	if err != nil {
		return err
	}
	list, err := t.webhooks(ctx, run, link, event)
	if err != nil {
		return err
	}
	ended := event == "run.ended"
	if taken(run, ended) {
		if list, err = t.withStatuses(ctx, list, run, link); err != nil {
			return err
		}
		if ended && t.config.Notes {
			list = append(list, store.Delivery{Target: "notes " + run.RepoKey, Kind: event})
		}
	}
	if ended && t.config.OTLP != "" {
		list = append(list, store.Delivery{Target: "spans", Kind: event})
	}
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		list[i].Run, list[i].Next = run.ID, t.now()
	}
	defer t.wake()
	return t.store.Outbox().Add(ctx, list)
}

// taken reports whether the server has, or is about to have, what the run
// judges. A push that waits for its verdict may still be refused, and then its
// commits are no one's; a local gate's commits are only the developer's.
func taken(run store.Run, ended bool) bool {
	if run.Gate == "pre-receive" {
		return ended && run.Exit == 0
	}
	return slices.Contains([]string{"post-receive", "schedule", "manual"}, run.Gate)
}

func (t *Teller) wake() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("%T is not JSON: %v", v, err)) // plain structs of strings, numbers and times
	}
	return data
}

// runOf reads a delivery's run. One that was dropped has nothing to tell.
func (t *Teller) runOf(ctx context.Context, id int64) (store.Run, error) {
	run, err := t.store.RunByID(ctx, id)
	if errors.Is(err, store.ErrNoRun) {
		err = permanentError{err}
	}
	return run, err
}
