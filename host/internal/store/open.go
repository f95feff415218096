package store

import (
	"context"
	"strings"
)

// Store is one open database of runs. It is safe for concurrent use, and any
// number of processes, with PostgreSQL on any number of machines, may have the
// same one open. What is not about one run has a type of its own.
type Store struct {
	db    *database
	claim claim // of a store that Holding gave
}

// Open opens the database at where, laying its tables at first use and
// bringing an older schema up to date. An address that begins with
// postgres:// or postgresql:// is a PostgreSQL database that is there already;
// anything else is the path of an SQLite file, made with its folder when there
// is none, for the owner's eyes only.
func Open(ctx context.Context, where string) (*Store, error) {
	db := &database{path: where, bell: newBell(), watch: &watch{}}
	open := db.openSQLite
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		open = db.openPostgres
	}
	if err := open(ctx, where); err != nil {
		db.close()
		return nil, db.openError(err)
	}
	return &Store{db: db}, nil
}

// Close closes all connections.
func (s *Store) Close() error { return s.db.close() }

// Path is where the database lies: a file's absolute path, or an address
// without its password.
func (s *Store) Path() string { return s.db.path }

// Marks names the folder in which hosts of this database leave their marks
// (package alive), where it is not "hosts" in the folder of an SQLite file.
// Call it before the store is used.
func (s *Store) Marks(folder string) { s.db.dialect.marks = folder }

// Holding is the same store, as the holder of a claim writes through it: once
// the run has been queued or claimed again, whatever changes it through this
// view is refused with a *ConflictError, in the same transaction that would
// have stored it. Other runs are not affected. Closing it closes the
// store.
func (s *Store) Holding(run Run) *Store {
	view := *s
	view.claim = claim{run.ID, run.Fence}
	return &view
}
