package store

import (
	"context"
	"fmt"
	"time"

	"github.com/pushlane/pushlane/host/internal/alive"
)

// known reports whether a host is dead, as far as that can be determined without a
// lease. All hosts of an SQLite file are on this machine and have their marks in
// one folder; those of a server may be anywhere.
func (d *dialect) known(h Host) (dead, sure bool) {
	switch h.State(d.marks) {
	case alive.Alive:
		return false, true
	case alive.Dead:
		return true, true
	}
	return !d.postgres, !d.postgres
}

// claimState is what tells whether a claim is lost.
type claimState struct {
	host     Host
	lease    time.Time
	cancelBy string
	parked   bool
	now      time.Time
	dialect  *dialect
}

func (q *session) claimOf(run int64) (claimState, error) {
	now, err := q.now()
	if err != nil {
		return claimState{}, err
	}
	c := claimState{now: now, dialect: q.dialect}
	err = q.row(c.dest(), `SELECT `+claimColumns+` FROM runs r WHERE r.id = ?`, run)
	return c, err
}

// claimColumns are what dest reads.
const claimColumns = `r.host_pid, r.host_start, r.host_boot, r.host_space, r.lease, r.cancel_by, r.parked`

func (c *claimState) dest() []any {
	return []any{&c.host.PID, &c.host.Start, &c.host.Boot, &c.host.Space, stamp{&c.lease}, &c.cancelBy, &c.parked}
}

// lost: its process ended or, if that cannot be determined, its lease has expired.
// The clock does not matter for a process that is known to be alive. A run that was
// never claimed has no lease.
func (c claimState) lost() bool {
	if dead, sure := c.dialect.known(c.host); sure {
		return dead
	}
	return !c.lease.IsZero() && !c.now.Before(c.lease)
}

// Lost lists claimed runs, with their lane runs, whose process ended or, if
// machines share the database and it cannot be seen, whose lease has expired,
// oldest first. The caller calls Requeue, which checks again. Use Holding for other
// writes about one, so that a new holder of the claim is not disturbed.
func (w *Queue) Lost(ctx context.Context) ([]Run, error) {
	open, err := w.openRuns(ctx, true)
	var now time.Time
	if err == nil {
		now, err = w.db.reading(ctx).now()
	}
	var lost []Run
	for _, r := range open {
		c := claimState{host: r.Host, lease: r.Lease, dialect: w.db.dialect, now: now}
		if err == nil && r.State == Running && c.lost() {
			r.Lanes, err = w.db.reading(ctx).laneRuns(r.ID)
			lost = append(lost, r)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list lost runs: %w", err)
	}
	return lost, nil
}

// abandonedAfter is when a run of a process that cannot be seen, and which has
// no lease, is given up: no gate keeps a pusher waiting for so long.
const abandonedAfter = 24 * time.Hour

// Abandoned lists the open runs that were not made to be claimed and whose
// process ended, oldest first. If machines share the database, those of a process
// that cannot be seen are listed only after a day. The caller ends them; of two
// that try, the second gets a ConflictError.
func (w *Queue) Abandoned(ctx context.Context) ([]Run, error) {
	open, err := w.openRuns(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("cannot list open runs: %w", err)
	}
	var gone []Run
	for _, r := range open {
		dead, sure := w.db.dialect.known(r.Host)
		if sure && dead || !sure && time.Since(r.Queued) > abandonedAfter {
			gone = append(gone, r)
		}
	}
	return gone, nil
}

// Mine lists the runs that are open in the name of the calling process, with
// their lane runs, oldest first.
func (w *Queue) Mine(ctx context.Context) ([]Run, error) {
	var mine []Run
	for _, waiting := range []bool{false, true} {
		open, err := w.openRuns(ctx, waiting)
		if err != nil {
			return nil, fmt.Errorf("cannot list open runs: %w", err)
		}
		for _, r := range open {
			if r.State != Running || r.Host != ThisHost() {
				continue
			}
			if r.Lanes, err = w.db.reading(ctx).laneRuns(r.ID); err != nil {
				return nil, err
			}
			mine = append(mine, r)
		}
	}
	return mine, nil
}

func (w *Queue) openRuns(ctx context.Context, waiting bool) ([]Run, error) {
	return w.db.reading(ctx).runs(
		runQuery+` WHERE r.waiting = ? AND r.state IN ('queued', 'running') ORDER BY r.id`, waiting)
}
