package store

import (
	"context"
	"fmt"
	"strings"
)

// Pulse is a text that differs after a run of some repositories (none: all)
// began, moved or ended.
func (s *Store) Pulse(ctx context.Context, repoKeys []string) (string, error) {
	of, args := "", []any{}
	if len(repoKeys) > 0 {
		of = ` AND repository IN (SELECT id FROM repositories WHERE key IN (?` + strings.Repeat(`, ?`, len(repoKeys)-1) + `))`
		for _, key := range repoKeys {
			args = append(args, key)
		}
	}
	var text strings.Builder
	found, err := s.db.reading(ctx).rows(`SELECT max(id), 'newest', '', 0, 0, 0 FROM runs WHERE id > 0`+of+` UNION ALL
		SELECT * FROM (SELECT r.id, r.state, r.cancel_by, count(l.id),
		coalesce(sum(CASE l.state WHEN 'passed' THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE l.state WHEN 'queued' THEN 1 ELSE 0 END), 0)
		FROM runs r LEFT JOIN lane_runs l ON l.run = r.id WHERE r.state IN ('queued', 'running')`+of+`
		GROUP BY r.id, r.state, r.cancel_by ORDER BY r.id DESC LIMIT 40) AS o`, append(args, args...)...)
	_, err = collect(found, err, func(row *rows) (none struct{}, err error) {
		var id *int64
		var state, by string
		var total, passed, queued int64
		if err = row.Scan(&id, &state, &by, &total, &passed, &queued); err == nil && id != nil {
			fmt.Fprintln(&text, *id, state, by, total, passed, queued)
		}
		return none, err
	})
	if err != nil {
		return "", fmt.Errorf("cannot look for changes: %w", err)
	}
	return text.String(), nil
}

// LastRun is the highest id that a run of this database ever had.
func (s *Store) LastRun(ctx context.Context) (last int64, err error) {
	query := `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0)`
	if s.db.dialect.postgres {
		query = `SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('runs', 'id')::regclass), 0)`
	}
	if err = s.db.reading(ctx).value(&last, query); err != nil {
		err = fmt.Errorf("cannot read the number of runs: %w", err)
	}
	return last, err
}

// SkipTo sees to it that no run gets an id up to last.
func (s *Store) SkipTo(ctx context.Context, last int64) error {
	return s.db.writeError("skip used numbers", s.db.inTx(ctx, func(q *session) error {
		if q.dialect.postgres {
			var set int64
			return q.value(&set, `SELECT setval(pg_get_serial_sequence('runs', 'id')::regclass,
				greatest(CAST(? AS BIGINT), coalesce(pg_sequence_last_value(pg_get_serial_sequence('runs', 'id')::regclass), 1)))`,
				last)
		}
		touched, err := q.exec(`UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'runs'`, last)
		if err == nil && touched == 0 {
			_, err = q.exec(`INSERT INTO sqlite_sequence (name, seq) VALUES ('runs', ?)`, last)
		}
		return err
	}))
}
