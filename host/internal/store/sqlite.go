package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

func (d *database) openSQLite(ctx context.Context, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	d.path, d.dialect = abs, &dialect{marks: filepath.Join(filepath.Dir(abs), "hosts")}
	if err := prepare(abs); err != nil {
		return err
	}
	if d.write, err = connect(abs, "immediate", ""); err == nil {
		d.write.SetMaxOpenConns(1)
		d.read, err = connect(abs, "deferred", "query_only(1)")
	}
	if err != nil {
		return err
	}
	d.read.SetMaxOpenConns(4)
	return d.migrateSQLite(ctx)
}

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
	// Waiting is polling, and not in order of arrival: on a slow disk under a
	// crowd someone is unlucky for far longer than a write takes.
	q["_pragma"] = []string{"busy_timeout(30000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	if pragma != "" {
		q["_pragma"] = append(q["_pragma"], pragma)
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return sql.Open("sqlite", dsn.String())
}

func (d *database) versionSQLite(ctx context.Context) (v int, err error) {
	err = d.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v)
	return v, err
}

// migrateSQLite does nothing but look when the schema is the one we know:
// each file in schema/sqlite sets user_version. Else it takes a lock file
// first, since two processes must not lay the first table at once.
func (d *database) migrateSQLite(ctx context.Context) error {
	if done, err := d.migrated(ctx, d.versionSQLite); done && err == nil {
		return nil
	}
	lock, err := lockFile(ctx, d.path+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if done, err := d.migrated(ctx, d.versionSQLite); done || err != nil {
		return err
	}
	return d.up(ctx, goose.DialectSQLite3, "schema/sqlite")
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
