package hooks

import (
	"fmt"
)

// MissingError is a needed object that is not in the repository. It is never treated
// as empty.
type MissingError struct {
	ID      string
	Partial bool // the repository is a partial clone, the object may be had from its remote
}

func (e *MissingError) Error() string {
	if e.Partial {
		return "object " + e.ID + " is not in this partial clone"
	}
	return "object " + e.ID + " is missing"
}

// Hint is the command that fixes it.
func (e *MissingError) Hint() string {
	if e.Partial {
		return "fetch it with: git cat-file -e " + e.ID + " (or everything with: git fetch --refetch --no-filter)"
	}
	return "see what is broken with: git fsck --connectivity-only"
}

// FormatError is a repository in a format that this package does not support.
type FormatError struct {
	Dir  string // the common git directory
	Msg  string
	Mend string // the command or change that fixes it
}

func (e *FormatError) Error() string { return fmt.Sprintf("cannot open %s: %s", e.Dir, e.Msg) }

// Hint says how to fix it.
func (e *FormatError) Hint() string { return e.Mend }

// hinted is an error that knows what fixes it.
type hinted struct {
	error
	hint string
}

func (e *hinted) Hint() string  { return e.hint }
func (e *hinted) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return &hinted{error: err, hint: fmt.Sprintf(format, args...)}
}
