package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Filter chooses runs. An empty field asks for nothing.
type Filter struct {
	RepoKey string
	Ref     string // one of its updates is of this ref
	State   string
	Gate    string
	Limit   int   // 0: 50
	Before  int64 // only runs with a smaller ID; 0: from the newest
}

const runQuery = `SELECT r.id, r.number, p.key, p.name, r.gate, r.remote, r.pusher, r.state, r.exit, r.message,
	r.skip_reason, r.queued, r.started, r.ended, r.host_pid, r.host_start, r.host_boot, r.host_space,
	r.waiting, r.origin, r.priority, r.rerun_of, r.cancel_by, r.lease, r.fence, r.parked, r.deaths
	FROM runs r JOIN repositories p ON p.id = r.repository`

// Runs lists runs with their updates and how many lane runs passed, newest
// first.
func (s *Store) Runs(ctx context.Context, f Filter) ([]Run, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	w, from, order := f.where(), runQuery, ` ORDER BY r.id DESC LIMIT ?`
	if f.Ref != "" { // the ref's index has its runs in this order
		from, order = runQuery+` JOIN updates u ON u.run = r.id`, ` ORDER BY u.run DESC LIMIT ?`
	}
	runs, err := s.db.reading(ctx).runs(from+w.String()+order, append(w.args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("cannot list runs: %w", err)
	}
	return runs, nil
}

func (f Filter) where() *where {
	w := &where{}
	for _, c := range []struct{ condition, value string }{
		// One lookup, so that a repository's newest runs come off its index.
		{`r.repository = (SELECT id FROM repositories WHERE key = ?)`, f.RepoKey},
		{`u.ref = ?`, f.Ref},
		{`r.state = ?`, f.State},
		{`r.gate = ?`, f.Gate},
	} {
		if c.value != "" {
			w.and(c.condition, c.value)
		}
	}
	if f.Before != 0 {
		w.and(`r.id < ?`, f.Before)
	}
	return w
}

// RefusedAt is the newest run in which a protected ref refused an object, or
// could not be judged; false: none did.
func (s *Store) RefusedAt(ctx context.Context, repoKey, object string) (Run, bool, error) {
	w := &where{}
	w.and(`p.key = ?`, repoKey)
	w.and(`r.exit <> ?`, 0)
	w.and(`r.id IN (SELECT run FROM updates WHERE new = ? AND protected)`, object)
	found, err := s.db.reading(ctx).runs(runQuery+w.String()+` ORDER BY r.id DESC LIMIT 1`, w.args...)
	if err != nil || len(found) == 0 {
		return Run{}, false, err
	}
	return found[0], true, nil
}

// Run reads one run of a repository by its number, with its lane runs and
// lanes files. The number 0 means the newest. The error is ErrNoRun when there
// is none.
func (s *Store) Run(ctx context.Context, repoKey string, number int64) (Run, error) {
	w := &where{}
	w.and(`p.key = ?`, repoKey)
	if number != 0 {
		w.and(`r.number = ?`, number)
	}
	run, err := s.db.reading(ctx).run(w.String()+` ORDER BY r.number DESC LIMIT 1`, w.args...)
	if err != nil {
		return Run{}, fmt.Errorf("cannot read run #%d: %w", number, err)
	}
	return run, nil
}

// RunByID is Run by the ID that is unique in this database.
func (s *Store) RunByID(ctx context.Context, id int64) (Run, error) {
	return s.db.reading(ctx).runByID(id)
}

func (q *session) runByID(id int64) (Run, error) {
	run, err := q.run(` WHERE r.id = ?`, id)
	if err != nil {
		return Run{}, fmt.Errorf("cannot read run %d: %w", id, err)
	}
	return run, nil
}

// RunByOrigin is Run by what asked for it.
func (s *Store) RunByOrigin(ctx context.Context, repoKey, origin string) (Run, error) {
	run, err := s.db.reading(ctx).run(` WHERE p.key = ? AND r.origin = ? AND r.origin <> ''`, repoKey, origin)
	if err != nil {
		return Run{}, fmt.Errorf("cannot read the run of %s: %w", origin, err)
	}
	return run, nil
}

// run reads all about the one run that a condition finds.
func (q *session) run(condition string, args ...any) (Run, error) {
	runs, err := q.runs(runQuery+condition, args...)
	if err == nil && len(runs) == 0 {
		err = ErrNoRun
	}
	if err != nil {
		return Run{}, err
	}
	run := runs[0]
	if run.Lanes, err = q.laneRuns(run.ID); err != nil {
		return Run{}, err
	}
	return run, q.lanesFiles(&run)
}

// runs reads runs, and what belongs to them in two more queries.
func (q *session) runs(query string, args ...any) ([]Run, error) {
	found, err := q.rows(query, args...)
	runs, err := collect(found, err, scanRun)
	if err != nil {
		return nil, err
	}
	runs = slices.CompactFunc(runs, func(a, b Run) bool { return a.ID == b.ID }) // one ref in two updates
	for rest := runs; len(rest) > 0; rest = rest[min(len(rest), page):] {
		if err := q.updatesAndCounts(rest[:min(len(rest), page)]); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

func scanRun(row *rows) (r Run, err error) {
	err = row.Scan(&r.ID, &r.Number, &r.RepoKey, &r.RepoName, &r.Gate, &r.Remote, &r.Pusher, &r.State, &r.Exit,
		&r.Message, &r.Skip, stamp{&r.Queued}, stamp{&r.Started}, stamp{&r.Ended},
		&r.Host.PID, &r.Host.Start, &r.Host.Boot, &r.Host.Space,
		&r.Waiting, &r.Origin, &r.Priority, &r.RerunOf, &r.CancelBy, stamp{&r.Lease}, &r.Fence, &r.Parked, &r.Deaths)
	return r, err
}

// page is how many runs one query asks about. It is a fixed number, so that
// the query's text is always the same and is prepared once.
const page = 50

func ofPage(query string) string {
	return fmt.Sprintf(query, "(?"+strings.Repeat(", ?", page-1)+")")
}

const (
	updatesOf = `SELECT run, ref, old, new, base, forced, protected, lanes_rev FROM updates WHERE run IN %s 
		ORDER BY run, position`
	laneCountOf = `SELECT l.run, count(*), sum(CASE l.state WHEN 'passed' THEN 1 ELSE 0 END) FROM lane_runs l
		WHERE l.run IN %s
		AND NOT EXISTS (SELECT 1 FROM lane_runs n WHERE n.run = l.run AND n.position = l.position
			AND n.lane = l.lane AND n.attempt > l.attempt)
		GROUP BY l.run`
)

// updatesAndCounts fills in at most one page of runs.
func (q *session) updatesAndCounts(runs []Run) error {
	at, ids := map[int64]*Run{}, make([]any, page)
	for i := range ids {
		ids[i] = int64(0)
		if i < len(runs) {
			ids[i], at[runs[i].ID] = runs[i].ID, &runs[i]
		}
	}
	found, err := q.rows(ofPage(updatesOf), ids...)
	_, err = collect(found, err, func(row *rows) (u Update, err error) {
		var run int64
		err = row.Scan(&run, &u.Ref, &u.Old, &u.New, &u.Base, &u.Forced, &u.Protected, &u.LanesRev)
		if r := at[run]; err == nil {
			r.Updates = append(r.Updates, u)
		}
		return u, err
	})
	if err != nil {
		return err
	}
	found, err = q.rows(ofPage(laneCountOf), ids...)
	_, err = collect(found, err, func(row *rows) (run int64, err error) {
		var passed, total int
		err = row.Scan(&run, &total, &passed)
		if r := at[run]; err == nil {
			r.Passed, r.Total = passed, total
		}
		return run, err
	})
	return err
}

func (q *session) lanesFiles(run *Run) error {
	found, err := q.rows(`SELECT u.position, f.source, f.text FROM updates u JOIN lanes_files f ON f.sha256 = u.lanes_sha
		WHERE u.run = ?`, run.ID)
	_, err = collect(found, err, func(row *rows) (f LanesFile, err error) {
		var i int
		err = row.Scan(&i, &f.Source, &f.Text)
		if err == nil && i < len(run.Updates) {
			run.Updates[i].Lanes = f
		}
		return f, err
	})
	return err
}

const laneQuery = `SELECT id, run, position, lane, title, attempt, path, glob, reason, plugin, digest, image, state,
	required, queued, started, ended, message, log_path, log_size, log_sha256, supersede, grp, cached_from
	FROM lane_runs`

// LaneRuns lists a run's lane runs in the order in which they were made:
// lane order, then retries.
func (s *Store) LaneRuns(ctx context.Context, run int64) ([]LaneRun, error) {
	return s.db.reading(ctx).laneRuns(run)
}

func (q *session) laneRuns(run int64) ([]LaneRun, error) {
	list, err := q.lanes(` WHERE run = ? ORDER BY id`, run)
	if err != nil {
		return nil, fmt.Errorf("cannot list lane runs: %w", err)
	}
	return list, nil
}

func (q *session) lanes(condition string, args ...any) ([]LaneRun, error) {
	found, err := q.rows(laneQuery+condition, args...)
	return collect(found, err, scanLane)
}

func scanLane(row *rows) (l LaneRun, err error) {
	err = row.Scan(&l.ID, &l.Run, &l.Update, &l.Lane, &l.Title, &l.Attempt, &l.Path, &l.Glob, &l.Reason,
		&l.Plugin, &l.Digest, &l.Image, &l.State, &l.Required, stamp{&l.Queued}, stamp{&l.Started}, stamp{&l.Ended},
		&l.Message, &l.Log.Path, &l.Log.Size, &l.Log.SHA256, &l.Supersede, &l.Group, &l.CachedFrom)
	return l, err
}

// Findings lists a run's findings, lane run by lane run, in the order in
// which the plugins gave them.
func (s *Store) Findings(ctx context.Context, run int64) ([]Finding, error) {
	found, err := s.db.reading(ctx).rows(`SELECT f.lane_run, f.level, f.path, f.line, f.col, f.rule, f.message
		FROM findings f JOIN lane_runs l ON l.id = f.lane_run WHERE l.run = ? ORDER BY f.lane_run, f.position`, run)
	list, err := collect(found, err, func(row *rows) (f Finding, err error) {
		err = row.Scan(&f.LaneRun, &f.Level, &f.Path, &f.Line, &f.Col, &f.Rule, &f.Message)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list findings: %w", err)
	}
	return list, nil
}

// Artifacts lists the files that a lane run left, by name.
func (s *Store) Artifacts(ctx context.Context, laneRun int64) ([]File, error) {
	found, err := s.db.reading(ctx).rows(`SELECT name, path, size, sha256 FROM artifacts WHERE lane_run = ? ORDER BY name`,
		laneRun)
	list, err := collect(found, err, func(row *rows) (f File, err error) {
		err = row.Scan(&f.Name, &f.Path, &f.Size, &f.SHA256)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list artifacts: %w", err)
	}
	return list, nil
}

// Events lists a run's history from its first event on.
func (s *Store) Events(ctx context.Context, run int64) ([]Event, error) {
	list, err := s.db.reading(ctx).events(run)
	if err != nil {
		return nil, fmt.Errorf("cannot list events: %w", err)
	}
	return list, nil
}

func (q *session) events(run int64) ([]Event, error) {
	found, err := q.rows(`SELECT seq, lane_run, lane, kind, at, message FROM events WHERE run = ? ORDER BY seq`, run)
	return collect(found, err, func(row *rows) (e Event, err error) {
		err = row.Scan(&e.Seq, &e.LaneRun, &e.Lane, &e.Kind, stamp{&e.At}, &e.Message)
		return e, err
	})
}
