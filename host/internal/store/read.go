package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrNoRun is given for a run that is not kept here.
var ErrNoRun = errors.New("there is no such run")

// Filter chooses runs.
type Filter struct {
	RepoKey string // "": of all repositories
	Limit   int    // 0: 50
	Before  int64  // only runs with a smaller ID; 0: from the newest
}

const runQuery = `SELECT r.id, r.number, p.key, p.name, r.gate, r.remote, r.pusher, r.state, r.exit, r.message,
	r.skip_reason, r.queued, r.started, r.ended, r.host_pid, r.host_start, r.host_boot, r.host_space,
	r.origin, r.priority, r.rerun_of, r.cancel_by, r.lease, r.fence, r.waiting
	FROM runs r JOIN repositories p ON p.id = r.repository`

// Runs lists runs with their updates, newest first.
func (s *Store) Runs(ctx context.Context, f Filter) ([]Run, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	runs, err := s.runs(ctx, runQuery+` WHERE (?1 = '' OR p.key = ?1) AND (?2 = 0 OR r.id < ?2)
		ORDER BY r.id DESC LIMIT ?3`, f.RepoKey, f.Before, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("cannot list runs: %w", err)
	}
	return runs, nil
}

// Run reads one run of a repository by its number, with its lane runs. The
// number 0 means the newest. The error is ErrNoRun when there is none.
func (s *Store) Run(ctx context.Context, repoKey string, number int64) (Run, error) {
	runs, err := s.runs(ctx, runQuery+` WHERE p.key = ?1 AND (?2 = 0 OR r.number = ?2)
		ORDER BY r.number DESC LIMIT 1`, repoKey, number)
	if err == nil && len(runs) == 0 {
		err = ErrNoRun
	}
	if err == nil {
		runs[0].Lanes, err = s.LaneRuns(ctx, runs[0].ID)
	}
	if err != nil {
		return Run{}, fmt.Errorf("cannot read run #%d: %w", number, err)
	}
	return runs[0], nil
}

func (s *Store) runs(ctx context.Context, query string, args ...any) ([]Run, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	runs, err := scanRuns(rows)
	for i := range runs {
		if err == nil {
			runs[i].Updates, err = s.updates(ctx, runs[i].ID)
		}
	}
	return runs, err
}

func scanRuns(rows *sql.Rows) ([]Run, error) {
	defer rows.Close()
	var runs []Run
	for rows.Next() {
		var r Run
		var queued, started, ended, lease int64
		err := rows.Scan(&r.ID, &r.Number, &r.RepoKey, &r.RepoName, &r.Gate, &r.Remote, &r.Pusher, &r.State, &r.Exit,
			&r.Message, &r.Skip, &queued, &started, &ended, &r.Host.PID, &r.Host.Start, &r.Host.Boot, &r.Host.Space,
			&r.Origin, &r.Priority, &r.RerunOf, &r.CancelBy, &lease, &r.Fence, &r.Waiting)
		if err != nil {
			return nil, err
		}
		r.Queued, r.Started, r.Ended = fromMillis(queued), fromMillis(started), fromMillis(ended)
		r.Lease = fromMillis(lease)
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

func (s *Store) updates(ctx context.Context, run int64) ([]Update, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT u.ref, u.old, u.new, u.base, u.forced, u.protected, u.lanes_rev, coalesce(f.source, ''), coalesce(f.text, x'') FROM updates u LEFT JOIN lanes_files f ON f.sha256 = u.lanes_sha WHERE u.run = ? ORDER BY u.position`, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Update
	for rows.Next() {
		var u Update
		if err := rows.Scan(&u.Ref, &u.Old, &u.New, &u.Base, &u.Forced, &u.Protected, &u.LanesRev, &u.Lanes.Source, &u.Lanes.Text); err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, rows.Err()
}

const laneQuery = `SELECT id, run, position, lane, title, attempt, path, glob, reason, plugin, digest, image, state,
	required, queued, started, ended, message, log_path, log_size, log_sha256 FROM lane_runs`

// LaneRuns lists a run's lane runs in the order in which they were made:
// lane order, then retries.
func (s *Store) LaneRuns(ctx context.Context, run int64) ([]LaneRun, error) {
	list, err := scanLanes(s.read.QueryContext(ctx, laneQuery+` WHERE run = ? ORDER BY id`, run))
	if err != nil {
		return nil, fmt.Errorf("cannot list lane runs: %w", err)
	}
	return list, nil
}

func scanLanes(rows *sql.Rows, err error) ([]LaneRun, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []LaneRun
	for rows.Next() {
		var l LaneRun
		var queued, started, ended int64
		err := rows.Scan(&l.ID, &l.Run, &l.Update, &l.Lane, &l.Title, &l.Attempt, &l.Path, &l.Glob, &l.Reason,
			&l.Plugin, &l.Digest, &l.Image, &l.State, &l.Required, &queued, &started, &ended, &l.Message,
			&l.Log.Path, &l.Log.Size, &l.Log.SHA256)
		if err != nil {
			return nil, err
		}
		l.Queued, l.Started, l.Ended = fromMillis(queued), fromMillis(started), fromMillis(ended)
		list = append(list, l)
	}
	return list, rows.Err()
}

// Findings lists a run's findings, lane run by lane run, in the order in
// which the plugins gave them.
func (s *Store) Findings(ctx context.Context, run int64) ([]Finding, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT f.lane_run, f.level, f.path, f.line, f.col, f.rule, f.message
		FROM findings f JOIN lane_runs l ON l.id = f.lane_run WHERE l.run = ? ORDER BY f.lane_run, f.position`, run)
	if err != nil {
		return nil, fmt.Errorf("cannot list findings: %w", err)
	}
	defer rows.Close()
	var list []Finding
	for rows.Next() {
		var f Finding
		if err := rows.Scan(&f.LaneRun, &f.Level, &f.Path, &f.Line, &f.Col, &f.Rule, &f.Message); err != nil {
			return nil, fmt.Errorf("cannot list findings: %w", err)
		}
		list = append(list, f)
	}
	return list, rows.Err()
}

// Artifacts lists the files that a lane run left, by name.
func (s *Store) Artifacts(ctx context.Context, laneRun int64) ([]File, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT name, path, size, sha256 FROM artifacts WHERE lane_run = ? ORDER BY name`, laneRun)
	if err != nil {
		return nil, fmt.Errorf("cannot list artifacts: %w", err)
	}
	defer rows.Close()
	var list []File
	for rows.Next() {
		var f File
		if err := rows.Scan(&f.Name, &f.Path, &f.Size, &f.SHA256); err != nil {
			return nil, fmt.Errorf("cannot list artifacts: %w", err)
		}
		list = append(list, f)
	}
	return list, rows.Err()
}

// Events lists a run's history from its first event on.
func (s *Store) Events(ctx context.Context, run int64) ([]Event, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT seq, lane_run, lane, kind, at, message FROM events WHERE run = ? ORDER BY seq`, run)
	if err != nil {
		return nil, fmt.Errorf("cannot list events: %w", err)
	}
	defer rows.Close()
	var list []Event
	for rows.Next() {
		var e Event
		var at int64
		if err := rows.Scan(&e.Seq, &e.LaneRun, &e.Lane, &e.Kind, &at, &e.Message); err != nil {
			return nil, fmt.Errorf("cannot list events: %w", err)
		}
		e.At = fromMillis(at)
		list = append(list, e)
	}
	return list, rows.Err()
}
