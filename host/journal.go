package host

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
)

// maxLoggedRefs is how many refs of a push have a line in the log: a push may
// have thousands. Those that were not accepted come first.
const maxLoggedRefs = 50

// journal is the log of a resident; one without log writes nothing.
type journal struct{ log *logrus.Logger }

// push writes a line for each ref of a push: what git was answered about it,
// and why. A push that broke before its refs were known has one line. A host
// that judges a single call has no log.
func (h journal) push(j gate.Run, exit int, err error, took time.Duration) {
	if h.log == nil {
		return
	}
	line := h.line(j).WithFields(logrus.Fields{"gate": j.Gate, "repository": j.Repo,
		"duration": seconds(took)})
	if err != nil {
		line.WithFields(logrus.Fields{"verdict": exitWord(exit), "reason": err}).Error("push")
		return
	}
	answers := refAnswers(j, exit)
	for _, a := range answers[:min(len(answers), maxLoggedRefs)] {
		line.WithFields(logrus.Fields{"ref": a.Ref, "old": a.Old, "new": a.New}).WithFields(a.said()).Log(a.level(), "push")
	}
	if more := len(answers) - maxLoggedRefs; more > 0 {
		line.WithField("refs", more).Info("push: more refs, which are not listed")
	}
}

// refAnswer is what git was answered about one ref.
type refAnswer struct {
	hooks.Update
	exit   int
	along  bool // not accepted for another ref's sake
	word   string
	reason string
}

// rank is the place in the log: what is refused itself comes first.
func (a refAnswer) rank() int {
	switch {
	case a.exit == gate.ExitAccept:
		return 2
	case a.along:
		return 1
	}
	return 0
}

func (a refAnswer) said() logrus.Fields {
	fields := logrus.Fields{"verdict": a.word}
	if a.reason != "" {
		fields["reason"] = a.reason
	}
	return fields
}

func (a refAnswer) level() logrus.Level {
	switch a.exit {
	case gate.ExitAccept:
		return logrus.InfoLevel
	case gate.ExitRefuse:
		return logrus.WarnLevel
	}
	return logrus.ErrorLevel
}

// refAnswers lists the refs of a push, those that nothing is judged of too.
func refAnswers(j gate.Run, exit int) []refAnswer {
	v := j.Verdicts()
	var all []refAnswer
	judged := map[string]bool{}
	for i, u := range j.Updates {
		a := refAnswer{Update: u.Update, exit: v.ExitOf(i), reason: strings.Join(v.Against(i), "; ")}
		if a.exit == gate.ExitAccept && exit != gate.ExitAccept {
			a.along, a.exit, a.reason = true, exit, "another ref of the push was not accepted"
		}
		if a.word = exitWord(a.exit); j.Gate == "post-receive" && len(j.LaneRuns) > 0 {
			a.word = "queued"
		}
		judged[u.Ref] = true
		all = append(all, a)
	}
	for _, u := range j.Pushed {
		if !judged[u.Ref] {
			all = append(all, refAnswer{u, exit, true, exitWord(exit), "nothing of it is judged"})
		}
	}
	slices.SortStableFunc(all, func(a, b refAnswer) int { return cmp.Compare(a.rank(), b.rank()) })
	return all
}

func exitWord(exit int) string {
	switch exit {
	case gate.ExitAccept:
		return "accepted"
	case gate.ExitRefuse:
		return "refused"
	}
	return "undecided"
}

// run writes a line for a run that ended.
func (h journal) run(j gate.Run) {
	if h.log == nil {
		return
	}
	line := h.line(j).WithFields(logrus.Fields{"lanes": len(j.LaneRuns),
		"duration": seconds(j.Ended.Sub(j.Started))})
	if len(j.Updates) == 1 {
		u := j.Updates[0]
		line = line.WithFields(logrus.Fields{"ref": u.Ref, "old": u.Old, "new": u.New})
	} else {
		line = line.WithField("refs", len(j.Updates))
	}
	var reasons []string
	v := j.Verdicts()
	for i := range j.Updates {
		for _, reason := range v.Against(i) {
			if !slices.Contains(reasons, reason) && len(reasons) < maxLoggedRefs {
				reasons = append(reasons, reason)
			}
		}
	}
	logState(line, "run", j.State(), strings.Join(reasons, "; "))
}

// lane writes a line for a lane run that ended.
func (h journal) lane(j *gate.Run, i int, number int64) {
	if h.log == nil {
		return
	}
	o := &j.LaneRuns[i]
	u := j.Updates[o.Update]
	line := h.line(gate.Run{Repo: j.Repo, Gate: j.Gate, Number: number}).WithFields(logrus.Fields{"lane": o.Lane().ID,
		"ref": u.Ref, "old": u.Old, "new": u.New, "required": o.Lane().Required, "attempt": max(1, o.Attempt),
		"duration": seconds(o.Ended.Sub(o.Started))})
	if o.CachedFrom > 0 {
		line = line.WithField("cached", o.CachedFrom)
	}
	reason := o.Message
	if o.Err != nil {
		reason = o.Err.Error()
	}
	logState(line, "lane run", o.State, reason)
}

// line has what is known of the run.
func (h journal) line(j gate.Run) *logrus.Entry {
	line := h.log.WithFields(logrus.Fields{"repository": j.Repo, "gate": j.Gate})
	if j.Number > 0 {
		line = line.WithField("run", j.Number)
	}
	return line
}

// logState writes a line as grave as the state.
func logState(line *logrus.Entry, what string, state store.State, reason string) {
	if reason != "" {
		line = line.WithField("reason", reason)
	}
	level := logrus.InfoLevel
	switch state {
	case store.Broken:
		level = logrus.ErrorLevel
	case store.Failed, store.Cancelled:
		level = logrus.WarnLevel
	}
	line.WithField("state", string(state)).Log(level, what)
}

// seconds is a time as the log has it, to the millisecond.
func seconds(d time.Duration) float64 { return math.Round(max(0, d).Seconds()*1000) / 1000 }
