package host

import (
	"context"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/report"
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
func (h *Host) Judge(ctx context.Context, call gate.Call, out report.Output) int {
	if call.Gate == "post-receive" && !h.resident {
		return h.leave(ctx, call, out)
	}
	began := time.Now()
	j, exit, err := h.answer(ctx, call, out)
	if err != nil {
		out.Fail(call, err)
	}
	h.logPush(call, j, exit, err, time.Since(began))
	return exit
}

// answer judges a call and reports what it could judge.
func (h *Host) answer(ctx context.Context, call gate.Call, out report.Output) (gate.Run, int, error) {
	policy, err := call.Policy()
	if err != nil {
		return gate.Run{}, gate.ExitUndecided, err
	}
	j, err := h.judge(ctx, call, policy, out)
	if err != nil {
		return j, gate.ExitOf(err, policy), err
	}
	exit, err := h.exit(call, &j)
	if err != nil {
		return j, gate.ExitUndecided, err
	}
	if err := out.Write(call, j); err != nil && call.Gate == "manual" {
		return j, gate.ExitUndecided, nil
	}
	return j, exit, nil // a verdict holds also where no one can be told of it
}

// leave keeps an accepted push for the resident host that is not there now.
func (h *Host) leave(ctx context.Context, call gate.Call, out report.Output) int {
	if err := h.spool(ctx, call); err != nil {
		problem.Write(out.Err, err)
		return gate.ExitUndecided
	}
	return gate.ExitAccept
}

// exit is the status that git gets: where every ref is answered by itself, a
// push that is good in part goes on to be.
func (h *Host) exit(call gate.Call, j *gate.Run) (int, error) {
	if !j.PerRef {
		return j.Exit(), nil
	}
	var err error
	if j.Partly, err = h.leaveVerdict(call, *j); j.Partly {
		return gate.ExitAccept, err
	}
	return j.Exit(), err
}

func (h *Host) judge(ctx context.Context, call gate.Call, policy config.Policy, out report.Output) (gate.Run, error) {
	repo, release, err := h.repo(ctx, call)
	if err != nil {
		return gate.Run{}, err
	}
	defer release()
	if call.PerRef, err = call.AnswersPerRef(ctx); err != nil {
		return gate.Run{}, err
	}
	if call, err = call.Aimed(ctx, repo); err != nil {
		return gate.Run{}, err
	}
	j, err := h.decide(ctx, repo, call, policy)
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
	defer rec.Release()
	running, done := h.cancellable(ctx, rec)
	defer done()
	h.runLanes(running, repo, call, &j, rec, out)
	j.Ended = time.Now()
	rec.Later(context.WithoutCancel(ctx), letThrough(&j)...)
	if err := rec.End(context.WithoutCancel(ctx), &j); err != nil {
		h.held.unrecorded(rec.WaitRunID(), err)
		return j, err
	}
	h.logRun(j)
	if err := h.keepPatches(ctx, repo, &j, rec.WaitRunID()); err != nil {
		return j, err
	}
	h.packLogs(&j)
	return j, h.tellRefused(ctx, rec.WaitRunID(), j)
}

// decide decides with this host's store and plugins.
func (h *Host) decide(ctx context.Context, repo *hooks.Repo, call gate.Call, policy config.Policy) (gate.Run, error) {
	var st gate.TrustRecord
	if call.Receives() {
		var err error
		if st, err = h.Store(ctx); err != nil {
			return gate.Run{}, err
		}
	}
	return gate.Decide(ctx, repo, call, policy, st, func(ctx context.Context, j *gate.Run, i int, lane lanes.Lane) bool {
		return h.seesUpdate(ctx, repo, call, j, i, lane)
	})
}

// seesUpdate reports whether the lane's plugin is told which ref it judges, so
// that its verdict about one says nothing of another. One that cannot be
// loaded is taken to be.
func (h *Host) seesUpdate(ctx context.Context, repo *hooks.Repo, call gate.Call, j *gate.Run, i int,
	lane lanes.Lane) bool {
	o := gate.LaneRun{Update: i, Picked: lanes.Picked{Lane: lane}}
	alone := &gate.Run{GitDir: j.GitDir, Gate: j.Gate, Policy: j.Policy, Updates: j.Updates, Outcomes: []gate.LaneRun{o}}
	m, err := h.lanes.Lane(lanerun.Spec{Repo: repo, Call: call, Run: alone}).Manifest(ctx)
	return err != nil || m.Wants("update")
}
