package host

import (
	"context"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/perref"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/runfiles"
	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/lanes"
)

// Judge answers one call: it prints to the call's report and returns the exit
// status of the hook. Its steps are decide, begin, runLanes, end and report; doc.go
// follows a push through them.
func (h *Host) Judge(ctx context.Context, call gate.Call, out report.Output) int {
	if call.Gate == "post-receive" && !h.resident {
		return h.leave(ctx, call, out)
	}
	began := time.Now()
	out = out.For(call)
	policy, err := call.Policy()
	j := gate.Run{Gate: call.Gate, Repo: call.Dir, Policy: policy}
	var repo *hooks.Repo
	if err == nil {
		var release func()
		if repo, release, err = h.repo(ctx, call); err == nil {
			defer release()
			if call, err = call.Resolved(ctx, repo); err == nil {
				j, err = h.decide(ctx, repo, call, policy)
			}
		}
	}
	switch {
	case err != nil || len(j.Updates) == 0:
	case j.Gate == "post-receive":
		err = h.enqueue(ctx, repo, &j)
	default:
		var rec *record.Recorder
		if rec, err = h.begin(ctx, repo, &j); err == nil {
			running, done := h.cancellable(ctx, rec)
			h.runLanes(running, repo, &j, rec, out, nil)
			done()
			err = h.end(ctx, repo, &j, rec)
		}
	}
	exit, err := h.report(ctx, &j, err, out)
	h.journal.push(j, exit, err, time.Since(began))
	return exit
}

// end records the verdict and what is to be read after the push is gone.
func (h *Host) end(ctx context.Context, repo *hooks.Repo, j *gate.Run, rec *record.Recorder) error {
	defer rec.Release()
	j.Ended = time.Now()
	rec.Later(context.WithoutCancel(ctx), perref.LetThrough(j)...)
	if err := rec.End(context.WithoutCancel(ctx), j); err != nil {
		h.held.Unrecorded(rec.WaitRunID(), err)
		return err
	}
	h.journal.run(*j)
	if err := h.files.KeepPatches(ctx, repo, j, rec.WaitRunID()); err != nil {
		return err
	}
	if h.resident {
		logs := runfiles.Logs(j)
		h.sweeps.Go(func() { runfiles.Pack(logs) })
	}
	return h.tellRefused(ctx, rec.WaitRunID(), *j)
}

// report prints a run, or the error that ended it, and returns the status that git
// gets. With --per-ref a push with at least one good ref continues, and
// proc-receive refuses the others.
func (h *Host) report(ctx context.Context, j *gate.Run, err error, out report.Output) (int, error) {
	if err != nil {
		out.Fail(err)
		return gate.ExitOf(err, j.Policy), err
	}
	exit := j.Exit()
	if j.PerRef {
		if j.Partly, err = perref.Leave(h.state, *j); err != nil {
			out.Fail(err)
			return gate.ExitUndecided, err
		}
	}
	if j.Partly {
		exit = gate.ExitAccept
	}
	if err := h.write(ctx, out, *j); err != nil && j.Gate == "manual" {
		return gate.ExitUndecided, nil
	}
	return exit, nil // the verdict does not depend on whether anyone reads the output
}

// write prints what the call asked for about a run.
func (h *Host) write(ctx context.Context, out report.Output, j gate.Run) error {
	switch {
	case !out.WantsJSON():
		return out.Write(j)
	case j.Number == 0:
		return report.Indented(out.Out, runjson.Nothing(j.Repo, j.Gate))
	}
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	run, err := st.Run(ctx, j.GitDir, j.Number)
	if err != nil {
		return err
	}
	return report.RunJSON(ctx, st, run, out.Out)
}

// leave keeps an accepted push for the resident host that is not there now.
func (h *Host) leave(ctx context.Context, call gate.Call, out report.Output) int {
	if err := h.spool().Keep(ctx, call); err != nil {
		problem.Write(out.Err, err)
		return gate.ExitUndecided
	}
	return gate.ExitAccept
}

// decide decides about every lane. From here on the run says what the call asked
// for.
func (h *Host) decide(ctx context.Context, repo *hooks.Repo, call gate.Call, policy config.Policy) (gate.Run, error) {
	var st gate.TrustRecord
	if call.Receives() {
		opened, err := h.Store(ctx)
		if err != nil {
			return gate.Run{Gate: call.Gate, Repo: call.Dir, Policy: policy}, err
		}
		st = opened.Repositories()
	}
	return gate.Decide(ctx, repo, call, policy, st, func(ctx context.Context, j *gate.Run, i int, lane lanes.Lane) bool {
		return h.seesUpdate(ctx, repo, j, i, lane)
	})
}

// seesUpdate reports whether the lane's plugin receives the ref that it judges, so
// that its verdict about one ref is not valid for another. A plugin that cannot be
// loaded counts as one that does.
func (h *Host) seesUpdate(ctx context.Context, repo *hooks.Repo, j *gate.Run, i int, lane lanes.Lane) bool {
	o := gate.LaneRun{Update: i, Picked: lanes.Picked{Lane: lane}}
	alone := &gate.Run{GitDir: j.GitDir, Gate: j.Gate, Asked: j.Asked, Policy: j.Policy, Updates: j.Updates,
		LaneRuns: []gate.LaneRun{o}}
	m, err := h.lanes.Lane(lanerun.Spec{Repo: repo, Run: alone}).Manifest(ctx)
	return err != nil || m.Wants("update")
}
