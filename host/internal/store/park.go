package store

import (
	"context"
	"errors"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// Wish is a lane run that waits for its group.
type Wish struct {
	LaneRun int64
	Group   string
	Limit   int
}

// Park gives a claimed run back that does nothing but wait for groups: no host
// claims it before a place in one of them may be free. False: one of the lane
// runs may go now, or has begun. Its lane runs stay in line as they are.
// Through Holding only.
func (w *Queue) Park(ctx context.Context, run int64, in zone.Zone, wishes []Wish) (bool, error) {
	parked := false
	err := w.db.change(ctx, "park run", run, w.claim, func(r *recorder) (err error) {
		if _, err = r.lockRepository(in.Repository); err == nil {
			parked, err = r.mayPark(in, wishes)
		}
		if err != nil || !parked {
			return err
		}
		if _, err := r.exec(`UPDATE runs SET state = 'queued', parked = TRUE, lease = 0, fence = fence + 1 WHERE id = ?`,
			r.run); err != nil {
			return err
		}
		return r.event(Event{Kind: "parked", Message: "it waits for its group without a host"})
	})
	return parked && err == nil, err
}

// mayPark: it runs, all its open lane runs are queued, and none of the requested
// groups has a free place.
func (r *recorder) mayPark(in zone.Zone, wishes []Wish) (bool, error) {
	open, err := r.openLanes()
	if err != nil || r.state != Running || len(wishes) == 0 {
		return false, err
	}
	for _, l := range open {
		if l.State != Queued {
			return false, nil
		}
	}
	for _, w := range wishes {
		line, err := r.line(in, w.Group, w.LaneRun)
		if err != nil || mayGo(line, w.LaneRun, w.Limit) {
			return false, err
		}
	}
	return true, nil
}

// WakeParked lets the first run in the line of every group be claimed, and runs
// that are parked in no line: a host that held a place may have died, and a run
// that was woken may have been cancelled.
func (w *Queue) WakeParked(ctx context.Context) error {
	var parked int
	err := w.db.reading(ctx).value(&parked, `SELECT count(*) FROM runs WHERE state = 'queued' AND parked`)
	if err != nil || parked == 0 {
		return err
	}
	err = w.db.inTx(ctx, func(q *session) error {
		_, err := q.exec(`UPDATE runs SET parked = FALSE WHERE parked AND id IN (
			SELECT l.run FROM lane_runs l WHERE l.id IN (
				SELECT min(t.lane_run) FROM tickets t JOIN lane_runs tl ON tl.id = t.lane_run JOIN runs tr ON tr.id = tl.run
				WHERE NOT t.holds AND tr.parked GROUP BY t.zone, t.grp))`)
		if err == nil {
			_, err = q.exec(`UPDATE runs SET parked = FALSE WHERE parked AND NOT EXISTS (
				SELECT 1 FROM tickets t JOIN lane_runs l ON l.id = t.lane_run WHERE l.run = runs.id)`)
		}
		if err == nil {
			err = q.tellQueued()
		}
		return err
	})
	if err == nil {
		w.db.bell.ring()
	}
	return w.db.writeError("wake parked runs", err)
}

// Transient reports whether an error of this package is one of the database or
// the way to it, which may pass: a full disk, a server that is restarted or has
// no connection left. One that says that the change itself is wrong, or that
// another was first, is not.
func Transient(err error) bool {
	if err == nil || errors.As(err, new(*ConflictError)) || errors.Is(err, ErrNoRun) || errors.Is(err, ErrKnown) {
		return false
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return transientSQLite(err) || transientPostgres(err)
}
