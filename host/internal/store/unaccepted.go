package store

import (
	"context"
	"fmt"
	"time"
)

// Settled is the kind of the event that ends the question whether git took a
// push that passed, as "accepted" does.
const Settled = "not accepted"

// LetThrough is the kind of the event that names an accepted ref, in its message,
// of a push with refused refs.
const LetThrough = "let through"

// Unaccepted is a push that pre-receive accepted and no post-receive hook
// reported.
type Unaccepted struct {
	ID, Number        int64
	RepoKey, RepoName string
	Pusher, Origin    string
	Ended             time.Time
	Updates           []UnacceptedUpdate // that git was let take
}

// UnacceptedUpdate is what later runs of the repository say of one update.
type UnacceptedUpdate struct {
	Ref, Old, New string
	Told          bool // one is of the same update: that the ref moved may be its doing
	Followed      bool // one of the same gate found the ref where this update puts it
}

// unacceptedQuery takes its pushes off runs_gate_ended, and what came after
// each update off updates_between.
const unacceptedQuery = `SELECT r.id, r.number, p.key, p.name, r.pusher, r.origin, r.ended, u.ref, u.old, u.new,
	EXISTS (SELECT 1 FROM updates v JOIN runs o ON o.id = v.run WHERE v.ref = u.ref AND v.old = u.old AND v.new = u.new
		AND v.run > u.run AND o.repository = r.repository),
	EXISTS (SELECT 1 FROM updates v JOIN runs o ON o.id = v.run WHERE v.ref = u.ref AND v.old = u.new
		AND v.run > u.run AND o.repository = r.repository AND o.gate = r.gate)
	FROM (SELECT * FROM runs c WHERE c.gate = ? AND c.ended > ? AND c.ended <= ? AND c.id > ?
		AND (c.exit = 0 OR EXISTS (SELECT 1 FROM events e WHERE e.run = c.id AND e.kind = '` + LetThrough + `'))
		AND NOT EXISTS (SELECT 1 FROM events e WHERE e.run = c.id AND e.kind IN ('accepted', '` + Settled + `'))
		ORDER BY c.id LIMIT ?) AS r
	JOIN repositories p ON p.id = r.repository JOIN updates u ON u.run = r.id
	WHERE r.exit = 0 OR EXISTS
		(SELECT 1 FROM events e WHERE e.run = r.id AND e.kind = '` + LetThrough + `' AND e.message = u.ref)
	ORDER BY r.id, u.position`

// Unaccepted lists the pushes of a gate that ended in a span, those above an
// id, oldest first: at most limit.
func (s *Store) Unaccepted(ctx context.Context, gate string, from, to time.Time, above int64, limit int) (
	all []Unaccepted, err error) {
	found, err := s.db.reading(ctx).rows(unacceptedQuery, gate, max(1, millis(from)), millis(to), above, limit)
	_, err = collect(found, err, func(row *rows) (u UnacceptedUpdate, err error) {
		var p Unaccepted
		err = row.Scan(&p.ID, &p.Number, &p.RepoKey, &p.RepoName, &p.Pusher, &p.Origin, stamp{&p.Ended},
			&u.Ref, &u.Old, &u.New, &u.Told, &u.Followed)
		if len(all) == 0 || all[len(all)-1].ID != p.ID {
			all = append(all, p)
		}
		last := &all[len(all)-1]
		last.Updates = append(last.Updates, u)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list pushes that passed: %w", err)
	}
	return all, nil
}
