package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Change is one thing to keep about a run: an Event, Facts, Move, Result,
// Start or End.
type Change interface {
	apply(*recorder) error
}

// Facts are what becomes known about a lane run while it starts. An empty
// field leaves what was there.
type Facts struct {
	LaneRun int64
	Plugin  string
	Digest  string
	Image   string
	Log     string // path of the log that is being written

	CachedFrom int64 // number of the run whose result it is
}

// Move takes a lane run from one state to the next one before its end.
type Move struct {
	LaneRun  int64
	From, To State
	At       time.Time // zero: now
	Message  string
}

// Result ends a lane run.
type Result struct {
	LaneRun   int64
	From      State // empty: Running
	State     State // a final one
	At        time.Time
	Message   string
	Findings  []Finding
	Artifacts []File
	Log       File
}

// End ends a run. If it ends broken or cancelled its open lane runs end too; a run
// that passed or failed must not have any.
type End struct {
	State   State
	Exit    int
	At      time.Time
	Message string
}

// Record keeps a batch of changes of one run, all or nothing, in order. It
// returns a *ConflictError where a state has moved on meanwhile, and through
// Holding where the claim was lost.
func (s *Store) Record(ctx context.Context, run int64, changes ...Change) error {
	if len(changes) == 0 {
		return nil
	}
	return s.db.change(ctx, "record run", run, s.claim, func(r *recorder) error {
		for _, c := range changes {
			if err := c.apply(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e Event) apply(r *recorder) error { return r.event(e) }

func (f Facts) apply(r *recorder) error {
	return r.one(fmt.Sprintf("lane run %d", f.LaneRun), `UPDATE lane_runs SET plugin = coalesce(nullif(?, ''), plugin),
		digest = coalesce(nullif(?, ''), digest), image = coalesce(nullif(?, ''), image),
		log_path = coalesce(nullif(?, ''), log_path), cached_from = coalesce(nullif(?, 0), cached_from)
		WHERE id = ? AND run = ?`, f.Plugin, f.Digest, f.Image, f.Log, f.CachedFrom, f.LaneRun, r.run)
}

// one runs a statement that must touch one row.
func (r *recorder) one(what, query string, args ...any) error {
	if n, err := r.exec(query, args...); err != nil || n == 1 {
		return err
	}
	return fmt.Errorf("%s is not part of run %d", what, r.run)
}

func (m Move) apply(r *recorder) error {
	if m.To.Final() {
		return Result{LaneRun: m.LaneRun, From: m.From, State: m.To, At: m.At, Message: m.Message}.apply(r)
	}
	if err := Transition(m.From, m.To); err != nil {
		return fmt.Errorf("lane run %d: %w", m.LaneRun, err)
	}
	at := orNow(m.At)
	return r.moveLane(m.LaneRun, m.From, m.To, m.Message, at, `UPDATE lane_runs SET state = ?,
		started = CASE started WHEN 0 THEN ? ELSE started END WHERE id = ? AND run = ? AND state = ? RETURNING lane`,
		string(m.To), millis(at), m.LaneRun, r.run, string(m.From))
}

func (res Result) apply(r *recorder) error {
	from := res.From
	if from == "" {
		from = Running
	}
	err := Transition(from, res.State)
	if err == nil && !res.State.Final() {
		err = fmt.Errorf("%q is not an end", string(res.State))
	}
	if err != nil {
		return fmt.Errorf("lane run %d: %w", res.LaneRun, err)
	}
	at := orNow(res.At)
	err = r.moveLane(res.LaneRun, from, res.State, res.Message, at,
		`UPDATE lane_runs SET state = ?, ended = ?, message = ?,
		log_path = coalesce(nullif(?, ''), log_path), log_size = ?, log_sha256 = ?
		WHERE id = ? AND run = ? AND state = ? RETURNING lane`,
		string(res.State), millis(at), res.Message, res.Log.Path, res.Log.Size, res.Log.SHA256, res.LaneRun, r.run,
		string(from))
	if err == nil {
		err = r.findings(res.LaneRun, res.Findings)
	}
	if err == nil {
		err = r.artifacts(res.LaneRun, res.Artifacts)
	}
	return err
}

// moveLane runs a compare-and-set that returns the lane's id, and keeps the
// move as an event.
func (r *recorder) moveLane(id int64, from, to State, message string, at time.Time, query string, args ...any) error {
	var lane string
	err := r.value(&lane, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return r.laneConflict(id, from, to)
	}
	if err != nil {
		return err
	}
	return r.event(Event{LaneRun: id, Lane: lane, Kind: string(to), At: at, Message: message})
}

func (r *recorder) laneConflict(id int64, from, to State) error {
	var got State
	err := r.value(&got, `SELECT state FROM lane_runs WHERE id = ? AND run = ?`, id, r.run)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("lane run %d is not part of run %d", id, r.run)
	}
	if err != nil {
		return err
	}
	return &ConflictError{What: fmt.Sprintf("lane run %d", id), Want: from, Got: got, To: to}
}

func (r *recorder) findings(lane int64, list []Finding) error {
	for i, f := range list {
		_, err := r.exec(`INSERT INTO findings (lane_run, position, level, path, line, col, rule, message)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, lane, i, f.Level, f.Path, f.Line, f.Col, f.Rule, f.Message)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) artifacts(lane int64, list []File) error {
	names := map[string]bool{}
	for _, f := range list {
		if names[f.Name] {
			return fmt.Errorf("two artifacts have the name %q", f.Name)
		}
		names[f.Name] = true
		_, err := r.exec(`INSERT INTO artifacts (lane_run, name, path, size, sha256) VALUES (?, ?, ?, ?, ?)`,
			lane, f.Name, f.Path, f.Size, f.SHA256)
		if err != nil {
			return fmt.Errorf("artifact %q: %w", f.Name, err)
		}
	}
	return nil
}
