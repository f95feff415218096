package store

import (
	"context"
	"sync"
	"time"
)

// bell wakes those who wait for a run to be queued. It remembers having rung
// until someone has heard it: a Claim that found nothing, or a Wait.
type bell struct {
	mu     sync.Mutex
	rings  uint64
	heard  uint64
	rung   chan struct{} // closed at the next ring
	listen func(ctx context.Context, ring func()) error
	stop   context.CancelFunc
	done   chan struct{}
}

func newBell() *bell { return &bell{rung: make(chan struct{})} }

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rings++
	close(b.rung)
	b.rung = make(chan struct{})
}

// count and silence go around a Claim that finds nothing: what rang before it
// looked is not news any more.
func (b *bell) count() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rings
}

func (b *bell) silence(upTo uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = max(b.heard, upTo)
}

// next is closed when the bell rings, or at once where no one has heard it.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heard < b.rings {
		b.heard = b.rings
		now := make(chan struct{})
		close(now)
		return now
	}
	return b.rung
}

// start begins to listen to other hosts, once; a connection that breaks is
// made again.
func (b *bell) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	b.stop, b.done = cancel, done
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			b.listen(ctx, b.ring)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
}

func (b *bell) close() {
	b.mu.Lock()
	stop, done := b.stop, b.done
	b.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
}

// watch tells readers of this process which runs it changed.
type watch struct {
	mu      sync.Mutex
	readers map[chan int64]bool
}

// watched is how many changes a reader may lag behind before it misses some.
const watched = 64

func (w *watch) changed(runs ...int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.readers {
		for _, id := range runs {
			select {
			case c <- id:
			default:
			}
		}
	}
}
