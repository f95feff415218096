package lanerun

import (
	"testing"

	"github.com/pushlane/pushlane/host/internal/gate"
)

// A lock out of a tree names files of that tree only.
func TestALockNamesFilesOfItsTree(t *testing.T) {
	t.Parallel()
	of := modules{&access{j: &gate.Run{Updates: []gate.Update{{LanesFile: gate.LanesFile{Rev: "1"}}},
		LaneRuns: []gate.LaneRun{{}}}}}
	want := `its source "/etc/shadow" in lanes.lock is not a file of the repository`
	if _, err := of.fromTree(t.Context(), "/etc/shadow"); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
