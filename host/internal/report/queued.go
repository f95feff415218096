package report

import (
	"fmt"
	"io"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/runjson"
)

// writeQueued tells the pusher what still runs.
func writeQueued(w io.Writer, j gate.Run) {
	if len(j.LaneRuns) == 0 {
		return
	}
	line := fmt.Sprintf("pushlane: run #%d: %s queued now that the push is in", j.Number,
		printable.Count(len(j.LaneRuns), "lane"))
	if j.Address != "" {
		line += ": " + runjson.Page(j.Policy.URL, j.Address, j.Number, "")
	}
	fmt.Fprintln(w, line)
}
