package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// recentRuns is how many runs of a repository say what its lanes take.
const recentRuns = 20

// LaneTimes is how long the lanes of a repository took when they passed lately, by
// their ids: the middle value. Cached results do not count.
func (s *Store) LaneTimes(ctx context.Context, repoKey string) (map[string]time.Duration, error) {
	found, err := s.db.reading(ctx).rows(`SELECT l.lane, l.ended - l.started FROM lane_runs l
		WHERE l.state = 'passed' AND l.started > 0 AND l.cached_from = 0 AND l.run IN (SELECT r.id FROM runs r
			JOIN repositories p ON p.id = r.repository WHERE p.key = ? ORDER BY r.id DESC LIMIT ?)`, repoKey, recentRuns)
	all := map[string][]int64{}
	for err == nil && found.Next() {
		var lane string
		var took int64
		if err = found.Scan(&lane, &took); err == nil {
			all[lane] = append(all[lane], took)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what lanes take: %w", err)
	}
	times := map[string]time.Duration{}
	for lane, took := range all {
		slices.Sort(took)
		times[lane] = time.Duration(took[len(took)/2]) * time.Millisecond
	}
	return times, nil
}
