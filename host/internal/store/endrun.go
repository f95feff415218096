package store

import (
	"context"
	"fmt"
	"time"
)

func (e End) apply(r *recorder) error {
	if !e.State.Final() {
		return fmt.Errorf("%q is not an end", string(e.State))
	}
	at := orNow(e.At)
	err := r.moveRun(e.State)
	if err == nil {
		err = r.closeLanes(e, at)
	}
	if err == nil {
		err = r.one("it", `UPDATE runs SET state = ?, exit = ?, ended = ?, message = ?, parked = FALSE WHERE id = ?`,
			string(e.State), e.Exit, millis(at), e.Message, r.run)
	}
	if err == nil {
		err = r.event(Event{Kind: string(e.State), At: at, Message: e.Message})
	}
	return err
}

// moveRun refuses a move of the run that its present state does not allow.
func (r *recorder) moveRun(to State) error {
	if err := RunTransition(r.state, to); err != nil {
		if r.state.Final() {
			return &ConflictError{What: fmt.Sprintf("run %d", r.run), Want: Running, Got: r.state, To: to}
		}
		return err
	}
	r.state = to
	return nil
}

// open refuses what may only happen while the run goes on.
func (r *recorder) open() error {
	if r.state.Final() {
		return &ConflictError{What: fmt.Sprintf("run %d", r.run), Want: Running, Got: r.state, To: Running}
	}
	return nil
}

// closeLanes ends the lane runs that are still open.
func (r *recorder) closeLanes(e End, at time.Time) error {
	open, err := r.openLanes()
	if err != nil || len(open) == 0 {
		return err
	}
	if e.State != Broken && e.State != Cancelled {
		return &ConflictError{What: fmt.Sprintf("lane run %d", open[0].ID), Want: "at its end", Got: open[0].State,
			To: e.State}
	}
	for _, l := range open {
		res := Result{LaneRun: l.ID, From: l.State, State: e.State, At: at, Message: e.Message}
		if err := res.apply(r); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) openLanes() ([]LaneRun, error) {
	found, err := r.rows(`SELECT id, state FROM lane_runs
		WHERE run = ? AND state IN ('queued', 'starting', 'running') ORDER BY id`, r.run)
	return collect(found, err, func(row *rows) (l LaneRun, err error) {
		err = row.Scan(&l.ID, &l.State)
		return l, err
	})
}

// Retry adds the next attempt of a lane run that ended, in state queued.
func (s *Store) Retry(ctx context.Context, run, laneRun int64, message string) (LaneRun, error) {
	var next LaneRun
	err := s.db.inTx(ctx, func(q *session) error {
		r, err := newRecorder(q, run, s.claim)
		if err == nil {
			next, err = r.retry(laneRun, message)
		}
		return err
	})
	if err == nil {
		s.db.watch.changed(run)
	}
	return next, s.db.writeError(fmt.Sprintf("retry lane run %d", laneRun), err)
}

func (r *recorder) retry(id int64, message string) (LaneRun, error) {
	list, err := r.lanes(` WHERE run = ? AND id = ?`, r.run, id)
	if err != nil {
		return LaneRun{}, err
	}
	if len(list) == 0 {
		return LaneRun{}, fmt.Errorf("lane run %d is not part of run %d", id, r.run)
	}
	old := list[0]
	if err := r.open(); err != nil {
		return LaneRun{}, err
	}
	if !old.State.Final() {
		return LaneRun{}, &ConflictError{What: fmt.Sprintf("lane run %d", id), Want: Broken, Got: old.State, To: Queued}
	}
	next := old
	next.ID, next.Attempt, next.State = 0, old.Attempt+1, Queued
	next.Queued, next.Started, next.Ended = time.Now().Truncate(time.Millisecond), time.Time{}, time.Time{}
	next.Message, next.Log, next.Image = "", File{}, ""
	if next, err = r.insertLane(next); err != nil {
		return LaneRun{}, err
	}
	return next, r.event(Event{LaneRun: next.ID, Lane: next.Lane, Kind: "retry", Message: message})
}
