package store

import (
	"context"
	"fmt"
	"time"
)

// OldVerdict names the verdict on what a ref was at last, all of whose runs
// were dropped.
type OldVerdict struct {
	RepoKey string
	Served  bool // this server guards the repository
	Ref     string

	repository, ended int64
}

// Old lists the verdicts of runs that ended before a time, by
// repository, those behind one of them: at most limit.
func (s *Verdicts) Old(ctx context.Context, before time.Time, behind OldVerdict, limit int) ([]OldVerdict, error) {
	found, err := s.db.reading(ctx).rows(`SELECT v.repository, p.key, p.served, v.ref, v.ended
		FROM verdicts v JOIN repositories p ON p.id = v.repository
		WHERE v.ended < ? AND (v.repository, v.ref) > (?, ?) ORDER BY v.repository, v.ref LIMIT ?`,
		millis(before), behind.repository, behind.Ref, limit)
	all, err := collect(found, err, func(row *rows) (v OldVerdict, err error) {
		err = row.Scan(&v.repository, &v.RepoKey, &v.Served, &v.Ref, &v.ended)
		return v, err
	})
	if err != nil {
		err = fmt.Errorf("cannot list old verdicts: %w", err)
	}
	return all, err
}

// Drop drops verdicts, but for those that a newer run has replaced.
func (s *Verdicts) Drop(ctx context.Context, gone []OldVerdict) error {
	return s.db.writeError("drop old verdicts", s.db.inTx(ctx, func(q *session) error {
		for _, v := range gone {
			if _, err := q.exec(`DELETE FROM verdicts WHERE repository = ? AND ref = ? AND ended = ?`,
				v.repository, v.Ref, v.ended); err != nil {
				return err
			}
		}
		return nil
	}))
}
