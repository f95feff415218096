package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func (d *database) hint(err error) string {
	if d.dialect != nil && d.dialect.postgres {
		return postgresHint(d.path, err)
	}
	return sqliteHint(d.path, err)
}

// sqliteHint says what to do about the faults that people meet.
func sqliteHint(path string, err error) string {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, syscall.ENOSPC) || hasCode(err, sqlite3.SQLITE_FULL) ||
		hasCode(err, sqlite3.SQLITE_IOERR) && full(dir):
		return fmt.Sprintf("the disk of %s is full: make room, or name another state folder", dir)
	case hasCode(err, sqlite3.SQLITE_IOERR):
		return fmt.Sprintf(
			"the disk of %s does not take it: look for a quota, a limit on file sizes (ulimit -f) or a failing disk (dmesg)",
			dir)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) ||
		hasCode(err, sqlite3.SQLITE_READONLY) || hasCode(err, sqlite3.SQLITE_CANTOPEN):
		return fmt.Sprintf("pushlane must be able to write in %s: fix its owner and mode, or name another state folder", dir)
	case hasCode(err, sqlite3.SQLITE_BUSY):
		return "another process has locked the database for 30 seconds: try again"
	case hasCode(err, sqlite3.SQLITE_NOTADB) || hasCode(err, sqlite3.SQLITE_CORRUPT):
		return fmt.Sprintf("the file is damaged: stop pushlane and put a backup in its place (host/SERVER.md, Backup), "+
			"or start a new one without its runs: mv %s %s.damaged", path, path)
	}
	return ""
}

// full tells whether a file system has no room left: SQLite calls it an I/O
// error where it is its shared memory that cannot grow.
func full(dir string) bool {
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && fs.Bavail == 0
}

// hasCode compares SQLite's primary result code, the low byte of the code it
// gives.
func hasCode(err error, code int) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) && e.Code()&0xff == code
}

// WriteError is a failure to keep something.
type WriteError struct {
	Verb  string // what was tried, such as "record run 12"
	Cause error
	hint  string
}

func (e *WriteError) Error() string { return "cannot " + e.Verb + ": " + e.Cause.Error() }

func (e *WriteError) Unwrap() error { return e.Cause }

// Hint says how to fix it, where we know.
func (e *WriteError) Hint() string { return e.hint }

func (d *database) writeError(verb string, err error) error {
	if err == nil {
		return nil
	}
	return &WriteError{Verb: verb, Cause: err, hint: d.hint(err)}
}

// transientSQLite reports whether SQLite failed because of a full disk or a lock.
func transientSQLite(err error) bool {
	for _, code := range []int{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM} {
		if hasCode(err, code) {
			return true
		}
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
