package store

import (
	"context"
	"fmt"
	"time"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// Results are the cached results of lane runs.
type Results struct{ db *database }

// Results are lane runs' results that may be used again.
func (s *Store) Results() *Results { return &Results{s.db} }

// CachedResult is a lane run whose verdict may be used again. What is in Body is
// the business of who cached it.
type CachedResult struct {
	ID   int64
	Body []byte
}

// MaxResults is how many results are cached for one key; the oldest are deleted.
const MaxResults = 8

// Find lists the results that runs of the zone cached under a key, the newest
// first.
func (s *Results) Find(ctx context.Context, in zone.Zone, key string) ([]CachedResult, error) {
	found, err := s.db.reading(ctx).rows(`SELECT id, body FROM remembered WHERE zone = ? AND key = ? ORDER BY id DESC`,
		in.Key(), key)
	list, err := collect(found, err, func(row *rows) (r CachedResult, err error) {
		err = row.Scan(&r.ID, &r.Body)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look up cached results: %w", err)
	}
	return list, nil
}

// Add caches a result of a run of the zone under a key.
func (s *Results) Add(ctx context.Context, in zone.Zone, key string, body []byte, now time.Time) error {
	if err := in.Check(); err != nil {
		return err
	}
	return s.db.writeError("cache a result", s.db.inTx(ctx, func(q *session) error {
		if _, err := q.exec(`INSERT INTO remembered (zone, key, body, made, used) VALUES (?, ?, ?, ?, ?)`, in.Key(), key,
			body, millis(now), millis(now)); err != nil {
			return err
		}
		_, err := q.exec(`DELETE FROM remembered WHERE zone = ? AND key = ? AND id NOT IN
			(SELECT id FROM remembered WHERE zone = ? AND key = ? ORDER BY id DESC LIMIT ?)`, in.Key(), key, in.Key(), key,
			MaxResults)
		return err
	}))
}

// Used records that a cached result was used, so that it is not deleted as old.
func (s *Results) Used(ctx context.Context, id int64, now time.Time) error {
	_, err := s.db.touch(ctx, "record the use of a cached result", `UPDATE remembered SET used = ? WHERE id = ?`,
		millis(now), id)
	return err
}

// DropUnused drops what was not used since a time, and says how much that was.
func (s *Results) DropUnused(ctx context.Context, before time.Time) (int64, error) {
	return s.db.touch(ctx, "delete cached results", `DELETE FROM remembered WHERE used < ?`, millis(before))
}
