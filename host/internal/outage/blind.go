package outage

import (
	"sync"
	"time"
)

// How long a run whose repository cannot be opened waits for a host that can
// open it, or for this one to: a file system may be mounted late.
const (
	UnseenTime   = 10 * time.Minute // on the only machine
	UnseenShared = 24 * time.Hour   // where machines share the queue
)

// How long a host leaves a repository's runs alone that it could not open.
const (
	blindFirst = 10 * time.Second
	blindMost  = 10 * time.Minute
)

// Blind are the repositories that this host could not open lately.
type Blind struct {
	mu sync.Mutex
	of map[string]blindness
}

type blindness struct {
	until time.Time
	wait  time.Duration
}

// Keys are those whose runs are left to others now.
func (b *Blind) Keys(now time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for key, v := range b.of {
		if now.Before(v.until) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Failed notes that the repository could not be opened: it is left alone for twice
// as long as before.
func (b *Blind) Failed(key string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = map[string]blindness{}
	}
	wait := min(blindMost, max(blindFirst, 2*b.of[key].wait))
	b.of[key] = blindness{now.Add(wait), wait}
}

// Opened notes that the repository could be opened.
func (b *Blind) Opened(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, key)
}
