package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// How often Wait polls: a file cannot notify of a run that another process
// queued; for a server it is the fallback for a broken listener.
const (
	pollFile   = 50 * time.Millisecond
	pollServer = 5 * time.Second
)

// Wait returns when a run may have been queued, by whichever process, or after
// d, or when ctx ends. What this process queued since its last Claim that
// found nothing is not missed. If the database cannot be read Wait does not return
// early: a caller's loop would then run without a pause.
func (s *Store) Wait(ctx context.Context, d time.Duration) {
	every := pollFile
	if s.dialect.postgres {
		every = pollServer
		s.bell.start()
	}
	rung := s.bell.next()
	end := time.NewTimer(d)
	defer end.Stop()
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		select {
		case <-rung:
			return
		case <-end.C:
			return
		case <-ctx.Done():
			return
		case <-look.C:
			if queued, err := s.anyQueued(ctx); queued && err == nil {
				return
			}
		}
	}
}

// anyQueued looks at an index that holds nothing but runs that wait.
func (s *Store) anyQueued(ctx context.Context) (bool, error) {
	var one int
	condition, args := without(s.except)
	err := s.reading(ctx).value(&one, `SELECT 1 FROM runs WHERE state = 'queued' AND waiting AND NOT parked`+condition+
		` LIMIT 1`, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

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

// Watch gives the ids of runs that this process has changed, each after the
// change is committed. It never delays a writer: a slow reader misses some, and
// changes of other processes are not sent, so a reader must also poll. The channel
// is closed when ctx ends.
func (s *Store) Watch(ctx context.Context) <-chan int64 {
	w, c := s.watch, make(chan int64, watched)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readers == nil {
		w.readers = map[chan int64]bool{}
	}
	w.readers[c] = true
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.readers, c)
		close(c)
	})
	return c
}

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
