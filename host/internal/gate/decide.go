// Package gate decides which lanes judge a push, and by whose rules: it reads the
// input of the hook, compares it with the repository, finds the lanes of the time
// before the push, and picks those whose paths changed. It does not run anything: it
// does not use the sandbox or Incus, and of the store only the names of states and
// the record of trust.
//
//	Call --Decide--> Run     its updates, the picked lanes, refusals so far
//	Run  --Exit----> status  of the hook, once the lane runs have ended
package gate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/notify"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

// SeesUpdate reports whether a lane's plugin receives the ref that it judges, so
// that its verdict about update i is not valid for another.
type SeesUpdate func(ctx context.Context, j *Run, i int, lane lanes.Lane) bool

// Decide reads what is pushed and decides about every lane; nothing has run. st
// is asked at a server's gate alone.
func Decide(ctx context.Context, repo *hooks.Repo, call Call, policy config.Policy, st TrustRecord,
	apart SeesUpdate) (Run, error) {
	j := Run{Repo: policy.RepositoryTitle(repo), GitDir: repo.CommonDir(), Gate: call.Gate, Remote: call.Arg(0),
		Started: time.Now(), Policy: policy, PerRef: call.PerRef, Asked: call.Asked()}
	var err error
	if j.Options, err = call.options(policy); err != nil {
		return j, err
	}
	if call.Receives() {
		err = j.receive(ctx, repo, call, st)
	} else {
		err = j.local(ctx, repo, call)
	}
	if err == nil {
		err = j.Options.check(j)
	}
	if err == nil {
		j.Plan(func(i int, lane lanes.Lane) bool { return apart(ctx, &j, i, lane) })
	}
	return j, err
}

// local reads the updates of a gate on the pusher's own machine: the pushed
// commits' own lanes judge them, and what has none is judged by those that a
// server would choose.
func (j *Run) local(ctx context.Context, repo *hooks.Repo, call Call) error {
	updates, err := call.updates(ctx, repo)
	if err != nil {
		return err
	}
	known := call.knownTips(repo, updates)
	for _, u := range updates {
		if u.Delete { // nothing is left to judge
			continue
		}
		by, err := LocalLanes(ctx, repo, u, call, j.Policy)
		if err != nil {
			return err
		}
		if err := j.add(ctx, repo, call, Update{Update: u, LanesFile: by, Protected: true, known: known}); err != nil {
			return err
		}
	}
	return nil
}

// receive reads the updates of a server's gate: lanes that were there before
// the push judge it.
func (j *Run) receive(ctx context.Context, repo *hooks.Repo, call Call, st TrustRecord) error {
	updates, err := hooks.ReadUpdates(bytes.NewReader(call.Stdin), call.Gate)
	if err != nil {
		return err
	}
	to, err := newReceiver(ctx, repo, j.Policy, st, call, updates)
	var stale *hooks.StaleError
	if errors.As(err, &stale) {
		j.refuseStale(to, stale)
		return nil
	}
	if err != nil {
		return err
	}
	if err := to.setBases(ctx); err != nil {
		return err
	}
	j.Pushed = to.push
	for _, u := range to.push {
		if err := j.receiveOne(ctx, repo, call, to, u); err != nil {
			return err
		}
	}
	return to.trustFirst(ctx, st)
}

// refuseStale refuses all of a push whose lines are not what the repository
// has: what one line says decides how the others would be judged.
func (j *Run) refuseStale(to *receiver, stale *hooks.StaleError) {
	j.Pushed = to.push
	for _, u := range to.push {
		p := Update{Update: u, Protected: to.protects(u.Ref),
			Refusal: "another ref of this push does not have the value that the push expects"}
		if u.Named() == stale.Ref {
			p.Refusal = printable.Clean(stale.Error()) + ": " + stale.Hint()
		}
		p.Base = hooks.ZeroID
		j.Updates = append(j.Updates, p)
	}
}

// receiveOne decides about one update of a server's gate.
func (j *Run) receiveOne(ctx context.Context, repo *hooks.Repo, call Call, to *receiver, u hooks.Update) (err error) {
	p := Update{Update: u, Protected: to.protects(u.Ref)}
	p.known = func(ctx context.Context) ([]string, error) {
		return repo.KnownReceived(ctx, to.push, to.counts(p.Protected))
	}
	if to.decides {
		p.Refusal = cmp.Or(notesRefusal(u.Ref), to.moves(u))
	}
	if u.Delete || p.Refusal != "" {
		if p.Refusal != "" {
			j.Updates = append(j.Updates, p)
		}
		return nil
	}
	if p.LanesFile, err = to.lanes(ctx, u); err != nil {
		return fmt.Errorf("%s: %w", printable.Clean(u.Named()), err)
	}
	if p.Notes, p.OtherLanes, p.Refusal = to.review(ctx, u, p.LanesFile); !to.decides {
		p.Refusal = ""
	}
	if u.Alias != "" {
		p.Notes = append(p.Notes, fmt.Sprintf("%s is another name of %s, which is judged", printable.Ref(u.Alias),
			printable.Ref(u.Ref)))
	}
	return j.add(ctx, repo, call, p)
}

// notesRefusal keeps pushers out of the host's verdicts, and out of names that
// would make their ref impossible.
func notesRefusal(ref string) string {
	if strings.HasPrefix(ref+"/", notify.NotesRef+"/") || strings.HasPrefix(notify.NotesRef, ref+"/") {
		return notify.NotesRef + " holds this host's verdicts and cannot be pushed"
	}
	return ""
}

// add picks the lanes of one update.
func (j *Run) add(ctx context.Context, repo *hooks.Repo, call Call, p Update) error {
	var err error
	if p.Commit, err = repo.Resolve(ctx, p.New); err != nil {
		return err
	}
	if p.Changes, err = j.Listing(repo).Changes(ctx, p.Base, p.New); err != nil {
		return err
	}
	event := lanes.Event{Gate: call.laneGate(), Ref: p.Ref, Paths: LanesTouched(ChangedPaths(p.Changes), p.OtherLanes)}
	if event.Reached, err = Reached(ctx, repo, p.Set, p.Base, p.Commit); err != nil {
		return err
	}
	picked, err := p.Set.Pick(ctx, event)
	if err != nil {
		return problem.WithHint(err, "push fewer files at once, or give the lane fewer patterns that begin with a wildcard")
	}
	p.Picked, err = choose(picked, call, j.Options)
	j.Updates = append(j.Updates, p)
	return err
}

// ChangedPaths are the paths of changes, in their order.
func ChangedPaths(changes []hooks.Change) []string {
	paths := make([]string, len(changes))
	for i, c := range changes {
		paths[i] = c.Path
	}
	return paths
}

// choose applies --lane and --all, where what a person names runs whatever the
// paths say, and lane.only, which leaves the others out.
func choose(picked []lanes.Picked, call Call, w pushOptions) ([]lanes.Picked, error) {
	for _, id := range call.Lanes {
		if !slices.ContainsFunc(picked, func(p lanes.Picked) bool { return p.Lane.ID == id }) {
			return nil, problem.Usage(problem.WithHint(fmt.Errorf("cannot run lane %q: there is no such lane", id),
				"see them with: pushlane lanes"))
		}
	}
	for i := range picked {
		p := &picked[i]
		switch {
		case len(call.Lanes) > 0 && slices.Contains(call.Lanes, p.Lane.ID):
			p.Picked, p.Reason = true, "requested"
		case len(call.Lanes) > 0:
			p.Picked, p.Reason = false, "not requested"
		case call.All && !p.Picked && slices.Contains(p.Lane.On, call.laneGate()):
			p.Picked, p.Reason = true, "requested with --all"
		case p.Picked && len(w.only) > 0 && !slices.Contains(w.only, p.Lane.ID):
			p.Picked, p.Reason = false, "skipped by the pusher: lane.only="+strings.Join(w.only, ",")
		}
	}
	return picked, nil
}

// Plan lists the lane runs of a push: one per update and picked lane. Two refs
// that bring the same commit over the same base under the same lanes share one
// where apart says that its plugin sees no difference between them. A lane that
// the pusher skips is listed too, so that it is recorded. The lanes of a refused
// update do not run, and none of them says anything about another update.
func (j *Run) Plan(apart func(i int, lane lanes.Lane) bool) {
	all := len(j.refusals()) > 0 && !j.PerRef // one refused update refuses the others
	type laneWork struct {
		work
		lane string
	}
	planned := map[laneWork]bool{}
	for i, p := range j.Updates {
		refused := all || p.Refusal != ""
		for _, picked := range p.Picked {
			work := laneWork{p.work(), picked.Lane.ID}
			if !picked.Picked || planned[work] && !apart(i, picked.Lane) {
				continue
			}
			planned[work] = planned[work] || all || !refused
			o := LaneRun{Update: i, Picked: picked, Address: Address(j.Repo, p.New, picked.Lane.ID)}
			if reason, skipped := j.Options.why(picked.Lane.ID); skipped {
				o.Message = "skipped by the pusher: " + reason
			} else if refused {
				o.Message = "not run: the push is refused already"
			}
			j.LaneRuns = append(j.LaneRuns, o)
		}
	}
}

// Address is how a lane run is named in every message, file and label.
func Address(repo, id, lane string) string {
	return repo + "@" + printable.Short(id) + ":" + lane
}

// Listing lists the changes of the push: all of its updates share one bound.
func (j *Run) Listing(repo *hooks.Repo) *hooks.Listing {
	if j.Lists == nil {
		j.Lists = repo.Listing()
	}
	return j.Lists
}

// check refuses an option about a lane that does not exist: a typing error must
// not be a skip of nothing, nor leave every lane out.
func (w pushOptions) check(j Run) error {
	known := map[string]bool{}
	for _, p := range j.Updates {
		for _, picked := range p.Picked {
			known[picked.Lane.ID] = true
		}
	}
	unknown := func(do, id string) error {
		return problem.Usage(problem.WithHint(fmt.Errorf("cannot %s lane %q: there is no such lane", do, id),
			"see them with: pushlane lanes"))
	}
	if len(j.Updates) == 0 {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(w.skip)) {
		if !known[id] && id != "all" {
			return unknown("skip", id)
		}
	}
	for _, id := range w.only {
		if !known[id] {
			return unknown("run only", id)
		}
	}
	return nil
}
