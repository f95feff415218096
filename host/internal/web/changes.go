package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// changes tells a page that it should be loaded again.
func (s *people) changes(w http.ResponseWriter, r *http.Request) {
	out := newEvents(w)
	was := ""
	ours := s.Store.Watch(r.Context())
	all := visitorOf(r.Context()).Repositories == nil
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for since := time.Now(); ; {
		is, err := s.pulse(r.Context(), since)
		if err != nil {
			return
		}
		switch {
		case is != was:
			if out.send("data: changed\n\n") != nil {
				return
			}
			was = is
		case time.Since(out.last) > pingEvery:
			if out.send("") != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-ours: // this process changed something, perhaps more at once
			since = time.Now()
			drain(ours)
			if all { // also what is not in the pulse
				was = ""
			}
		case now := <-tick.C: // another one may have
			since = now.Add(-time.Second / 2)
		}
	}
}

func drain(c <-chan int64) {
	for {
		select {
		case _, ok := <-c:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// maxPulses is how many sets of visible repositories are distinguished.
const maxPulses = 256

// pulses share what pages ask the store: a hundred pages that hear of a change
// need one look.
type pulses struct {
	mu sync.Mutex
	of map[string]*pulse // by the keys of the visitor's repositories
}

type pulse struct {
	mu    sync.Mutex
	began time.Time
	text  string
	err   error
}

func (p *pulses) get(keys []string) *pulse {
	key := strings.Join(keys, "\x00")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil || len(p.of) >= maxPulses {
		p.of = map[string]*pulse{}
	}
	if p.of[key] == nil {
		p.of[key] = &pulse{}
	}
	return p.of[key]
}

// pulse is a text that differs after a run began, moved or ended, of those that
// exist for the visitor, by a look that began after a time.
func (s *people) pulse(ctx context.Context, since time.Time) (string, error) {
	keys := visitorOf(ctx).Repositories
	if keys != nil && len(keys) == 0 {
		return "", nil
	}
	keys = slices.Sorted(slices.Values(keys))
	p := s.pulses.get(keys)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.Before(since) || p.err != nil {
		p.began = time.Now()
		p.text, p.err = s.Store.Pulse(context.WithoutCancel(ctx), keys)
	}
	return p.text, p.err
}
