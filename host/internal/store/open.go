package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed schema/*.sql
var schema embed.FS

// schemaVersion is the number of the last file in schema/. Each of them sets
// user_version, so that an up-to-date file is known by one look.
const schemaVersion = 2

// Store is one open database. It is safe for concurrent use, and any number
// of processes may have the same file open.
type Store struct {
	path  string
	write *sql.DB // one connection: writers of this process wait in line here
	read  *sql.DB
	wake  chan struct{}
}

// NewerError says that the database was written by a later pushlane.
type NewerError struct {
	Path         string
	Found, Known int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("cannot open %s: its schema has version %d, and this pushlane knows up to %d", e.Path, e.Found, e.Known)
}

// Hint says how to mend it.
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

// Hint says how to mend it, where we know.
func (e *OpenError) Hint() string { return e.hint }

// Open opens the database at path, making it and its folder at first use and
// bringing an older schema up to date. The folder that it makes is the
// owner's alone, and so is the file, also one that was there.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		err = prepare(path)
	}
	if err != nil {
		return nil, openError(path, err)
	}
	s := &Store{path: path, wake: make(chan struct{}, 1)}
	if s.write, err = connect(path, "immediate", ""); err == nil {
		s.write.SetMaxOpenConns(1)
		s.read, err = connect(path, "deferred", "query_only(1)")
	}
	if err == nil {
		s.read.SetMaxOpenConns(4)
		err = s.migrate(ctx)
	}
	if err != nil {
		s.Close()
		return nil, openError(path, err)
	}
	return s, nil
}

// Close closes all connections.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Path is where the database lies, absolute.
func (s *Store) Path() string { return s.path }

func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return f.Chmod(0o600)
	}
	return nil
}

func connect(path, lock, pragma string) (*sql.DB, error) {
	q := url.Values{"_txlock": {lock}}
	q["_pragma"] = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	if pragma != "" {
		q["_pragma"] = append(q["_pragma"], pragma)
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	return db, nil
}

func (s *Store) version(ctx context.Context) (int, error) {
	var v int
	err := s.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v)
	return v, err
}

// migrate does nothing but look when the schema is the one we know. Else it
// takes a lock file first: two processes must not lay the first table at once.
func (s *Store) migrate(ctx context.Context) error {
	if v, err := s.version(ctx); err == nil && v == schemaVersion {
		return nil
	}
	lock, err := lockFile(ctx, s.path+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	v, err := s.version(ctx)
	switch {
	case err != nil:
		return err
	case v > schemaVersion:
		return &NewerError{Path: s.path, Found: v, Known: schemaVersion}
	case v == schemaVersion:
		return nil
	}
	return s.up(ctx)
}

func (s *Store) up(ctx context.Context) error {
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("cannot bring its schema to version %s: %w", strconv.Itoa(schemaVersion), err)
	}
	return nil
}

// lockFile waits for a lock that its holder's death sets free. It asks again
// and again, since a wait inside flock would not hear of ctx.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func openError(path string, err error) error {
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		return newer
	}
	return &OpenError{Path: path, Cause: err, hint: openHint(path, err)}
}
