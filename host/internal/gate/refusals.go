package gate

import (
	"fmt"
)

// Against lists what lanes, or the gate itself, have against update i.
func (v verdicts) Against(i int) []string {
	if refusal := v.j.Updates[i].Refusal; refusal != "" {
		return []string{refusal}
	}
	var all []string
	for _, k := range v.about(i) {
		if o := v.j.LaneRuns[k]; o.Refuses() || o.Undecided() {
			all = append(all, fmt.Sprintf("lane %q %s", o.Lane().ID, verdictWord(o)))
		}
	}
	return all
}

func verdictWord(o LaneRun) string {
	if o.Blocked != "" {
		return o.Message
	}
	return StateWord(o.State)
}
