package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// recorder writes into one run within one transaction, which holds that run's
// lock: its state, its fence and its next event's number cannot change next to
// it.
type recorder struct {
	*session
	run   int64
	state State // when the transaction began
	seq   int64
}

// newRecorder locks the run, and refuses where another has claimed it since.
func newRecorder(q *session, run int64, by claim) (*recorder, error) {
	r := &recorder{session: q, run: run}
	var fence int64
	err := q.row([]any{&r.state, &fence}, `SELECT state, fence FROM runs WHERE id = ? FOR UPDATE`, run)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoRun
	}
	if err != nil {
		return nil, err
	}
	if by.run == run && by.fence != fence {
		return nil, lostClaim(run, by.fence, fence, r.state)
	}
	// Only now: a statement sees what was committed before it began.
	return r, q.value(&r.seq, `SELECT coalesce(max(seq), 0) FROM events WHERE run = ?`, run)
}

// change does something to one run as the holder of a claim, all or not at all,
// and tells who watches.
func (d *database) change(ctx context.Context, verb string, run int64, by claim,
	do func(*recorder) error) error {
	err := d.inTx(ctx, func(q *session) error {
		r, err := newRecorder(q, run, by)
		if err == nil {
			err = do(r)
		}
		return err
	})
	if err == nil {
		d.watch.changed(run)
	}
	return d.writeError(fmt.Sprintf("%s %d", verb, run), err)
}

func (r *recorder) event(e Event) error {
	r.seq++
	_, err := r.exec(`INSERT INTO events (run, seq, lane_run, lane, kind, at, message) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.run, r.seq, e.LaneRun, e.Lane, e.Kind, millis(orNow(e.At)), e.Message)
	return err
}

func (r *recorder) insertLane(l LaneRun) (LaneRun, error) {
	err := r.value(&l.ID, `INSERT INTO lane_runs (run, position, lane, title, attempt, path, glob, reason,
		plugin, digest, image, state, required, queued, supersede, grp)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		l.Run, l.Update, l.Lane, l.Title, l.Attempt, l.Path, l.Glob, l.Reason,
		l.Plugin, l.Digest, l.Image, string(l.State), l.Required, millis(l.Queued), l.Supersede, l.Group)
	return l, err
}

func sorted[K cmp.Ordered, V any](set map[K]V) []K { return slices.Sorted(maps.Keys(set)) }
