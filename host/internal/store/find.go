package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// findError says that an address leads nowhere.
type findError struct {
	address Address
	cause   error
	hint    string
}

func (e *findError) Error() string {
	return "cannot find " + e.address.String() + ": " + e.cause.Error()
}

func (e *findError) Unwrap() error { return e.cause }

// Hint says how to fix it, where we know.
func (e *findError) Hint() string { return e.hint }

// Find reads the run that an address names, with its lane runs, or only those
// of the lane it names. RepoKey is the repository at hand: a number, "last"
// and a commit without a repository's name are looked up there. The error is
// ErrNoRun where there is none. Of several runs of a commit it is the newest.
func (s *Store) Find(ctx context.Context, repoKey string, a Address) (Run, error) {
	run, err := s.find(ctx, repoKey, a)
	if err != nil {
		return Run{}, &findError{address: a, cause: err, hint: "see them with: pushlane runs"}
	}
	if a.Lane == "" {
		return run, nil
	}
	var ids []string
	for _, l := range run.Lanes {
		ids = append(ids, l.Lane)
	}
	run.Lanes = slices.DeleteFunc(run.Lanes, func(l LaneRun) bool { return l.Lane != a.Lane })
	if len(run.Lanes) == 0 {
		slices.Sort(ids)
		hint := fmt.Sprintf("its lanes are %q", slices.Compact(ids))
		return Run{}, &findError{address: a, cause: fmt.Errorf("the run has no lane %s", strconv.Quote(a.Lane)), hint: hint}
	}
	return run, nil
}

func (s *Store) find(ctx context.Context, repoKey string, a Address) (Run, error) {
	w := &where{}
	if a.Repo != "" {
		key, err := s.Repositories().keyOf(ctx, a.Repo)
		if err != nil {
			return Run{}, err
		}
		w.and(`p.key = ?`, key)
	} else if repoKey != "" {
		w.and(`p.key = ?`, repoKey)
	}
	if a.Number != 0 {
		w.and(`r.number = ?`, a.Number)
	}
	if a.Commit != "" { // 'g' is what comes after the last digit
		w.and(`r.id IN (SELECT run FROM updates WHERE new >= ? AND new < ?)`, a.Commit, a.Commit+"g")
	}
	return s.db.reading(ctx).run(w.String()+` ORDER BY r.id DESC LIMIT 1`, w.args...)
}
