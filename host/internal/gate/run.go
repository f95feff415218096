package gate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// Exit statuses of every command.
const (
	ExitAccept    = 0 // all that was required passed
	ExitRefuse    = 1 // a lane refused
	ExitUsage     = 2 // wrong use
	ExitUndecided = 3 // the gate could not decide
)

// Update is one update with what was decided about it.
type Update struct {
	hooks.Update
	LanesFile
	Commit     string // that New names: a tag's own id is not what is judged
	Changes    []hooks.Change
	Picked     []lanes.Picked // every lane, in file order
	Protected  bool           // a required lane's no refuses it; always so before a push
	Notes      []string       // what it would change about later pushes
	OtherLanes bool           // its lanes or lock file is not the one that judges it
	Refusal    string         // why it is refused whatever the lanes say; "" it is not

	known func(context.Context) ([]string, error) // see KnownTips; nil: none are
}

// KnownTips are commits that the receiver of the push has already: the history
// behind them is not new. Of a run that has no receiver, or whose push is over,
// none are known, and its base alone says what is new.
func (p Update) KnownTips(ctx context.Context) ([]string, error) {
	if p.known == nil {
		return nil, nil
	}
	return p.known(ctx)
}

// Trust says what the update's runs may share with others. What the push itself
// decides is not trusted, and neither is a ref that is not protected.
func (p Update) Trust(gate string) zone.Trust {
	switch {
	case gate != "pre-receive" && gate != "post-receive" && gate != "schedule":
		return zone.Local
	case p.Protected && !p.Strict:
		return zone.Protected
	}
	return zone.Unprotected
}

// work names what is judged and how: lanes of two refs with the same work may
// be run once.
func (p Update) work() work {
	return work{cmp.Or(p.Commit, p.New), p.Base, p.Rev, p.Path, p.Strict, p.Protected}
}

type work struct {
	commit, base, rev, path string
	strict, protected       bool
}

// LaneRun is how one lane run ended.
type LaneRun struct {
	Update   int // index into Run.Updates
	Picked   lanes.Picked
	Address  string // repo@abc1234:lane
	State    store.State
	Blocked  store.State // of the needed lane because of which this one was skipped
	Message  string
	Err      error // the infrastructure error; nil unless State is broken
	Findings []sdk.Finding
	Tail     []string // last lines of the log
	Log      string   // path of the log; empty when there is none
	Digest   string   // sha256 of the plugin
	Image    string   // fingerprint of the container's image; empty without one
	Started  time.Time
	Ended    time.Time

	CachedFrom int64 // number of the run whose verdict this is; 0: it is its own

	Attempt   int  // from 1, of which this is the outcome; 0 counts as 1
	Done      bool // it ended before this host had the run
	LogSize   int64
	LogSum    string
	Artifacts []store.File
}

// Lane reads what never changes: other lanes may ask while this one runs.
func (o *LaneRun) Lane() lanes.Lane { return o.Picked.Lane }

// Refuses reports whether a required lane refused, or needs one that did. A lane
// that its plugin or the pusher skipped does not refuse.
func (o LaneRun) Refuses() bool {
	return o.Lane().Required && (o.State == store.Failed || o.Blocked == store.Failed)
}

// Undecided: a required lane whose verdict is not known.
func (o LaneRun) Undecided() bool {
	lost := func(s store.State) bool { return s == store.Broken || s == store.Cancelled }
	return o.Lane().Required && (lost(o.State) || lost(o.Blocked))
}

// Run is one run: everything the report is made of.
type Run struct {
	Repo       string
	GitDir     string // of the repository, which is known by it
	Address    string // of the repository on the page; empty where the policy has no url
	Gate       string
	Number     int64
	Remote     string
	Updates    []Update
	Bypasses   []string  // earlier pushes that the gate did not see
	Unconfined string    // what the plugins' processes lacked; empty: nothing
	LaneRuns   []LaneRun // by update, then in lanes file order, whatever finished first
	Started    time.Time
	Ended      time.Time
	Policy     config.Policy

	Asked   Asked
	Options pushOptions
	Lists   *hooks.Listing // of the changes of all updates; nil: none was asked for yet
	Pushed  []hooks.Update // a server's gate: every line of the push, those that nothing is judged of too
	PerRef  bool           // each ref of the push has its own answer
	Partly  bool           // good refs are accepted: each ref has its own verdict
}

// Receives reports whether the run is of a push to this server: nothing that the
// pusher brings has a say in what judges it.
func (j Run) Receives() bool { return receives(j.Gate) }

// Exit is the run's exit status: a no comes before "cannot decide", and only
// what needs a pass counts.
func (j Run) Exit() int {
	v := j.Verdicts()
	worst := ExitAccept
	for i := range j.Updates {
		switch exit := v.ExitOf(i); exit {
		case ExitRefuse:
			return ExitRefuse
		case ExitUndecided:
			worst = exit
		}
	}
	return worst
}

// verdicts finds the outcomes that say something about an update, without looking
// at all of them for each: a push may have thousands of both. It is made once
// the lane runs are planned, and reads only what does not change afterwards.
type verdicts struct {
	j    *Run
	own  map[int][]int  // update to its outcomes
	same map[work][]int // work to the outcomes of all updates with it
}

// Verdicts finds the outcomes of every update; see verdicts.
func (j *Run) Verdicts() verdicts {
	v := verdicts{j, map[int][]int{}, map[work][]int{}}
	for k, o := range j.LaneRuns {
		w := j.Updates[o.Update].work()
		v.own[o.Update] = append(v.own[o.Update], k)
		v.same[w] = append(v.same[w], k)
	}
	return v
}

// ExitOf is what becomes of update i alone.
func (v verdicts) ExitOf(i int) int {
	p := v.j.Updates[i]
	switch verdict := v.verdict(i); {
	case verdict == store.Failed && (p.Protected || p.Refusal != ""):
		return ExitRefuse
	case verdict == store.Broken && p.Protected && v.j.Policy.OnUndecided != "accept":
		return ExitUndecided
	}
	return ExitAccept
}

// verdict is what the lanes say of update i, whether it needs a pass or not: a
// lane that was run once for several refs counts for each.
func (v verdicts) verdict(i int) store.State {
	if v.j.Updates[i].Refusal != "" {
		return store.Failed
	}
	state := store.Passed
	for _, k := range v.about(i) {
		switch o := &v.j.LaneRuns[k]; {
		case o.Refuses():
			return store.Failed
		case o.Undecided():
			state = store.Broken
		}
	}
	return state
}

// about lists the outcomes that say something about update i: its own, and of
// lanes of which it has none, those of another ref with the same work.
func (v verdicts) about(i int) []int {
	p := &v.j.Updates[i]
	var all []int
	for _, k := range v.same[p.work()] {
		o := &v.j.LaneRuns[k]
		picks := func(p lanes.Picked) bool { return p.Picked && p.Lane.ID == o.Lane().ID }
		if o.Update == i || !v.hasOwn(i, o.Lane().ID) && slices.ContainsFunc(p.Picked, picks) {
			all = append(all, k)
		}
	}
	return all
}

// hasOwn reports whether update i has its own lane run for a lane.
func (v verdicts) hasOwn(i int, lane string) bool {
	return slices.ContainsFunc(v.own[i], func(k int) bool { return v.j.LaneRuns[k].Lane().ID == lane })
}

// NeedsOf lists the outcomes that outcome i waits for: picked lanes that judge
// the same trees, under whichever ref they were planned. A needed lane that
// this push did not pick counts as passed.
func (v verdicts) NeedsOf(i int) []int {
	o := &v.j.LaneRuns[i]
	if len(o.Lane().Needs) == 0 {
		return nil
	}
	var found []int
	for _, k := range v.same[v.j.Updates[o.Update].work()] {
		other := &v.j.LaneRuns[k]
		same := other.Update == o.Update || !v.hasOwn(o.Update, other.Lane().ID)
		if same && slices.Contains(o.Lane().Needs, other.Lane().ID) {
			found = append(found, k)
		}
	}
	return found
}

// State is what the lanes say of the whole run.
func (j Run) State() store.State {
	state := store.Passed
	v := j.Verdicts()
	for i := range j.Updates {
		switch v.verdict(i) {
		case store.Failed:
			return store.Failed
		case store.Broken:
			state = store.Broken
		}
	}
	broke := func(o LaneRun) bool { return o.Undecided() && (o.State == store.Broken || o.Blocked == store.Broken) }
	if state == store.Broken && !slices.ContainsFunc(j.LaneRuns, broke) {
		return store.Cancelled // nothing broke: a user stopped it
	}
	return state
}

// refusals are the reasons for which updates are refused whatever lanes say.
func (j Run) refusals() []string {
	var all []string
	for _, p := range j.Updates {
		if p.Refusal != "" {
			all = append(all, p.Refusal)
		}
	}
	return all
}

// ExitOf is the status of a call that ended before any lane ran.
func ExitOf(err error, p config.Policy) int {
	switch {
	case err == nil:
		return ExitAccept
	case problem.IsUsage(err):
		return ExitUsage
	case p.OnUndecided == "accept":
		return ExitAccept
	}
	return ExitUndecided
}
