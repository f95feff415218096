package gate

import (
	"fmt"

	"github.com/pushlane/pushlane/host/internal/store"
)

// UnmetNeed returns which needed lane did not pass. A lane that its plugin or the
// pusher skipped does not count.
func UnmetNeed(j *Run, needs []int) (message string, blocked store.State) {
	for _, k := range needs {
		need := &j.LaneRuns[k]
		blocked := need.State
		if need.Blocked != "" {
			blocked = need.Blocked
		}
		if blocked == store.Passed || blocked == store.Skipped {
			continue
		}
		return fmt.Sprintf("needs %q, which %s", need.Lane().ID, StateWord(need.State)), blocked
	}
	return "", ""
}

// StateWord says how a lane ended that another one needs.
func StateWord(s store.State) string {
	switch s {
	case store.Failed:
		return "failed"
	case store.Broken:
		return "broke"
	case store.Cancelled:
		return "was cancelled"
	}
	return "did not pass"
}
