package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// TrustRoot is the ref of a repository whose lanes judge refs without their own
// trusted lanes.
type TrustRoot struct {
	Ref      string    // "refs/heads/main"
	Head     string    // what HEAD named when this was decided, "" for nothing
	Dangling bool      // HEAD named a branch that was not there
	ID       string    // the commit that the ref was last seen at
	Seen     bool      // the ref was there, with a lanes file; false: a first push of it was accepted
	At       time.Time // of the decision
}

// TrustRoot reads a repository's; false: none was decided yet.
func (s *Repositories) TrustRoot(ctx context.Context, repoKey string) (TrustRoot, bool, error) {
	var r TrustRoot
	err := s.db.reading(ctx).row([]any{&r.Ref, &r.Head, &r.Dangling, &r.ID, &r.Seen, stamp{&r.At}},
		`SELECT ref, head, dangling, id, seen, at FROM trust_roots WHERE repository = ?`, repoKey)
	if errors.Is(err, sql.ErrNoRows) {
		return TrustRoot{}, false, nil
	}
	if err != nil {
		return TrustRoot{}, false, fmt.Errorf("cannot read which lanes are trusted: %w", err)
	}
	return r, true, nil
}

// SetTrustRoot records a decision over any earlier one.
func (s *Repositories) SetTrustRoot(ctx context.Context, repoKey string, r TrustRoot) error {
	return s.db.tell(ctx, "record which lanes are trusted",
		`INSERT INTO trust_roots (repository, ref, head, dangling, id, seen, at)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository) DO UPDATE SET ref = excluded.ref, head = excluded.head,
		dangling = excluded.dangling, id = excluded.id, seen = excluded.seen, at = excluded.at`,
		repoKey, r.Ref, r.Head, r.Dangling, r.ID, r.Seen, millis(r.At))
}
