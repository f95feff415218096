// Package held knows the runs that this process works on.
package held

import (
	"errors"
	"sync"
)

// Runs are the runs that this process works on. A run that is open in its name
// and not among them was lost between this process and the store: its end or
// its claim could not be recorded.
type Runs struct {
	mu   sync.Mutex
	runs map[int64]int   // how many hold it, by id
	why  map[int64]error // why its end is not recorded
	seen map[int64]bool  // it was not held at the last look
}

// Hold notes that the run is worked on until release.
func (h *Runs) Hold(run int64) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.runs == nil {
		h.runs = map[int64]int{}
	}
	h.runs[run]++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.runs[run]--; h.runs[run] == 0 {
			delete(h.runs, run)
		}
	})
}

// Unrecorded notes why the end of a run is not in the store.
func (h *Runs) Unrecorded(run int64, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == nil {
		h.why = map[int64]error{}
	}
	h.why[run] = why
}

// Lost tells whether a run that is open was lost. Where no reason is known it
// must be so at two looks: a run is in the store a moment before it is held.
func (h *Runs) Lost(run int64) (why error, lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.runs[run] > 0 {
		delete(h.seen, run)
		return nil, false
	}
	if why := h.why[run]; why != nil {
		return why, true
	}
	if h.seen == nil {
		h.seen = map[int64]bool{}
	}
	again := h.seen[run]
	h.seen[run] = true
	return errors.New("the response of the store was lost"), again
}

// Settled forgets why the end of a run was not recorded.
func (h *Runs) Settled(run int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.why, run)
	delete(h.seen, run)
}
