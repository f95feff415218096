package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Claim takes a waiting run for host until the lease ends: queued becomes
// running. Runs of protected refs come first, then higher priorities, then
// older ones. False: none waits.
func (w *Queue) Claim(ctx context.Context, host Host, lease time.Duration) (Run, bool, error) {
	return w.claimOf(ctx, host, lease, claimable)
}

// ClaimProtected is Claim of runs of protected refs alone.
func (w *Queue) ClaimProtected(ctx context.Context, host Host, lease time.Duration) (Run, bool, error) {
	return w.claimOf(ctx, host, lease, claimableProtected)
}

// maxDeadlocks is how often a claim is tried that PostgreSQL ended to free another:
// claims that wait hold rows that others took meanwhile, and may wait for each other.
const maxDeadlocks = 10

func (w *Queue) claimOf(ctx context.Context, host Host, lease time.Duration, order string) (Run, bool, error) {
	rung := w.db.bell.count()
	if queued, err := w.anyQueued(ctx); !queued { // looking takes no lock
		w.db.bell.silence(rung)
		return Run{}, false, w.db.writeError("claim a run", err)
	}
	var id, fence int64
	var err error
	for range maxDeadlocks {
		err = w.db.inTx(ctx, func(q *session) (err error) {
			id, fence, err = q.claim(host, lease, order, w.except)
			return err
		})
		if !hasPgCode(err, pgDeadlock) {
			break
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		w.db.bell.silence(rung)
		return Run{}, false, nil
	}
	var run Run
	if err == nil {
		w.db.watch.changed(id)
		run, err = w.db.reading(ctx).runByID(id)
	}
	run.Fence = fence
	return run, err == nil, w.db.writeError("claim a run", err)
}

// claimable is the order of claims. Runs that others are changing right now
// are passed over at first, and waited for where there is no other.
const (
	claimable = `SELECT id FROM runs WHERE state = 'queued' AND waiting AND NOT parked%s
		ORDER BY protected DESC, priority DESC, id LIMIT 1 FOR UPDATE`
	claimableProtected = `SELECT id FROM runs WHERE state = 'queued' AND waiting AND NOT parked AND protected%s
		ORDER BY priority DESC, id LIMIT 1 FOR UPDATE`
)

func (q *session) claim(host Host, lease time.Duration, order string, except []string) (id, fence int64, err error) {
	condition, args := without(except)
	order = fmt.Sprintf(order, condition)
	err = q.value(&id, order+` SKIP LOCKED`, args...)
	if errors.Is(err, sql.ErrNoRows) && q.dialect.postgres {
		if err = q.value(&id, order, args...); hasPgCode(err, pgLockTimeout) {
			err = sql.ErrNoRows // its holder keeps it for long
		}
	}
	if err != nil {
		return 0, 0, err
	}
	now, err := q.now()
	if err != nil {
		return 0, 0, err
	}
	r, err := newRecorder(q, id, claim{})
	if err != nil {
		return 0, 0, err
	}
	err = q.value(&fence,
		`UPDATE runs SET state = 'running', parked = FALSE,
		started = CASE started WHEN 0 THEN ? ELSE started END, host_pid = ?,
		host_start = ?, host_boot = ?, host_space = ?, lease = ?, fence = fence + 1 WHERE id = ? RETURNING fence`,
		millis(now), host.PID, host.Start, host.Boot, host.Space, millis(now.Add(lease)), id)
	if err == nil {
		err = r.event(Event{Kind: string(Running), At: now})
	}
	return id, fence, err
}

// Renew prolongs a claim and says who asked for the run's end, "" for no one.
// A *ConflictError means that the claim was lost or the run has ended.
func (w *Queue) Renew(ctx context.Context, run, fence int64, lease time.Duration) (cancelBy string, err error) {
	err = w.db.inTx(ctx, func(q *session) error {
		now, err := q.now()
		if err != nil {
			return err
		}
		err = q.value(&cancelBy,
			`UPDATE runs SET lease = ? WHERE id = ? AND fence = ? AND state = 'running' RETURNING cancel_by`,
			millis(now.Add(lease)), run, fence)
		if errors.Is(err, sql.ErrNoRows) {
			r, err := newRecorder(q, run, claim{run, fence})
			if err != nil {
				return err
			}
			return lostClaim(run, fence, fence, r.state)
		}
		return err
	})
	return cancelBy, w.db.writeError(fmt.Sprintf("renew the claim on run %d", run), err)
}

// Requeue gives a claimed run back: running becomes queued. Its lane runs that
// had begun are broken with why, and get a next attempt; those that had not
// stay queued as they are. A run with a requested cancel ends cancelled instead.
// Without Holding, only a lost claim can be given back, or this process's own: a
// concurrent caller gets a *ConflictError.
func (w *Queue) Requeue(ctx context.Context, run int64, why string) error {
	err := w.db.change(ctx, "requeue run", run, w.claim, func(r *recorder) error {
		return r.requeue(w.claim.run == run, why)
	})
	if err == nil {
		w.db.bell.ring()
	}
	return err
}

func (r *recorder) requeue(held bool, why string) error {
	if r.state != Running {
		return &ConflictError{What: fmt.Sprintf("run %d", r.run), Want: Running, Got: r.state, To: Queued}
	}
	c, err := r.claimOf(r.run)
	if err != nil {
		return err
	}
	if !held && c.host != ThisHost() && !c.lost() {
		return &ConflictError{What: fmt.Sprintf("run %d", r.run), Want: Running, Got: Running, To: Queued,
			Why: fmt.Sprintf("process %d works on it", c.host.PID)}
	}
	if c.cancelBy != "" {
		return End{State: Cancelled, Exit: exitUndecided, Message: cancelMessage(c.cancelBy, why)}.apply(r)
	}
	if err := r.retryBegun(why); err != nil {
		return err
	}
	// A fence that grows here as well: until the next claim the old holder is
	// no one.
	deaths := 0
	if !held && c.host != ThisHost() {
		deaths = 1
	}
	if _, err := r.exec(`UPDATE runs SET state = 'queued', lease = 0, fence = fence + 1, deaths = deaths + ? WHERE id = ?`,
		deaths, r.run); err != nil {
		return err
	}
	if err := r.event(Event{Kind: "requeued", Message: why}); err != nil {
		return err
	}
	return r.tellQueued()
}

func (r *recorder) retryBegun(why string) error {
	if err := r.wakeBehind(r.run); err != nil {
		return err
	}
	if _, err := r.exec(`DELETE FROM tickets WHERE lane_run IN (SELECT id FROM lane_runs WHERE run = ?)`,
		r.run); err != nil {
		return err
	}
	open, err := r.openLanes()
	if err != nil {
		return err
	}
	for _, l := range open {
		if l.State == Queued {
			continue
		}
		if err := (Result{LaneRun: l.ID, From: l.State, State: Broken, Message: why}).apply(r); err != nil {
			return err
		}
		if _, err := r.retry(l.ID, why); err != nil {
			return err
		}
	}
	return nil
}

// Cancel asks for a run's end. One that waits ends cancelled at once; one that
// runs keeps the name of who asked first, for its host to see; of one that has
// ended it is a *ConflictError.
func (s *Store) Cancel(ctx context.Context, run int64, by, why string) error {
	return s.db.change(ctx, "cancel run", run, s.claim, func(r *recorder) error {
		message := cancelMessage(by, why)
		switch r.state {
		case Queued:
			return End{State: Cancelled, Exit: exitUndecided, Message: message}.apply(r)
		case Running:
			touched, err := r.exec(`UPDATE runs SET cancel_by = ? WHERE id = ? AND cancel_by = ''`, by, run)
			if err != nil || touched == 0 {
				return err
			}
			return r.event(Event{Kind: "cancel requested", Message: message})
		}
		return &ConflictError{What: fmt.Sprintf("run %d", run), Want: Running, Got: r.state, To: Cancelled}
	})
}

func cancelMessage(by, why string) string {
	return strings.TrimSuffix("cancelled by "+by+": "+why, ": ")
}
