package doctor

import (
	"fmt"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// Check is one thing that doctor looked at.
type Check struct {
	Name    string `json:"name"` // git, hooks, lanes, policy, plugins, store or what Incus lacks
	OK      bool   `json:"ok"`
	Warn    bool   `json:"warn"` // it is OK, but should be reviewed
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // the command that fixes it; empty when OK without a warning
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
