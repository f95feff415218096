package store

import (
	"fmt"
	"time"
)

// supersede takes the lanes of a new run that say so out of older runs that
// still wait: same repository, ref and lane, and made to be superseded too. It
// returns the runs that it touched. A rerun supersedes nothing: it may be of
// an older commit than what waits.
func (q *session) supersede(repo int64, run *Run, lanes []NewLane) ([]int64, error) {
	older := map[int64]bool{}
	for _, l := range lanes {
		if !l.Picked || !l.Supersede {
			continue
		}
		ids, err := q.supersedable(repo, run, l, 0)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			older[id] = true
		}
	}
	message := fmt.Sprintf("superseded by run #%d", run.Number)
	ids := sorted(older) // rows are locked in one order everywhere
	for _, id := range ids {
		if err := q.supersedeRun(repo, run, lanes, id, message); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

const supersedeFrom = ` FROM lane_runs l JOIN runs r ON r.id = l.run
	LEFT JOIN updates u ON u.run = l.run AND u.position = l.position
	WHERE r.repository = ? AND r.state = 'queued' AND r.waiting AND r.id < ? AND l.state = 'queued' AND l.supersede
	AND l.lane = ? AND coalesce(u.ref, '') = ?`

// supersedable lists older runs with such a lane that waits, or with a run
// given, its lane runs.
func (q *session) supersedable(repo int64, run *Run, l NewLane, in int64) ([]int64, error) {
	ref := ""
	if l.Update >= 0 {
		ref = run.Updates[l.Update].Ref
	}
	query, args := `SELECT DISTINCT l.run`+supersedeFrom, []any{repo, run.ID, l.Lane, ref}
	if in != 0 {
		query, args = `SELECT l.id`+supersedeFrom+` AND r.id = ? ORDER BY l.id`, append(args, in)
	}
	found, err := q.rows(query, args...)
	return collect(found, err, scanID)
}

// supersedeRun locks the older run and looks again: it may have been claimed
// meanwhile.
func (q *session) supersedeRun(repo int64, run *Run, lanes []NewLane, id int64, message string) error {
	r, err := newRecorder(q, id, claim{})
	if err != nil || r.state != Queued {
		return err
	}
	for _, l := range lanes {
		if !l.Picked || !l.Supersede {
			continue
		}
		ids, err := q.supersedable(repo, run, l, id)
		if err != nil {
			return err
		}
		for _, lane := range ids {
			res := Result{LaneRun: lane, From: Queued, State: Cancelled, At: run.Queued, Message: message}
			if err := res.apply(r); err != nil {
				return err
			}
		}
	}
	return r.endIfClosed(message, run.Queued)
}

// endIfClosed ends a run as cancelled when none of its lane runs is left.
func (r *recorder) endIfClosed(message string, at time.Time) error {
	open, err := r.openLanes()
	if err != nil || len(open) > 0 {
		return err
	}
	return End{State: Cancelled, Exit: exitUndecided, At: at, Message: message}.apply(r)
}

// exitUndecided is the Exit of a run that no one judged.
const exitUndecided = 3
