package store

import (
	"context"
	"fmt"
	"time"
)

// dropAtOnce is how many runs go in one transaction: others wait for it.
const dropAtOnce = 50

// DropRuns drops the runs that ended before a time with all that belongs to
// them in the database, and returns their ids, also with an error: their
// files are the caller's to remove. Numbers are not given again, when a
// schedule fired stays known, and so does the verdict on what a ref was at
// last (see Verdicts.Of) until Verdicts.Drop.
func (s *Store) DropRuns(ctx context.Context, before time.Time) (ids []int64, err error) {
	for err == nil {
		var some []int64
		if some, err = s.dropSome(ctx, before); err == nil {
			ids = append(ids, some...)
			s.db.watch.changed(some...)
		}
		if len(some) < dropAtOnce {
			break
		}
	}
	if err == nil && len(ids) > 0 {
		err = s.dropLanesFiles(ctx)
	}
	return ids, s.db.writeError("drop old runs", err)
}

func (s *Store) dropSome(ctx context.Context, before time.Time) (ids []int64, err error) {
	err = s.db.inTx(ctx, func(q *session) error {
		found, err := q.rows(`SELECT id FROM runs WHERE ended > 0 AND ended < ? ORDER BY id LIMIT ? FOR UPDATE`,
			millis(before), dropAtOnce)
		if ids, err = collect(found, err, scanID); err != nil {
			return err
		}
		for _, id := range ids {
			if err := q.keepVerdicts(id); err != nil {
				return err
			}
			if _, err := q.exec(`DELETE FROM runs WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
	return ids, err
}

// dropLanesFiles drops the texts that judge no run any more. On PostgreSQL no
// run may begin meanwhile, or it could count on a text that is just going.
func (s *Store) dropLanesFiles(ctx context.Context) error {
	return s.db.inTx(ctx, func(q *session) error {
		if q.dialect.postgres {
			if _, err := q.exec(`LOCK TABLE lanes_files IN SHARE ROW EXCLUSIVE MODE`); err != nil {
				return err
			}
		}
		_, err := q.exec(
			`DELETE FROM lanes_files WHERE NOT EXISTS (SELECT 1 FROM updates u WHERE u.lanes_sha = lanes_files.sha256)`)
		return err
	})
}

// Stats are counts for metrics.
type Stats struct {
	Runs       map[State]int // open runs
	Lanes      map[State]int // open lane runs
	Ended      []EndedRuns   // by gate, then state
	Deliveries map[string]int
}

// EndedRuns is how many runs of a gate ended in a state, of those in the store.
type EndedRuns struct {
	Gate  string
	State State
	Runs  int
}

// Stats counts what is open, what ended how, and deliveries by state.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	q := s.db.reading(ctx)
	stats := Stats{Runs: map[State]int{}, Lanes: map[State]int{}, Deliveries: map[string]int{}}
	err := q.count(`SELECT '', state, count(*) FROM runs WHERE state IN ('queued', 'running') GROUP BY state`,
		func(_, state string, n int) { stats.Runs[State(state)] = n })
	if err == nil {
		err = q.count(
			`SELECT '', state, count(*) FROM lane_runs WHERE state IN ('queued', 'starting', 'running') GROUP BY state`,
			func(_, state string, n int) { stats.Lanes[State(state)] = n })
	}
	if err == nil {
		err = q.count(`SELECT gate, state, count(*) FROM runs WHERE ended > 0 GROUP BY gate, state ORDER BY gate, state`,
			func(gate, state string, n int) { stats.Ended = append(stats.Ended, EndedRuns{gate, State(state), n}) })
	}
	if err == nil {
		err = q.count(`SELECT '', state, count(*) FROM deliveries GROUP BY state`,
			func(_, state string, n int) { stats.Deliveries[state] = n })
	}
	if err != nil {
		return Stats{}, fmt.Errorf("cannot count runs: %w", err)
	}
	return stats, nil
}

// count reads a query of two names and a number.
func (q *session) count(query string, each func(a, b string, n int)) error {
	found, err := q.rows(query)
	_, err = collect(found, err, func(row *rows) (n int, err error) {
		var a, b string
		if err = row.Scan(&a, &b, &n); err == nil {
			each(a, b, n)
		}
		return n, err
	})
	return err
}
