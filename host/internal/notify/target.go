package notify

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

const (
	crowd       = workers / 2     // at one target, however well it is
	slow        = 3 * time.Second // an answer that takes longer is trouble
	longestRest = time.Minute
)

// targets keeps one that is down or slow from taking every worker: half of them
// at most, while it is in trouble one, and after a failure none for a while.
type targets struct {
	mu    sync.Mutex
	known map[string]*target
}

type target struct {
	inside  int
	strikes int // failures and slow answers in a row
	until   time.Time
	because string
}

// roadOf is the part of a delivery's target that is up or down as one: all
// projects of a forge are.
func roadOf(name string) string {
	kind, rest, _ := strings.Cut(name, " ")
	if kind == "status" {
		rest, _, _ = strings.Cut(rest, " ")
	}
	return kind + " " + rest
}

func newTargets() *targets { return &targets{known: map[string]*target{}} }

// enter lets a delivery go, or says how long it waits, and why. Who may go
// leaves.
func (t *targets) enter(name string, now time.Time) (wait time.Duration, because string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.known[name]
	if one == nil {
		one = &target{}
		t.known[name] = one
	}
	if one.strikes > 0 && (one.inside > 0 || now.Before(one.until)) {
		return max(one.until.Sub(now), slow) + rand.N(slow), "waits behind others: " + one.because
	}
	if one.inside >= crowd {
		return time.Second/5 + rand.N(time.Second), "waits behind others"
	}
	one.inside++
	return 0, ""
}

// leave notes how it went. A target that is well is forgotten, so that there
// are never more than are in use or in trouble.
func (t *targets) leave(name string, now time.Time, took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.known[name]
	one.inside--
	var busy busyError
	switch {
	case troubled(err):
		one.strikes++
		rest := min(firstRetry<<min(one.strikes-1, 10), longestRest)
		if errors.As(err, &busy) {
			rest = max(rest, busy.after)
		}
		one.until, one.because = now.Add(rest), err.Error()
	case took > slow:
		one.strikes, one.because = one.strikes+1, "it responds after "+took.Round(time.Second).String()
	default:
		one.strikes = 0
		if one.inside == 0 {
			delete(t.known, name)
		}
	}
}

// troubled tells a target's trouble from a message that it will not have.
func troubled(err error) bool {
	return err != nil && !errors.As(err, new(permanentError)) && !errors.As(err, new(missingError))
}
