package store

import (
	"context"
	"database/sql"
)

// recorder writes into one run within one transaction. It keeps what a batch
// asks for again and again: prepared statements and the next event's number.
type recorder struct {
	ctx   context.Context
	tx    *sql.Tx
	run   int64
	seq   int64
	stmts map[string]*sql.Stmt // closed with the transaction
}

func newRecorder(ctx context.Context, tx *sql.Tx, run int64) (*recorder, error) {
	r := &recorder{ctx: ctx, tx: tx, run: run, stmts: map[string]*sql.Stmt{}}
	err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM events WHERE run = ?`, run).Scan(&r.seq)
	return r, err
}

func (r *recorder) prepare(query string) (*sql.Stmt, error) {
	if s, ok := r.stmts[query]; ok {
		return s, nil
	}
	s, err := r.tx.PrepareContext(r.ctx, query)
	if err == nil {
		r.stmts[query] = s
	}
	return s, err
}

func (r *recorder) exec(query string, args ...any) (sql.Result, error) {
	s, err := r.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(r.ctx, args...)
}

// value reads the one value of the one row that a query gives.
func (r *recorder) value(into any, query string, args ...any) error {
	s, err := r.prepare(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(r.ctx, args...).Scan(into)
}

func (r *recorder) event(e Event) error {
	r.seq++
	_, err := r.exec(`INSERT INTO events (run, seq, lane_run, lane, kind, at, message) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.run, r.seq, e.LaneRun, e.Lane, e.Kind, millis(orNow(e.At)), e.Message)
	return err
}

func (r *recorder) insertLane(l LaneRun) (LaneRun, error) {
	res, err := r.exec(`INSERT INTO lane_runs (run, position, lane, title, attempt, path, glob, reason,
		plugin, digest, image, state, required, queued) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		l.Run, l.Update, l.Lane, l.Title, l.Attempt, l.Path, l.Glob, l.Reason,
		l.Plugin, l.Digest, l.Image, string(l.State), l.Required, millis(l.Queued))
	if err == nil {
		l.ID, err = res.LastInsertId()
	}
	return l, err
}
