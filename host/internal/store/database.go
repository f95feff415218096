package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed schema/sqlite/*.sql schema/postgres/*.sql
var schema embed.FS

// schemaVersion is the number of the last file in each folder of schema/.
const schemaVersion = 7

// database is one open database, whichever of the two it is: how it is opened,
// asked and told, and what its errors mean.
type database struct {
	path    string // of SQLite's file, or PostgreSQL's address without its password
	dialect *dialect
	write   *sql.DB // SQLite: one connection, and writers of this process wait in line here
	read    *sql.DB
	bell    *bell
	watch   *watch
}

// close closes all connections.
func (d *database) close() error {
	d.bell.close()
	var errs []error
	for _, db := range []*sql.DB{d.read, d.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
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

// up brings the schema to schemaVersion. The caller sees to it that no other
// process does the same at the same time.
func (d *database) up(ctx context.Context, dialect goose.Dialect, folder string) error {
	files, err := fs.Sub(schema, folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, d.write, files,
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
func (d *database) migrated(ctx context.Context, version func(context.Context) (int, error)) (bool, error) {
	v, err := version(ctx)
	if err == nil && v > schemaVersion {
		err = &NewerError{Path: d.path, Found: v, Known: schemaVersion}
	}
	return v == schemaVersion, err
}

func (d *database) openError(err error) error {
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		return newer
	}
	return &OpenError{Path: d.path, Cause: err, hint: d.hint(err)}
}
