package lanerun

import (
	"context"
	"fmt"
	"slices"

	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// Check finds what would keep the lane from running, and grants that have no effect,
// without running any of it.
func (l *Lane) Check(ctx context.Context) (faults []error, notes []string) {
	if err := l.prepare(ctx, l.outcome()); err != nil {
		return []error{err}, nil
	}
	asks := func(name string) bool {
		return slices.ContainsFunc(l.module.Manifest().Capabilities, func(c sdk.Capability) bool { return c.Name == name })
	}
	grant := l.lane().Grant
	for _, name := range lanes.Capabilities() {
		switch {
		case !grant.Gives(name):
		case !slices.Contains(l.policy().Capabilities, name):
			faults = append(faults, problem.WithHint(fmt.Errorf("it grants %s, which the policy of this host does not allow",
				name), "the host's owner may add it to `capabilities` in "+l.j.Policy.File()))
		case !asks(name) && name != "repo.read" && name != "repo.history": // these are granted unless it says no
			notes = append(notes, fmt.Sprintf("it grants %s, which plugin %q does not ask for", name, l.lane().Plugin))
		}
	}
	if asks("container") && !grant.Container {
		faults = append(faults, l.denied("container"))
	}
	return faults, notes
}
