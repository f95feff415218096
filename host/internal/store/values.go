package store

import (
	"context"
	"errors"
	"fmt"
)

// Space is the part of the plugins' values that one plugin sees: its own, of
// one repository.
type Space struct {
	Repository string // key
	Plugin     string
}

// Most that one space may hold.
const (
	MaxValues     = 1000
	MaxValueBytes = 4 << 20 // of all values together
)

// ErrSpaceFull is given for a value that a space has no room for.
var ErrSpaceFull = errors.New("its store is full")

// Value gives what a plugin keeps under a name; nil: nothing.
func (s *Store) Value(ctx context.Context, in Space, name string) ([]byte, error) {
	found, err := s.reading(ctx).rows(`SELECT value FROM plugin_values WHERE repository = ? AND plugin = ? AND name = ?`, in.Repository, in.Plugin, name)
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

// SetValue keeps a value, or forgets it when it is nil.
func (s *Store) SetValue(ctx context.Context, in Space, name string, value []byte) error {
	return s.writeError("keep a value of plugin "+in.Plugin, s.inTx(ctx, func(q *session) error {
		if _, err := q.exec(`DELETE FROM plugin_values WHERE repository = ? AND plugin = ? AND name = ?`, in.Repository, in.Plugin, name); err != nil || value == nil {
			return err
		}
		if err := q.roomFor(in, len(value)); err != nil {
			return err
		}
		_, err := q.exec(`INSERT INTO plugin_values (repository, plugin, name, value) VALUES (?, ?, ?, ?)`, in.Repository, in.Plugin, name, value)
		return err
	}))
}

func (q *session) roomFor(in Space, more int) error {
	found, err := q.rows(`SELECT COUNT(*), COALESCE(SUM(LENGTH(value)), 0) FROM plugin_values WHERE repository = ? AND plugin = ?`, in.Repository, in.Plugin)
	sums, err := collect(found, err, func(row *rows) (sum [2]int, err error) {
		err = row.Scan(&sum[0], &sum[1])
		return sum, err
	})
	if err == nil && (sums[0][0] >= MaxValues || sums[0][1]+more > MaxValueBytes) {
		err = ErrSpaceFull
	}
	return err
}
