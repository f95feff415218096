package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// Space is the part of the plugins' values that one plugin sees: its own, in
// one zone.
type Space struct {
	Zone   zone.Zone
	Plugin string // who it is to its values: see host's laneRun.identity
}

// Values are the plugins' values.
type Values struct{ db *database }

// Values are what plugins store.
func (s *Store) Values() *Values { return &Values{s.db} }

// Most that one space, and all spaces of one zone, may hold.
const (
	MaxValues     = 1000
	MaxValueBytes = 4 << 20  // of all values of a space
	MaxZoneBytes  = 64 << 20 // of all values of a zone: a branch can pin any number of plugins
)

// ErrSpaceFull is given for a value that a space or its zone has no room for.
var ErrSpaceFull = errors.New("its store is full")

// Get gives what a plugin keeps under a name; nil: nothing.
func (s *Values) Get(ctx context.Context, in Space, name string) ([]byte, error) {
	found, err := s.db.reading(ctx).rows(`SELECT value FROM plugin_values WHERE zone = ? AND plugin = ? AND name = ?`,
		in.Zone.Key(), in.Plugin, name)
	list, err := collect(found, err, func(row *rows) (value []byte, err error) {
		err = row.Scan(&value)
		return value, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read a value of plugin %s: %w", in.Plugin, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return append([]byte{}, list[0]...), nil
}

// Set stores a value, or deletes it when it is nil.
func (s *Values) Set(ctx context.Context, in Space, name string, value []byte) error {
	if err := in.Zone.Check(); err != nil {
		return err
	}
	return s.db.writeError("store a value of plugin "+in.Plugin, s.db.inTx(ctx, func(q *session) error {
		if _, err := q.exec(`DELETE FROM plugin_values WHERE zone = ? AND plugin = ? AND name = ?`, in.Zone.Key(),
			in.Plugin, name); err != nil || value == nil {
			return err
		}
		if err := q.roomFor(in, len(value)); err != nil {
			return err
		}
		_, err := q.exec(`INSERT INTO plugin_values (zone, plugin, name, value) VALUES (?, ?, ?, ?)`, in.Zone.Key(),
			in.Plugin, name, value)
		return err
	}))
}

func (q *session) roomFor(in Space, more int) error {
	var values, bytes, zoneBytes int
	err := q.row([]any{&values, &bytes, &zoneBytes}, `SELECT
		COALESCE(SUM(CASE WHEN plugin = ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN plugin = ? THEN LENGTH(value) ELSE 0 END), 0),
		COALESCE(SUM(LENGTH(value)), 0) FROM plugin_values WHERE zone = ?`, in.Plugin, in.Plugin, in.Zone.Key())
	if err == nil && (values >= MaxValues || bytes+more > MaxValueBytes || zoneBytes+more > MaxZoneBytes) {
		err = ErrSpaceFull
	}
	return err
}
