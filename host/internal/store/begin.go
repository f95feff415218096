package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Begin keeps a new run: its number, updates, a lane run per picked lane, and
// the decision about every lane as an event. All or nothing.
func (s *Store) Begin(ctx context.Context, n NewRun) (Run, error) {
	if n.RepoKey == "" {
		return Run{}, errors.New("cannot begin a run: it has no repository")
	}
	run := Run{
		RepoKey: n.RepoKey, RepoName: n.RepoName, Gate: n.Gate, Remote: n.Remote, Pusher: n.Pusher, Skip: n.Skip,
		Origin: n.Origin, Priority: n.Priority, RerunOf: n.RerunOf, Waiting: n.Waiting,
		State: Running, Queued: orNow(n.At).Truncate(time.Millisecond), Host: n.Host, Updates: n.Updates,
	}
	run.Started = run.Queued
	if n.Waiting {
		run.State, run.Started = Queued, time.Time{}
	}
	if run.Host == (Host{}) {
		run.Host = ThisHost()
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if n.Origin != "" {
			var id int64
			err := tx.QueryRowContext(ctx, `SELECT r.id FROM runs r JOIN repositories p ON p.id = r.repository WHERE p.key = ? AND r.origin = ?`, n.RepoKey, n.Origin).Scan(&id)
			if err == nil {
				run.ID = id
				return ErrKnown
			}
		}
		return insertRun(ctx, tx, &run, n.Lanes)
	})
	if errors.Is(err, ErrKnown) {
		known, err := s.RunByID(ctx, run.ID)
		return known, errors.Join(err, ErrKnown)
	}
	if n.Waiting {
		s.wakeUp()
	}
	if err != nil {
		return Run{}, s.writeError("begin a run of "+n.RepoName, err)
	}
	return run, nil
}

func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func insertRun(ctx context.Context, tx *sql.Tx, run *Run, lanes []NewLane) error {
	var repo int64
	err := tx.QueryRowContext(ctx, `INSERT INTO repositories (key, name, last_number) VALUES (?, ?, 1)
		ON CONFLICT (key) DO UPDATE SET name = excluded.name, last_number = last_number + 1
		RETURNING id, last_number`, run.RepoKey, run.RepoName).Scan(&repo, &run.Number)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO runs (repository, number, gate, remote, pusher, state, skip_reason,
		queued, started, host_pid, host_start, host_boot, host_space, origin, priority, rerun_of, waiting) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		repo, run.Number, run.Gate, run.Remote, run.Pusher, string(run.State), run.Skip, millis(run.Queued),
		millis(run.Started), run.Host.PID, run.Host.Start, run.Host.Boot, run.Host.Space, run.Origin, run.Priority, run.RerunOf, run.Waiting)
	if err == nil {
		run.ID, err = res.LastInsertId()
	}
	if err == nil {
		err = insertUpdates(ctx, tx, run)
	}
	if err == nil {
		err = insertLanes(ctx, tx, run, lanes)
	}
	return err
}

func insertUpdates(ctx context.Context, tx *sql.Tx, run *Run) error {
	stmt, err := tx.PrepareContext(ctx, `INSERT INTO updates (run, position, ref, old, new, base, forced, protected, lanes_rev, lanes_sha) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i, u := range run.Updates {
		if _, err := tx.ExecContext(ctx, `INSERT INTO lanes_files (sha256, source, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, u.Lanes.sum(), u.Lanes.Source, append([]byte{}, u.Lanes.Text...)); err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, run.ID, i, u.Ref, u.Old, u.New, u.Base, u.Forced, u.Protected, u.LanesRev, u.Lanes.sum()); err != nil {
			return err
		}
	}
	return nil
}

func insertLanes(ctx context.Context, tx *sql.Tx, run *Run, lanes []NewLane) error {
	rec, err := newRecorder(ctx, tx, run.ID)
	if err != nil {
		return err
	}
	if run.Skip != "" {
		if err := rec.event(Event{Kind: "skip", At: run.Queued, Message: run.Skip}); err != nil {
			return err
		}
	}
	for _, n := range lanes {
		if n.Update < -1 || n.Update >= len(run.Updates) {
			return fmt.Errorf("lane %q names update %d of %d", n.Lane, n.Update, len(run.Updates))
		}
		e := Event{Lane: n.Lane, Kind: "not picked", At: run.Queued, Message: n.Reason}
		if n.Picked {
			lane, err := rec.insertLane(laneRun(*run, n))
			if err != nil {
				return err
			}
			run.Lanes = append(run.Lanes, lane)
			e.LaneRun, e.Kind = lane.ID, "picked"
		}
		if err := rec.event(e); err != nil {
			return err
		}
	}
	return nil
}

func laneRun(run Run, n NewLane) LaneRun {
	return LaneRun{
		Run: run.ID, Update: n.Update, Lane: n.Lane, Title: n.Title, Attempt: 1, Path: n.Path, Glob: n.Glob,
		Reason: n.Reason, Plugin: n.Plugin, State: Queued, Required: n.Required, Queued: run.Queued,
	}
}
