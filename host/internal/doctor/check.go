package doctor

import (
	"fmt"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// Check is one thing that doctor looked at.
type Check struct {
	Name    string // git, hooks, lanes, policy, plugins, store or what Incus lacks
	OK      bool
	Warn    bool // it is OK, but should be reviewed
	Message string
	Hint    string // the command that fixes it; empty when OK without a warning
}

func good(name, format string, args ...any) Check {
	return Check{Name: name, OK: true, Message: fmt.Sprintf(format, args...)}
}

func bad(name string, err error, hint string) Check {
	if h := problem.Hint(err); h != "" {
		hint = h
	}
	return Check{Name: name, Message: err.Error(), Hint: hint}
}
