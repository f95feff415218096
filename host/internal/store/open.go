package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed schema/sqlite/*.sql schema/postgres/*.sql
var schema embed.FS

// schemaVersion is the number of the last file in each folder of schema/.
const schemaVersion = 7

// Store is one open database. It is safe for concurrent use, and any number
// of processes, with PostgreSQL on any number of machines, may have the same
// one open.
type Store struct {
	path    string // of SQLite's file, or PostgreSQL's address without its password
	dialect *dialect
	write   *sql.DB // SQLite: one connection, and writers of this process wait in line here
	read    *sql.DB
	bell    *bell
	watch   *watch
	claim   claim    // of a store that Holding gave
	except  []string // repositories, of a store that Without gave
}

// NewerError says that the database was written by a later pushlane.
type NewerError struct {
	Path         string
	Found, Known int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("cannot open %s: its schema has version %d, and this pushlane knows up to %d", e.Path, e.Found,
		e.Known)
}

// Hint says how to fix it.
func (e *NewerError) Hint() string {
	return "a newer pushlane has written there: install that version, or name another state folder"
}

// OpenError says that the database cannot be opened or written.
type OpenError struct {
	Path  string
	Cause error
	hint  string
}

func (e *OpenError) Error() string { return "cannot open " + e.Path + ": " + e.Cause.Error() }
func (e *OpenError) Unwrap() error { return e.Cause }

// Hint says how to fix it, where we know.
func (e *OpenError) Hint() string { return e.hint }

// Open opens the database at where, laying its tables at first use and
// bringing an older schema up to date. An address that begins with
// postgres:// or postgresql:// is a PostgreSQL database that is there already;
// anything else is the path of an SQLite file, made with its folder when there
// is none, for the owner's eyes only.
func Open(ctx context.Context, where string) (*Store, error) {
	s := &Store{path: where, bell: newBell(), watch: &watch{}}
	open := s.openSQLite
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		open = s.openPostgres
	}
	if err := open(ctx, where); err != nil {
		s.Close()
		return nil, s.openError(err)
	}
	return s, nil
}

// Close closes all connections.
func (s *Store) Close() error {
	s.bell.close()
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Path is where the database lies: a file's absolute path, or an address
// without its password.
func (s *Store) Path() string { return s.path }

// up brings the schema to schemaVersion. The caller sees to it that no other
// process does the same at the same time.
func (s *Store) up(ctx context.Context, dialect goose.Dialect, folder string) error {
	files, err := fs.Sub(schema, folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, s.write, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("cannot migrate its schema to version %d: %w", schemaVersion, err)
	}
	return nil
}

// migrated looks whether the schema is the one we know, and says so when it is
// newer.
func (s *Store) migrated(ctx context.Context, version func(context.Context) (int, error)) (bool, error) {
	v, err := version(ctx)
	if err == nil && v > schemaVersion {
		err = &NewerError{Path: s.path, Found: v, Known: schemaVersion}
	}
	return v == schemaVersion, err
}

func (s *Store) openError(err error) error {
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		return newer
	}
	return &OpenError{Path: s.path, Cause: err, hint: s.hint(err)}
}
