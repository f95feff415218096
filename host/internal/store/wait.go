package store

import (
	"context"
	"database/sql"
	"errors"
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
func (w *Queue) Wait(ctx context.Context, d time.Duration) {
	every := pollFile
	if w.db.dialect.postgres {
		every = pollServer
		w.db.bell.start()
	}
	rung := w.db.bell.next()
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
			if queued, err := w.anyQueued(ctx); queued && err == nil {
				return
			}
		}
	}
}

// anyQueued looks at an index that holds nothing but runs that wait.
func (w *Queue) anyQueued(ctx context.Context) (bool, error) {
	var one int
	condition, args := without(w.except)
	err := w.db.reading(ctx).value(&one, `SELECT 1 FROM runs WHERE state = 'queued' AND waiting AND NOT parked`+condition+
		` LIMIT 1`, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Watch gives the ids of runs that this process has changed, each after the
// change is committed. It never delays a writer: a slow reader misses some, and
// changes of other processes are not sent, so a reader must also poll. The channel
// is closed when ctx ends.
func (s *Store) Watch(ctx context.Context) <-chan int64 {
	w, c := s.db.watch, make(chan int64, watched)
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
