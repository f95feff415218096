package incus

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/lxc/incus/v6/shared/api"
)

// Error is a failure that someone has to fix; a second attempt would end
// the same.
type Error struct {
	What string // "reach Incus at /var/lib/incus/unix.socket"
	Err  error
	hint string
	away bool // Incus did not answer
}

func (e *Error) Error() string { return fmt.Sprintf("cannot %s: %v", e.What, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Hint is the command that fixes it, or empty.
func (e *Error) Hint() string { return e.hint }

func failed(what string, err error, hint string) error {
	return &Error{What: what, Err: err, hint: hint}
}

// MachineError is a failure of the infrastructure: the container was killed from
// outside, Incus went away, an exec was lost. It says nothing about the
// command; another attempt may succeed.
type MachineError struct {
	What string // "run the command in pl-test-1-0a1b2c3d"
	Err  error
	hint string // in place of the usual one
}

func (e *MachineError) Error() string { return fmt.Sprintf("cannot %s: %v", e.What, e.Err) }
func (e *MachineError) Unwrap() error { return e.Err }

// Hint says that the change under test is not at fault.
func (e *MachineError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "not caused by the change; try again, or see: pushlane doctor"
}

// Away reports whether an error is of an Incus that does not answer, or of a
// connection to it that broke.
func Away(err error) bool {
	if own := new(Error); errors.As(err, &own) && own.away {
		return true
	}
	machine := new(MachineError)
	return errors.As(err, &machine) && (lost(machine.Err) || errors.Is(machine.Err, errVanished))
}

// Leaving reports whether an error is what Incus says on its way down: it still
// answers, and takes nothing more.
func Leaving(err error) bool {
	if err == nil {
		return false
	}
	for _, words := range []string{"Shutting down", "shutting down", "database is closed"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return api.StatusErrorCheck(err, http.StatusServiceUnavailable)
}

func broke(what string, err error) error {
	if own := new(Error); errors.As(err, &own) {
		return err
	}
	return &MachineError{What: what, Err: err}
}

// isNotFound reports whether Incus answered that there is no such thing.
func isNotFound(err error) bool { return api.StatusErrorCheck(err, http.StatusNotFound) }

// lost reports whether err is a connection that broke rather than an answer.
func lost(err error) bool {
	_, answered := api.StatusErrorMatch(err)
	return err != nil && !answered
}

// connectError explains why there is no connection.
func connectError(where string, err error) error {
	e := noConnection(where, err).(*Error)
	e.away = !errors.Is(err, fs.ErrPermission)
	return e
}

func noConnection(where string, err error) error {
	what := "reach Incus at " + where
	switch {
	case errors.Is(err, fs.ErrPermission):
		return failed(what, errors.New("permission denied"),
			"you are not in the group incus-admin: sudo usermod -aG incus-admin $USER, then log in again")
	case errors.Is(err, fs.ErrNotExist):
		return failed(what, errors.New("there is no socket: Incus is not installed or not started"), startHint())
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(what, errors.New("connection refused: Incus is not running"), startHint())
	}
	return failed(what, err, "pushlane doctor; the address and certificates are in /etc/pushlane/config.toml")
}

// startHint is how Incus is started on this machine.
func startHint() string {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "start it with: systemctl start incus, or install it with: ./install.sh"
	}
	return "start it, or install it, with: ./install.sh --incus-only"
}
