package runjson

// Bounds of a run where many are listed, and in a webhook. Counts says how many
// there are.
const (
	MaxListed   = 200  // updates, lane runs and events
	MaxFindings = 50   // of a lane run, and of the whole run
	maxText     = 1000 // characters of a message, a path or a ref
)

// Bounded cuts the lists and the long texts of a run.
func (r Run) Bounded() Run {
	r.Updates, r.LaneRuns, r.Events = first(r.Updates, MaxListed), first(r.LaneRuns, MaxListed), first(r.Events, MaxListed)
	for _, text := range []*string{&r.Message, &r.Pusher, &r.Remote, &r.Skip, &r.CancelBy} {
		*text = short(*text)
	}
	for i := range r.Updates {
		r.Updates[i].Ref = short(r.Updates[i].Ref)
	}
	for i := range r.Events {
		r.Events[i].Message = short(r.Events[i].Message)
	}
	left := MaxFindings
	for i := range r.LaneRuns {
		left -= r.LaneRuns[i].bound(left)
	}
	return r
}

// bound cuts one lane run to at most so many findings and says how many it has.
func (l *LaneRun) bound(findings int) int {
	for _, text := range []*string{&l.Reason, &l.Path, &l.Glob, &l.Message} {
		*text = short(*text)
	}
	l.Artifacts, l.Findings = first(l.Artifacts, MaxListed), first(l.Findings, findings)
	for i := range l.Findings {
		f := &l.Findings[i]
		f.Path, f.Rule, f.Message = short(f.Path), short(f.Rule), short(f.Message)
	}
	return len(l.Findings)
}

func first[E any](list []E, n int) []E { return list[:min(n, len(list))] }

func short(text string) string { return Short(text, maxText) }

// Short is text of at most so many characters.
func Short(text string, limit int) string {
	if r := []rune(text); len(r) > limit {
		return string(r[:limit-3]) + "..."
	}
	return text
}
