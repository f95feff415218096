package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/tell"
	"github.com/pushlane/pushlane/lanes"
)

// Judge answers one call: it prints to the call's report and returns the exit
// status of the hook.
//
//	git stdin --updates--> []hooks.Update      every ref line, with its base
//	          --Changes--> []hooks.Change      per update: the paths that differ
//	          --Pick-----> []lanes.Picked      every lane and why
//	          --run------> []Outcome           in lane order, whatever finished first
//	          --report---> lines and an exit status
func (h *Host) Judge(ctx context.Context, call Call, out Output) int {
	if call.Gate == "post-receive" && !h.resident {
		return h.leave(ctx, call, out)
	}
	policy, err := call.policy()
	if err != nil {
		out.fail(call, err)
		return ExitUndecided
	}
	j, err := h.judge(ctx, call, policy, out)
	if err != nil {
		out.fail(call, err)
		return exitOf(err, policy)
	}
	exit, err := h.exit(ctx, call, &j)
	if err != nil {
		out.fail(call, err)
		return ExitUndecided
	}
	if err := out.report(call, j); err != nil && !hookGate(call.Gate) {
		return ExitUndecided
	}
	return exit // a verdict holds also where no one can be told of it
}

// leave keeps an accepted push for the resident host that is not there now.
func (h *Host) leave(ctx context.Context, call Call, out Output) int {
	if err := h.spool(ctx, call); err != nil {
		WriteError(out.Err, err)
		return ExitUndecided
	}
	return ExitAccept
}

// exit is the status that git gets: where every ref is answered by itself, a
// push that is good in part goes on to be.
func (h *Host) exit(ctx context.Context, call Call, j *Judgement) (int, error) {
	if !j.perRef || j.to == nil {
		return j.Exit(), nil
	}
	var err error
	if j.partly, err = h.leaveVerdict(call, *j); j.partly {
		return ExitAccept, err
	}
	return j.Exit(), err
}

func (h *Host) judge(ctx context.Context, call Call, policy Policy, out Output) (Judgement, error) {
	repo, release, err := h.repo(ctx, call)
	if err != nil {
		return Judgement{}, err
	}
	defer release()
	perRef, err := call.perRef(ctx)
	if err != nil {
		return Judgement{}, err
	}
	if call, err = call.aimed(ctx, repo); err != nil {
		return Judgement{}, err
	}
	j, err := h.decide(ctx, repo, call, policy, perRef)
	if err != nil || len(j.Updates) == 0 {
		return j, err
	}
	if call.Gate == "post-receive" {
		return j, h.enqueue(ctx, repo, call, &j)
	}
	rec, err := h.begin(ctx, repo, call, &j)
	if err != nil {
		return j, err
	}
	defer func() { <-rec.begun; rec.release() }()
	running, done := h.cancellable(ctx, rec)
	defer done()
	h.runLanes(running, repo, call, &j, rec, out)
	j.Ended = time.Now()
	rec.later(context.WithoutCancel(ctx), j.letThrough()...)
	if err := rec.end(context.WithoutCancel(ctx), &j); err != nil {
		h.held.unrecorded(rec.run.ID, err)
		return j, err
	}
	if err := h.keepPatches(ctx, repo, &j, rec.run.ID); err != nil {
		return j, err
	}
	h.packLogs(&j)
	return j, h.tellRefused(ctx, rec.run.ID, j)
}

// decide reads what is pushed and decides about every lane; nothing has run.
func (h *Host) decide(ctx context.Context, repo *hooks.Repo, call Call, policy Policy, perRef bool) (Judgement, error) {
	j := Judgement{Repo: policy.nameOf(repo), GitDir: repo.CommonDir(), Gate: call.Gate, Remote: call.arg(0),
		Started: time.Now(), Policy: policy, perRef: perRef}
	var err error
	if j.wishes, err = call.wishes(policy); err != nil {
		return j, err
	}
	if call.Receives() {
		err = j.receive(ctx, h, repo, call)
	} else {
		err = j.local(ctx, repo, call)
	}
	if err == nil {
		err = j.wishes.check(j)
	}
	if err == nil {
		j.plan(func(i int, lane lanes.Lane) bool { return h.seesUpdate(ctx, repo, call, &j, i, lane) })
	}
	return j, err
}

// local reads the updates of a gate on the pusher's own machine: the pushed
// commits' own lanes judge them, and what has none is judged by those that a
// server would choose.
func (j *Judgement) local(ctx context.Context, repo *hooks.Repo, call Call) error {
	updates, err := call.updates(ctx, repo)
	if err != nil {
		return err
	}
	for _, u := range updates {
		if u.Delete { // nothing is left to judge
			continue
		}
		by, err := localLanes(ctx, repo, u, call, j.Policy)
		if err != nil {
			return err
		}
		if err := j.add(ctx, repo, call, pushed{Update: u, lanesFile: by, Protected: true}); err != nil {
			return err
		}
	}
	return nil
}

// receive reads the updates of a server's gate: lanes that were there before
// the push judge it.
func (j *Judgement) receive(ctx context.Context, h *Host, repo *hooks.Repo, call Call) error {
	updates, err := hooks.ReadUpdates(bytes.NewReader(call.Stdin), call.Gate)
	if err != nil {
		return err
	}
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	to, err := newReceiver(ctx, repo, j.Policy, st, call, updates)
	var stale *hooks.StaleError
	if errors.As(err, &stale) {
		j.to = to
		j.refuseStale(stale)
		return nil
	}
	if err != nil {
		return err
	}
	if err := to.setBases(ctx); err != nil {
		return err
	}
	j.to = to
	for _, u := range to.push {
		if err := j.receiveOne(ctx, repo, call, u); err != nil {
			return err
		}
	}
	return to.trustFirst(ctx, st)
}

// refuseStale refuses all of a push whose lines are not what the repository
// has: what one line says decides how the others would be judged.
func (j *Judgement) refuseStale(stale *hooks.StaleError) {
	for _, u := range j.to.push {
		p := pushed{Update: u, Protected: j.to.protects(u.Ref),
			Refusal: "another ref of this push is not where the push takes it to be"}
		if u.Named() == stale.Ref {
			p.Refusal = Clean(stale.Error()) + ": " + stale.Hint()
		}
		p.Base = hooks.ZeroID
		j.Updates = append(j.Updates, p)
	}
}

// receiveOne decides about one update of a server's gate.
func (j *Judgement) receiveOne(ctx context.Context, repo *hooks.Repo, call Call, u hooks.Update) (err error) {
	p := pushed{Update: u, Protected: j.to.protects(u.Ref)}
	if j.to.decides {
		p.Refusal = cmp.Or(notesRefusal(u.Ref), j.to.moves(u))
	}
	if u.Delete || p.Refusal != "" {
		if p.Refusal != "" {
			j.Updates = append(j.Updates, p)
		}
		return nil
	}
	if p.lanesFile, err = j.to.lanes(ctx, u); err != nil {
		return fmt.Errorf("%s: %w", Clean(u.Named()), err)
	}
	if p.Notes, p.OtherLanes, p.Refusal = j.to.review(ctx, u, p.lanesFile); !j.to.decides {
		p.Refusal = ""
	}
	if u.Alias != "" {
		p.Notes = append(p.Notes, fmt.Sprintf("%s is another name of %s, which is judged", refWord(u.Alias), refWord(u.Ref)))
	}
	return j.add(ctx, repo, call, p)
}

// notesRefusal keeps pushers out of the host's verdicts, and out of names that
// would make their ref impossible.
func notesRefusal(ref string) string {
	if strings.HasPrefix(ref+"/", tell.NotesRef+"/") || strings.HasPrefix(tell.NotesRef, ref+"/") {
		return tell.NotesRef + " holds this host's verdicts and cannot be pushed"
	}
	return ""
}

// add picks the lanes of one update.
func (j *Judgement) add(ctx context.Context, repo *hooks.Repo, call Call, p pushed) error {
	var err error
	if p.Commit, err = repo.Resolve(ctx, p.New); err != nil {
		return err
	}
	if p.Changes, err = j.listing(repo).Changes(ctx, p.Base, p.New); err != nil {
		return err
	}
	event := lanes.Event{Gate: call.laneGate(), Ref: p.Ref, Paths: lanesTouched(changedPaths(p.Changes), p.OtherLanes)}
	if event.Reached, err = reached(ctx, repo, p.Set, p.Base, p.Commit); err != nil {
		return err
	}
	picked, err := p.Set.Pick(ctx, event)
	if err != nil {
		return hinted(err, "push fewer files at once, or give the lane fewer patterns that begin with a wildcard")
	}
	p.Picked, err = choose(picked, call, j.wishes)
	j.Updates = append(j.Updates, p)
	return err
}

func changedPaths(changes []hooks.Change) []string {
	paths := make([]string, len(changes))
	for i, c := range changes {
		paths[i] = c.Path
	}
	return paths
}

// choose applies --lane and --all, where what a person names runs whatever the
// paths say, and lane.only, which leaves the others out.
func choose(picked []lanes.Picked, call Call, w wishes) ([]lanes.Picked, error) {
	for _, id := range call.Lanes {
		if !slices.ContainsFunc(picked, func(p lanes.Picked) bool { return p.Lane.ID == id }) {
			return nil, usageError{hinted(fmt.Errorf("cannot run lane %q: there is no such lane", id), "see them with: pushlane lanes")}
		}
	}
	for i := range picked {
		p := &picked[i]
		switch {
		case len(call.Lanes) > 0 && slices.Contains(call.Lanes, p.Lane.ID):
			p.Picked, p.Reason = true, "asked for"
		case len(call.Lanes) > 0:
			p.Picked, p.Reason = false, "not asked for"
		case call.All && !p.Picked && slices.Contains(p.Lane.On, call.laneGate()):
			p.Picked, p.Reason = true, "asked for with --all"
		case p.Picked && len(w.only) > 0 && !slices.Contains(w.only, p.Lane.ID):
			p.Picked, p.Reason = false, "left out by the pusher: lane.only="+strings.Join(w.only, ",")
		}
	}
	return picked, nil
}

// plan lists the lane runs of a push: one per update and picked lane. Two refs
// that bring the same commit over the same base under the same lanes share one
// where apart says that its plugin sees no difference between them. A lane that
// the pusher skips is listed too, so that it is recorded. The lanes of a refused
// update do not run, and none of them says anything about another update.
func (j *Judgement) plan(apart func(i int, lane lanes.Lane) bool) {
	all := len(j.refusals()) > 0 && !j.perRef // one refused update refuses the others
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
			o := Outcome{Update: i, Picked: picked, Address: address(j.Repo, p.New, picked.Lane.ID)}
			if reason, skipped := j.wishes.why(picked.Lane.ID); skipped {
				o.Message = "skipped by the pusher: " + reason
			} else if refused {
				o.Message = "not run: the push is refused already"
			}
			j.Outcomes = append(j.Outcomes, o)
		}
	}
}

// seesUpdate reports whether the lane's plugin is told which ref it judges, so
// that its verdict about one says nothing of another. One that cannot be
// loaded is taken to be.
func (h *Host) seesUpdate(ctx context.Context, repo *hooks.Repo, call Call, j *Judgement, i int, lane lanes.Lane) bool {
	o := Outcome{Update: i, Picked: lanes.Picked{Lane: lane}}
	l := &laneRun{host: h, repo: repo, call: call, j: &Judgement{GitDir: j.GitDir, Gate: j.Gate, Policy: j.Policy,
		Updates: j.Updates, Outcomes: []Outcome{o}}}
	m, err := l.manifest(ctx)
	return err != nil || wants(m, "update")
}

// address is how a lane run is named in every message, file and label.
func address(repo, id, lane string) string {
	return repo + "@" + short(id) + ":" + lane
}

func short(id string) string { return id[:min(7, len(id))] }
