package wasm

import (
	"errors"
	"sync"
)

// Ready says what a handle can be used for now, as bits.
type Ready byte

// The bits of lane1.wait.
const (
	Readable Ready = 1 // Read gives bytes or the end
	Done     Ready = 2 // what it is for has ended
	Broken   Ready = 4 // what it is for broke
)

// ErrWouldBlock is returned by a Reader or Writer that can do nothing now.
var ErrWouldBlock = errors.New("would block")

// Handle is something that goes on while the plugin does: a container, its
// log. It may implement Reader and io.Writer as well; neither may block.
type Handle interface {
	// Ready gives the state now, and a channel that is closed when the
	// state may have changed. It must not block.
	Ready() (Ready, <-chan struct{})
	// Close gives it back; it is called once, at the end of the run at the
	// latest.
	Close() error
}

// Reader is a Handle that can be read.
type Reader interface {
	// Read gives bytes, io.EOF or ErrWouldBlock. It must not keep p.
	Read(p []byte) (int, error)
}

// Handles are the handles of one instance: numbers from 1, never used twice,
// at most 64 at a time.
type Handles struct {
	mu   sync.Mutex
	open map[uint32]Handle
	next uint32

	watched chan struct{} // closed when no one waits any more for what the last poll saw
}

func newHandles() *Handles { return &Handles{open: map[uint32]Handle{}, next: 1} }

// Add gives a handle its number. When there are too many the error is an
// *OpError of code TooMany and h stays the caller's.
func (hs *Handles) Add(h Handle) (uint32, error) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.open == nil || len(hs.open) >= maxHandles {
		return 0, &OpError{Code: TooMany, Message: "at most 64 handles can be open at once"}
	}
	n := hs.next
	hs.next++
	hs.open[n] = h
	return n, nil
}

// Get finds a handle by its number.
func (hs *Handles) Get(n uint32) (Handle, bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h, found := hs.open[n]
	return h, found
}

func (hs *Handles) drop(n uint32) bool {
	hs.mu.Lock()
	h, found := hs.open[n]
	delete(hs.open, n)
	hs.mu.Unlock()
	if found {
		_ = h.Close()
	}
	return found
}

func (hs *Handles) close() {
	hs.mu.Lock()
	open := hs.open
	hs.open = nil
	hs.mu.Unlock()
	hs.unwatch()
	for _, h := range open {
		_ = h.Close()
	}
}

// unwatch ends what the last poll left running: a plugin may poll a million
// times what never changes.
func (hs *Handles) unwatch() {
	if hs.watched != nil {
		close(hs.watched)
		hs.watched = nil
	}
}

// poll looks at every handle. changed is closed when one of them may have
// changed, until the next poll; it is nil when any is ready or when there are
// none. Only the instance's goroutine polls.
func (hs *Handles) poll(ids []uint32) (states []Ready, any bool, changed <-chan struct{}) {
	hs.unwatch()
	states = make([]Ready, len(ids))
	var waits []<-chan struct{}
	for i, id := range ids {
		h, found := hs.Get(id)
		if !found {
			states[i], any = Broken, true
			continue
		}
		st, c := h.Ready()
		states[i] = st
		any = any || st != 0
		waits = append(waits, c)
	}
	if any {
		return states, true, nil
	}
	hs.watched = make(chan struct{})
	return states, false, first(waits, hs.watched)
}

// first is closed when one of the channels is; after gone is closed it is not used.
func first(waits []<-chan struct{}, gone <-chan struct{}) <-chan struct{} {
	if len(waits) == 1 {
		return waits[0]
	}
	if len(waits) == 0 {
		return nil
	}
	out := make(chan struct{})
	var once sync.Once
	for _, c := range waits {
		go func() {
			select {
			case <-c:
				once.Do(func() { close(out) })
			case <-out:
			case <-gone:
			}
		}()
	}
	return out
}
