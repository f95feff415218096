package lanerun

import (
	"testing"

	"github.com/pushlane/pushlane/host/internal/gate"
)

// A lock out of a tree names files of that tree only.
func TestALockNamesFilesOfItsTree(t *testing.T) {
	t.Parallel()
	l := &Lane{j: &gate.Run{Updates: []gate.Update{{LanesFile: gate.LanesFile{Rev: "1"}}}, Outcomes: []gate.LaneRun{{}}}}
	if _, err := l.fromTree(t.Context(), "/etc/shadow"); err == nil || err.Error() != `its source "/etc/shadow" in lanes.lock is not a file of the repository` {
		t.Errorf("got %v", err)
	}
}
