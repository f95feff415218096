package host

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
)

// TestInfrastructure: what retries are for, and what no attempt changes.
func TestInfrastructure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state store.State
		err   error
		want  bool
	}{
		"a container was stopped": {store.Broken, &incus.MachineError{What: "x", Err: errors.New("y")}, true},
		"a plugin's process died": {store.Broken, fmt.Errorf("cannot run: %w",
			&sandbox.DiedError{Why: "its process died: signal: killed"}), true},
		"the lane's own fault":       {store.Broken, errors.New("unknown key"), false},
		"Incus refuses what it asks": {store.Broken, &incus.Error{What: "x", Err: errors.New("y")}, false},
		"a no":                       {store.Failed, &incus.MachineError{What: "x", Err: errors.New("y")}, false},
	} {
		if got := infrastructure(&gate.LaneRun{State: c.state, Err: c.err}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
