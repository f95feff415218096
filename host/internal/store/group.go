package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// Groups are the lines of lane runs that wait for their group.
type Groups struct {
	db    *database
	claim claim // of who writes; see Store.Holding
}

// Groups are the lines of lane runs that may not run at once.
func (s *Store) Groups() *Groups { return &Groups{s.db, s.claim} }

// ticket is a lane run's place in the line of its group.
type ticket struct {
	lane  int64
	holds bool
	state State // of the lane run
	claim claimState
}

// Enter takes a ticket for the lane run, where it has none, and says
// whether it may go now: fewer than limit hold the group, and none waits that
// was made before it. A group belongs to a zone: runs of another zone that
// name the same group do not count. Call it again until it says yes. The ticket counts
// until Leave, until its lane run ends or its run is queued again, or
// until the process that works on it is dead or has lost its claim.
func (g *Groups) Enter(ctx context.Context, in zone.Zone, group string, limit int, laneRun int64) (bool, error) {
	enter := false
	err := g.db.inTx(ctx, func(q *session) error {
		repo, err := q.lockRepository(in.Repository)
		if err == nil {
			err = q.mayEnter(laneRun, g.claim)
		}
		if err != nil {
			return err
		}
		_, err = q.exec(
			`INSERT INTO tickets (lane_run, repository, zone, grp) VALUES (?, ?, ?, ?) ON CONFLICT (lane_run) DO NOTHING`,
			laneRun, repo, in.Key(), group)
		if err != nil {
			return err
		}
		line, err := q.line(in, group, laneRun)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(line, func(t ticket) bool { return t.lane == laneRun }) {
			return fmt.Errorf("lane run %d is in line for another group", laneRun)
		}
		if enter = mayGo(line, laneRun, limit); enter {
			_, err = q.exec(`UPDATE tickets SET holds = TRUE WHERE lane_run = ? AND NOT holds`, laneRun)
		}
		return err
	})
	return enter, g.db.writeError(fmt.Sprintf("enter group %q", group), err)
}

func mayGo(line []ticket, lane int64, limit int) bool {
	holders := 0
	for _, t := range line {
		switch {
		case t.lane == lane && t.holds:
			return true
		case t.holds:
			holders++
		case t.lane < lane:
			return false
		}
	}
	return holders < limit
}

// lockRepository keeps others of this repository from entering any group.
func (q *session) lockRepository(key string) (id int64, err error) {
	err = q.value(&id, `SELECT id FROM repositories WHERE key = ? FOR UPDATE`, key)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("the repository %s has no runs", key)
	}
	return id, err
}

// mayEnter refuses a lane run that has ended, or that another works on now.
func (q *session) mayEnter(lane int64, by claim) error {
	var run, fence int64
	var state, runState State
	err := q.row([]any{&run, &state, &fence, &runState}, `SELECT l.run, l.state, r.fence, r.state
		FROM lane_runs l JOIN runs r ON r.id = l.run WHERE l.id = ?`, lane)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("there is no lane run %d", lane)
	case err != nil:
		return err
	case by.run == run && by.fence != fence:
		return lostClaim(run, by.fence, fence, runState)
	case state.Final():
		return &ConflictError{What: fmt.Sprintf("lane run %d", lane), Want: Queued, Got: state, To: Starting}
	}
	return nil
}

// line lists the valid tickets in the order of lane runs, and deletes the others:
// those of ended lane runs and of processes that ended. The caller is alive.
func (q *session) line(in zone.Zone, group string, asks int64) ([]ticket, error) {
	now, err := q.now()
	if err != nil {
		return nil, err
	}
	found, err := q.rows(`SELECT t.lane_run, t.holds, l.state, `+claimColumns+
		` FROM tickets t JOIN lane_runs l ON l.id = t.lane_run
		JOIN runs r ON r.id = l.run WHERE t.zone = ? AND t.grp = ? ORDER BY t.lane_run`, in.Key(), group)
	all, err := collect(found, err, func(row *rows) (t ticket, err error) {
		t.claim = claimState{now: now, dialect: q.dialect}
		err = row.Scan(append([]any{&t.lane, &t.holds, &t.state}, t.claim.dest()...)...)
		return t, err
	})
	if err != nil {
		return nil, err
	}
	var line []ticket
	for _, t := range all {
		if t.lane == asks || !t.state.Final() && (t.claim.parked || !t.claim.lost()) {
			line = append(line, t)
			continue
		}
		if _, err := q.exec(`DELETE FROM tickets WHERE lane_run = ?`, t.lane); err != nil {
			return nil, err
		}
	}
	return line, nil
}

// Leave gives the lane run's ticket back. It has none: nothing happens.
func (g *Groups) Leave(ctx context.Context, laneRun int64) error {
	err := g.db.inTx(ctx, func(q *session) error {
		conflict := (*ConflictError)(nil)
		if g.claim != (claim{}) && errors.As(q.mayEnter(laneRun, g.claim), &conflict) && conflict.Why != "" {
			return nil // the ticket is its new holder's
		}
		var repo string
		err := q.value(&repo, `SELECT p.key FROM tickets t JOIN repositories p ON p.id = t.repository WHERE t.lane_run = ?`,
			laneRun)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			_, err = q.lockRepository(repo)
		}
		if err == nil {
			err = q.wake(`t.lane_run = ?`, laneRun)
		}
		if err == nil {
			_, err = q.exec(`DELETE FROM tickets WHERE lane_run = ?`, laneRun)
		}
		return err
	})
	if err == nil {
		g.db.bell.ring()
	}
	return g.db.writeError(fmt.Sprintf("leave the group of lane run %d", laneRun), err)
}

// Line tells where a lane run is in the line for its group, from 1,
// and how many hold the group; position 0 means that it does not wait.
func (g *Groups) Line(ctx context.Context, laneRun int64) (position, holders int, err error) {
	err = g.db.reading(ctx).row([]any{&position, &holders}, `SELECT
		coalesce(sum(CASE WHEN NOT t.holds AND NOT mine.holds AND t.lane_run <= mine.lane_run THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE WHEN t.holds THEN 1 ELSE 0 END), 0)
		FROM tickets mine JOIN tickets t ON t.zone = mine.zone AND t.grp = mine.grp
		JOIN lane_runs l ON l.id = t.lane_run
		WHERE mine.lane_run = ? AND l.state IN ('queued', 'starting', 'running')`, laneRun)
	if err != nil {
		err = fmt.Errorf("cannot read the line of lane run %d: %w", laneRun, err)
	}
	return position, holders, err
}

// wake lets a run be claimed again that is first in the line behind tickets.
// It is a hint: a run that is woken requests its place like any other.
func (q *session) wake(tickets string, args ...any) error {
	touched, err := q.exec(`UPDATE runs SET parked = FALSE WHERE parked AND id IN (
		SELECT l.run FROM lane_runs l WHERE l.id IN (
			SELECT min(w.lane_run) FROM tickets t JOIN tickets w ON w.zone = t.zone AND w.grp = t.grp
				AND w.lane_run <> t.lane_run
			JOIN lane_runs wl ON wl.id = w.lane_run JOIN runs wr ON wr.id = wl.run
			WHERE `+tickets+` AND NOT w.holds AND wr.parked GROUP BY t.lane_run))`, args...)
	if err == nil && touched > 0 {
		err = q.tellQueued()
	}
	return err
}

// wakeBehind wakes those behind the tickets of a run that gives them up.
func (q *session) wakeBehind(run int64) error {
	return q.wake(`t.lane_run IN (SELECT id FROM lane_runs WHERE run = ?)`, run)
}
