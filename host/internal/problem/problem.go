// Package problem is how errors reach the user: it distinguishes wrong use from a
// breakage, adds a hint with the command that helps, and prints the two lines on
// standard error.
package problem

import (
	"errors"
	"fmt"
	"io"

	"github.com/pushlane/pushlane/host/internal/printable"
)

// usageError is wrong use: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage marks an error as wrong use.
func Usage(err error) error { return usageError{err} }

// IsUsage reports whether err is wrong use rather than a breakage.
func IsUsage(err error) bool { return errors.As(err, new(usageError)) }

// Write prints an error, all of a joined one, and every hint it carries.
func Write(w io.Writer, err error) {
	for _, one := range unjoin(err) {
		fmt.Fprintf(w, "pushlane: error: %s\n", printable.Indent(printable.CleanText(one.Error())))
		if hint := Hint(one); hint != "" {
			fmt.Fprintf(w, "pushlane: hint: %s\n", printable.Indent(printable.CleanText(hint)))
		}
	}
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, unjoin(e)...)
		}
		return all
	}
	return []error{err}
}

// Hint is the hint that an error carries, "" where it has none.
func Hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// hintedError is an error with the command that helps.
type hintedError struct {
	error
	hint string
}

// Hint is the command.
func (e hintedError) Hint() string { return e.hint }

func (e hintedError) Unwrap() error { return e.error }

// WithHint gives an error the command that helps.
func WithHint(err error, hint string) error { return hintedError{err, hint} }
