package store

import (
	"context"
	"fmt"
)

// Detail is a run with all that belongs to it.
type Detail struct {
	Run       Run // with its lane runs
	Findings  []Finding
	Artifacts []Artifact
	Events    []Event
	Found     int // findings of the run, also of those that were left out
	Happened  int // its events, also of those that were left out
}

// Artifact is a file that a lane run left.
type Artifact struct {
	LaneRun int64
	File
}

// Details reads what belongs to runs that Runs or Run gave, in their order. Most
// is how many events of each run and findings of each lane run are read, from the
// first one on; 0: all.
func (s *Store) Details(ctx context.Context, runs []Run, most int) ([]Detail, error) {
	all := make([]Detail, len(runs))
	for i, run := range runs {
		all[i].Run = run
		all[i].Run.Lanes = nil
	}
	for rest := all; len(rest) > 0; rest = rest[min(len(rest), page):] {
		if err := s.db.reading(ctx).details(rest[:min(len(rest), page)], most); err != nil {
			return nil, fmt.Errorf("cannot read runs: %w", err)
		}
	}
	return all, nil
}

const (
	lanesOf    = laneQuery + ` WHERE run IN %s ORDER BY id`
	findingsOf = `SELECT l.run, f.lane_run, f.level, f.path, f.line, f.col, f.rule, f.message
		FROM findings f JOIN lane_runs l ON l.id = f.lane_run WHERE l.run IN %s AND f.position < ?
		ORDER BY f.lane_run, f.position`
	findingCountOf = `SELECT l.run, count(*) FROM findings f JOIN lane_runs l ON l.id = f.lane_run
		WHERE l.run IN %s GROUP BY l.run`
	artifactsOf = `SELECT l.run, a.lane_run, a.name, a.path, a.size, a.sha256
		FROM artifacts a JOIN lane_runs l ON l.id = a.lane_run WHERE l.run IN %s ORDER BY a.lane_run, a.name`
	eventsOf = `SELECT run, seq, lane_run, lane, kind, at, message FROM events
		WHERE run IN %s AND seq <= ? ORDER BY run, seq`
	eventCountOf = `SELECT run, count(*) FROM events WHERE run IN %s GROUP BY run`
)

// details fills in at most one page of runs.
func (q *session) details(list []Detail, most int) error {
	if most == 0 {
		most = 1 << 30
	}
	at, ids := map[int64]*Detail{}, make([]any, page)
	for i := range ids {
		ids[i] = int64(0)
		if i < len(list) {
			ids[i], at[list[i].Run.ID] = list[i].Run.ID, &list[i]
		}
	}
	limited := append(append([]any{}, ids...), most)
	for _, part := range []struct {
		query string
		args  []any
		scan  func(*rows) error
	}{
		{lanesOf, ids, func(r *rows) error {
			l, err := scanLane(r)
			return into(at[l.Run], err, func(d *Detail) { d.Run.Lanes = append(d.Run.Lanes, l) })
		}},
		{findingsOf, limited, func(r *rows) error {
			var run int64
			var f Finding
			err := r.Scan(&run, &f.LaneRun, &f.Level, &f.Path, &f.Line, &f.Col, &f.Rule, &f.Message)
			return into(at[run], err, func(d *Detail) { d.Findings = append(d.Findings, f) })
		}},
		{findingCountOf, ids, func(r *rows) error { return scanCount(r, at, func(d *Detail) *int { return &d.Found }) }},
		{artifactsOf, ids, func(r *rows) error {
			var run int64
			var a Artifact
			err := r.Scan(&run, &a.LaneRun, &a.Name, &a.Path, &a.Size, &a.SHA256)
			return into(at[run], err, func(d *Detail) { d.Artifacts = append(d.Artifacts, a) })
		}},
		{eventsOf, limited, func(r *rows) error {
			var run int64
			var e Event
			err := r.Scan(&run, &e.Seq, &e.LaneRun, &e.Lane, &e.Kind, stamp{&e.At}, &e.Message)
			return into(at[run], err, func(d *Detail) { d.Events = append(d.Events, e) })
		}},
		{eventCountOf, ids, func(r *rows) error { return scanCount(r, at, func(d *Detail) *int { return &d.Happened }) }},
	} {
		found, err := q.rows(ofPage(part.query), part.args...)
		_, err = collect(found, err, func(row *rows) (struct{}, error) { return struct{}{}, part.scan(row) })
		if err != nil {
			return err
		}
	}
	return nil
}

func scanCount(r *rows, at map[int64]*Detail, of func(*Detail) *int) error {
	var run int64
	var n int
	err := r.Scan(&run, &n)
	return into(at[run], err, func(d *Detail) { *of(d) = n })
}

// into does something to the run that a row is of.
func into(d *Detail, err error, do func(*Detail)) error {
	if err == nil && d != nil {
		do(d)
	}
	return err
}
