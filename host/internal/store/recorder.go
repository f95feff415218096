package store

import (
	"context"
	"database/sql"
)

// recorder writes into one run within one transaction. It keeps what is asked
// for again and again: the statements and the next event's number.
type recorder struct {
	ctx    context.Context
	tx     *sql.Tx
	run    int64
	seq    int64
	events *sql.Stmt
}

func newRecorder(ctx context.Context, tx *sql.Tx, run int64) (*recorder, error) {
	r := &recorder{ctx: ctx, tx: tx, run: run}
	err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM events WHERE run = ?`, run).Scan(&r.seq)
	if err != nil {
		return nil, err
	}
	r.events, err = tx.PrepareContext(ctx, `INSERT INTO events (run, seq, lane_run, lane, kind, at, message) VALUES (?, ?, ?, ?, ?, ?, ?)`)
	return r, err
}

func (r *recorder) close() { r.events.Close() }

func (r *recorder) event(e Event) error {
	r.seq++
	_, err := r.events.ExecContext(r.ctx, r.run, r.seq, e.LaneRun, e.Lane, e.Kind, millis(orNow(e.At)), e.Message)
	return err
}

func (r *recorder) insertLane(l LaneRun) (LaneRun, error) {
	res, err := r.tx.ExecContext(r.ctx, `INSERT INTO lane_runs (run, position, lane, title, attempt, path, glob, reason,
		plugin, digest, image, state, required, queued) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		l.Run, l.Update, l.Lane, l.Title, l.Attempt, l.Path, l.Glob, l.Reason,
		l.Plugin, l.Digest, l.Image, string(l.State), l.Required, millis(l.Queued))
	if err == nil {
		l.ID, err = res.LastInsertId()
	}
	return l, err
}
