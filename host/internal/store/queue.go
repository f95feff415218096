package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

var ErrKnown = errors.New("the run is known already")

func (f LanesFile) sum() string {
	h := sha256.Sum256([]byte(f.Source + "\x00" + string(f.Text)))
	return hex.EncodeToString(h[:])
}

func (s *Store) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) Wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-time.After(min(d, 500*time.Millisecond)):
	}
}

func (s *Store) RunByID(ctx context.Context, id int64) (Run, error) {
	runs, err := s.runs(ctx, runQuery+` WHERE r.id = ?`, id)
	if err == nil && len(runs) == 0 {
		err = ErrNoRun
	}
	if err != nil {
		return Run{}, err
	}
	runs[0].Lanes, err = s.LaneRuns(ctx, id)
	return runs[0], err
}

func (s *Store) RunByOrigin(ctx context.Context, repoKey, origin string) (Run, error) {
	runs, err := s.runs(ctx, runQuery+` WHERE p.key = ? AND r.origin = ? AND r.origin <> ''`, repoKey, origin)
	if err == nil && len(runs) == 0 {
		err = ErrNoRun
	}
	if err != nil {
		return Run{}, err
	}
	runs[0].Lanes, err = s.LaneRuns(ctx, runs[0].ID)
	return runs[0], err
}

func (s *Store) Claim(ctx context.Context, host Host, lease time.Duration) (Run, bool, error) {
	var id int64
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT id FROM runs WHERE state = 'queued' AND waiting = 1 ORDER BY priority DESC, id LIMIT 1`).Scan(&id)
		if err != nil {
			return err
		}
		now := time.Now()
		_, err = tx.ExecContext(ctx, `UPDATE runs SET state = 'running', started = CASE started WHEN 0 THEN ? ELSE started END, host_pid = ?, host_start = ?, host_boot = ?, host_space = ?, lease = ?, fence = fence + 1 WHERE id = ?`,
			millis(now), host.PID, host.Start, host.Boot, host.Space, millis(now.Add(lease)), id)
		if err != nil {
			return err
		}
		r, err := newRecorder(ctx, tx, id)
		if err != nil {
			return err
		}
		return r.event(Event{Kind: "running"})
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, false, nil
	}
	if err != nil {
		return Run{}, false, err
	}
	run, err := s.RunByID(ctx, id)
	return run, err == nil, err
}

func (s *Store) Renew(ctx context.Context, run, fence int64, lease time.Duration) (string, error) {
	var by string
	err := s.write.QueryRowContext(ctx, `UPDATE runs SET lease = ? WHERE id = ? AND fence = ? AND state = 'running' RETURNING cancel_by`, millis(time.Now().Add(lease)), run, fence).Scan(&by)
	if errors.Is(err, sql.ErrNoRows) {
		return "", &ConflictError{What: fmt.Sprintf("run %d", run), Want: Running}
	}
	return by, err
}

func (s *Store) Requeue(ctx context.Context, run int64, why string) error {
	defer s.wakeUp()
	return s.inTx(ctx, func(tx *sql.Tx) error {
		r, err := newRecorder(ctx, tx, run)
		if err != nil {
			return err
		}
		var state string
		if err := r.value(&state, `SELECT state FROM runs WHERE id = ?`, run); err != nil {
			return err
		}
		if state != "running" {
			return &ConflictError{What: fmt.Sprintf("run %d", run), Want: Running, Got: State(state), To: Queued}
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
		if err := r.one("it", `UPDATE runs SET state = 'queued', lease = 0 WHERE id = ?`, run); err != nil {
			return err
		}
		return r.event(Event{Kind: "requeued", Message: why})
	})
}

func (s *Store) Lost(ctx context.Context) ([]Run, error) {
	open, err := s.runs(ctx, runQuery+` WHERE r.waiting = 1 AND r.state = 'running' ORDER BY r.id`)
	if err != nil {
		return nil, err
	}
	now := ThisHost()
	var gone []Run
	for _, r := range open {
		if r.Host.gone(now) || time.Now().After(r.Lease) {
			if r.Lanes, err = s.LaneRuns(ctx, r.ID); err != nil {
				return nil, err
			}
			gone = append(gone, r)
		}
	}
	return gone, nil
}

func (s *Store) Cancel(ctx context.Context, run int64, by, why string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		r, err := newRecorder(ctx, tx, run)
		if err != nil {
			return err
		}
		var state State
		if err := r.value(&state, `SELECT state FROM runs WHERE id = ?`, run); err != nil {
			return err
		}
		msg := strings.TrimSuffix("cancelled by "+by+": "+why, ": ")
		switch state {
		case Queued:
			return End{State: Cancelled, Exit: 3, Message: msg}.apply(r)
		case Running:
			if err := r.one("it", `UPDATE runs SET cancel_by = ? WHERE id = ?`, by, run); err != nil {
				return err
			}
			return r.event(Event{Kind: "cancel asked", Message: msg})
		}
		return &ConflictError{What: fmt.Sprintf("run %d", run), Want: Running, Got: state, To: Cancelled}
	})
}

func (s *Store) Rerun(ctx context.Context, run int64, failedOnly bool, by string) (Run, error) {
	old, err := s.RunByID(ctx, run)
	if err != nil {
		return Run{}, err
	}
	n := NewRun{RepoKey: old.RepoKey, RepoName: old.RepoName, Gate: old.Gate, Remote: old.Remote, Pusher: by, Waiting: true, Priority: old.Priority, RerunOf: old.Number, Updates: old.Updates}
	last := map[string]LaneRun{}
	var order []string
	for _, l := range old.Lanes {
		k := fmt.Sprint(l.Update, l.Lane)
		if _, ok := last[k]; !ok {
			order = append(order, k)
		}
		last[k] = l
	}
	for _, k := range order {
		l := last[k]
		if failedOnly && l.State == Passed {
			continue
		}
		n.Lanes = append(n.Lanes, NewLane{Update: l.Update, Lane: l.Lane, Title: l.Title, Picked: true, Path: l.Path, Glob: l.Glob, Reason: l.Reason, Plugin: l.Plugin, Required: l.Required})
	}
	return s.Begin(ctx, n)
}

type Repository struct {
	Key, Name string
	Served    bool
	Runs      int
	Newest    *Run
}

func (s *Store) Register(ctx context.Context, key, name string) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO repositories (key, name, served) VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET name = excluded.name, served = 1`, key, name)
	return err
}

func (s *Store) Repositories(ctx context.Context) ([]Repository, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT key, name, served, last_number FROM repositories ORDER BY name, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Repository
	for rows.Next() {
		var r Repository
		if err := rows.Scan(&r.Key, &r.Name, &r.Served, &r.Runs); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func (s *Store) Fired(ctx context.Context, repoKey, lane string) (time.Time, error) {
	var origin sql.NullString
	err := s.read.QueryRowContext(ctx, `SELECT max(r.origin) FROM runs r JOIN repositories p ON p.id = r.repository WHERE p.key = ? AND r.origin LIKE ?`, repoKey, "schedule:"+lane+":%").Scan(&origin)
	if err != nil || !origin.Valid {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, strings.TrimPrefix(origin.String, "schedule:"+lane+":"))
}

func (s *Store) EnterGroup(ctx context.Context, repoKey, group string, limit int, laneRun int64) (bool, error) {
	ok := false
	key := repoKey + "\x00" + group
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO tickets (lane_run, grp) VALUES (?, ?) ON CONFLICT DO NOTHING`, laneRun, key); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM tickets WHERE grp = ? AND lane_run IN (SELECT id FROM lane_runs WHERE state NOT IN ('queued', 'starting', 'running'))`, key); err != nil {
			return err
		}
		var before int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tickets WHERE grp = ? AND (holds = 1 OR lane_run < ?) AND lane_run <> ?`, key, laneRun, laneRun).Scan(&before); err != nil {
			return err
		}
		if ok = before < limit; ok {
			_, err := tx.ExecContext(ctx, `UPDATE tickets SET holds = 1 WHERE lane_run = ?`, laneRun)
			return err
		}
		return nil
	})
	return ok, err
}

func (s *Store) LeaveGroup(ctx context.Context, laneRun int64) error {
	_, err := s.write.ExecContext(ctx, `DELETE FROM tickets WHERE lane_run = ?`, laneRun)
	return err
}
