package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Verdict is what all runs of one commit of a ref come to: failed where a
// required lane failed in the newest run that it was in, whichever gate that
// was of.
type Verdict struct {
	State  State
	Number int64     // of the run that decided
	Lane   string    // that decided; "" for none
	Ended  time.Time // of the newest run; zero: it goes on
}

// Verdicts are those of the store.
type Verdicts struct{ db *database }

// Verdicts are what the runs of refs come to.
func (s *Store) Verdicts() *Verdicts { return &Verdicts{s.db} }

// Of is the verdict on a commit of a ref; false: nothing is known of it. It
// outlives its runs for what a ref was at last.
func (s *Verdicts) Of(ctx context.Context, repoKey, ref, id string) (Verdict, bool, error) {
	q := s.db.reading(ctx)
	v, known, err := q.headOf(`p.key = ?`, repoKey, ref, id)
	if err == nil && !known {
		err = q.row([]any{&v.State, &v.Number, stamp{&v.Ended}}, `SELECT v.state, v.number, v.ended FROM verdicts v
			JOIN repositories p ON p.id = v.repository WHERE p.key = ? AND v.ref = ? AND v.id = ?`, repoKey, ref, id)
		if known = err == nil; errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
	}
	if err != nil {
		err = fmt.Errorf("cannot read the verdict on %s: %w", ref, err)
	}
	return v, known, err
}

// headRow is a lane run of a commit, or a run without any.
type headRow struct {
	run, number int64
	runState    State
	ended       time.Time
	lane        string
	state       State
	required    bool
}

func (q *session) headOf(repository string, args ...any) (Verdict, bool, error) {
	found, err := q.rows(
		`SELECT r.id, r.number, r.state, r.ended, coalesce(l.lane, ''), coalesce(l.state, ''), coalesce(l.required, FALSE)
		FROM updates u JOIN runs r ON r.id = u.run JOIN repositories p ON p.id = r.repository
		LEFT JOIN lane_runs l ON l.run = r.id AND l.position = u.position
		WHERE `+repository+` AND u.ref = ? AND u.new = ? ORDER BY r.id, l.id`, args...)
	all, err := collect(found, err, func(row *rows) (h headRow, err error) {
		err = row.Scan(&h.run, &h.number, &h.runState, stamp{&h.ended}, &h.lane, &h.state, &h.required)
		return h, err
	})
	if err != nil || len(all) == 0 {
		return Verdict{}, false, err
	}
	return verdictOf(all), true, nil
}

// verdictOf takes the last attempt of each lane in the newest run that it was
// in; the worst of them decides.
func verdictOf(all []headRow) Verdict {
	last, newest := map[string]headRow{}, all[len(all)-1]
	for _, h := range all {
		if h.lane == "" { // a run without lanes: it was refused, or had nothing to judge
			h.state, h.required = h.runState, true
		}
		last[h.lane] = h
	}
	v := Verdict{State: Passed, Number: newest.number, Ended: newest.ended}
	for _, lane := range sorted(last) {
		h := last[lane]
		if (h.required || !h.state.Final()) && rank(h.state) > rank(v.State) {
			v.State, v.Number, v.Lane = verdictState(h.state), h.number, lane
		}
	}
	return v
}

// rank orders states by what they say about the whole.
func rank(s State) int {
	switch s {
	case Failed:
		return 4
	case Broken:
		return 3
	case Cancelled:
		return 2
	case Queued, Starting, Running:
		return 1
	}
	return 0
}

// verdictState is a lane's state as that of the whole.
func verdictState(s State) State {
	if s == Starting {
		return Running
	}
	return s
}

// keepVerdicts keeps what a run that is dropped says of refs that no newer run
// is about.
func (q *session) keepVerdicts(run int64) error {
	found, err := q.rows(`SELECT r.repository, u.ref, u.new FROM updates u JOIN runs r ON r.id = u.run
		WHERE u.run = ? AND NOT EXISTS (SELECT 1 FROM updates n JOIN runs o ON o.id = n.run
			WHERE n.ref = u.ref AND n.run > u.run AND o.repository = r.repository AND n.new <> u.new)`, run)
	type at struct {
		repository int64
		ref, id    string
	}
	all, err := collect(found, err, func(row *rows) (a at, err error) {
		err = row.Scan(&a.repository, &a.ref, &a.id)
		return a, err
	})
	for _, a := range all {
		if err != nil {
			return err
		}
		var v Verdict
		if v, _, err = q.headOf(`r.repository = ?`, a.repository, a.ref, a.id); err == nil {
			// A run that was dropped before this one has the same commit's verdict with both.
			_, err = q.exec(`INSERT INTO verdicts (repository, ref, id, state, number, ended) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (repository, ref) DO UPDATE SET id = excluded.id, ended = excluded.ended,
				state = CASE WHEN verdicts.id = excluded.id AND verdicts.state = 'failed'
					THEN verdicts.state ELSE excluded.state END,
				number = CASE WHEN verdicts.id = excluded.id AND verdicts.state = 'failed'
					THEN verdicts.number ELSE excluded.number END`,
				a.repository, a.ref, a.id, string(v.State), v.Number, millis(v.Ended))
		}
	}
	return err
}
