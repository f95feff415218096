package store

import "strings"

// Queue is the runs that wait for a host, and those that a host has claimed.
type Queue struct {
	db     *database
	claim  claim    // of who writes; see Store.Holding
	except []string // repositories, of a queue that Without gave
}

// Queue is the runs that wait for a host, as the holder of this store's claim
// changes them.
func (s *Store) Queue() *Queue { return &Queue{db: s.db, claim: s.claim} }

// Without is the same queue, whose claims pass over the runs of some
// repositories.
func (w *Queue) Without(repoKeys []string) *Queue {
	view := *w
	view.except = repoKeys
	return &view
}

// without is the condition that passes over some repositories.
func without(repoKeys []string) (condition string, args []any) {
	if len(repoKeys) == 0 {
		return "", nil
	}
	for _, key := range repoKeys {
		args = append(args, key)
	}
	return ` AND repository NOT IN (SELECT id FROM repositories WHERE key IN (?` +
		strings.Repeat(`, ?`, len(repoKeys)-1) + `))`, args
}
