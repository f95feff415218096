package console

import (
	"context"
	"fmt"
	"slices"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Head is what the lanes say of the commit at the tip of a branch, over all of its
// runs: of each lane the newest run counts.
type Head struct {
	Ref    string            `json:"ref"`
	Commit string            `json:"commit"`
	State  string            `json:"state"` // as of a run; "unknown": no run judged it
	Lane   string            `json:"lane,omitempty"`
	Run    int64             `json:"run,omitempty"` // the newest
	Lanes  []runjson.LaneRun `json:"lane_runs"`
}

// Unknown is the state of a commit that no run judged.
const Unknown = "unknown"

// Exit is the status that a command gives for the head: that of a run, and 3 where it
// is not decided.
func (h Head) Exit() int {
	switch store.State(h.State) {
	case store.Passed:
		return gate.ExitAccept
	case store.Failed:
		return gate.ExitRefuse
	}
	return gate.ExitUndecided
}

// Decided reports whether no lane of the head is still to end.
func (h Head) Decided() bool { return store.State(h.State).Final() }

// HeadOf joins the runs that judged a commit for a ref; runs are the newest first. An
// empty commit is that of the newest run of the ref.
func HeadOf(runs []runjson.Run, ref, commit string) Head {
	h := Head{Ref: ref, Commit: commit, State: Unknown, Lanes: []runjson.LaneRun{}}
	open := false
	for _, r := range runs {
		i := slices.IndexFunc(r.Updates, func(u runjson.Update) bool {
			return u.Ref == ref && (h.Commit == "" || u.New == h.Commit)
		})
		if i < 0 {
			continue
		}
		if h.Commit = r.Updates[i].New; h.Run == 0 {
			h.Run, h.State = r.Number, string(store.Passed)
		}
		open = open || !store.State(r.State).Final()
		h.add(r.LaneRuns, i)
	}
	worst := func(is func(l runjson.LaneRun) bool, state store.State) {
		if i := slices.IndexFunc(h.Lanes, is); i >= 0 {
			h.State, h.Lane = string(state), h.Lanes[i].Lane
		}
	}
	of := func(states ...store.State) func(runjson.LaneRun) bool {
		return func(l runjson.LaneRun) bool { return l.Required && slices.Contains(states, store.State(l.State)) }
	}
	if open {
		h.State = string(store.Running)
	}
	worst(of(store.Cancelled), store.Cancelled)
	worst(of(store.Broken), store.Broken)
	if open {
		h.State, h.Lane = string(store.Running), ""
	}
	worst(of(store.Failed), store.Failed)
	return h
}

// add takes the lane runs of an update of a run whose lanes no newer run had; the
// last attempt counts.
func (h *Head) add(all []runjson.LaneRun, update int) {
	known := len(h.Lanes)
	for _, l := range all {
		same := func(k runjson.LaneRun) bool { return k.Lane == l.Lane }
		if l.Update != update || slices.ContainsFunc(h.Lanes[:known], same) {
			continue
		}
		if i := slices.IndexFunc(h.Lanes[known:], same); i >= 0 {
			h.Lanes[known+i] = l
			continue
		}
		h.Lanes = append(h.Lanes, l)
	}
}

// headRuns is how many runs of a branch are looked at.
const headRuns = 50

// LocalHead is the head of a branch of the call's repository; "" is the current one.
func LocalHead(ctx context.Context, h *host.Host, call gate.Call, branch string) (Head, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return Head{}, err
	}
	defer repo.Close()
	ref, commit, err := BranchOf(ctx, repo, branch)
	if err != nil {
		return Head{}, err
	}
	st, err := h.Store(ctx)
	if err != nil {
		return Head{}, err
	}
	runs, err := st.Runs(ctx, store.Filter{RepoKey: repo.CommonDir(), Ref: ref, Limit: headRuns})
	if err != nil {
		return Head{}, err
	}
	details, err := st.Details(ctx, runs, 1)
	if err != nil {
		return Head{}, err
	}
	var all []runjson.Run
	for _, d := range details {
		all = append(all, runjson.Of(d))
	}
	return HeadOf(all, ref, commit), nil
}

// BranchOf is a branch's ref and commit; "" is the current branch.
func BranchOf(ctx context.Context, repo *hooks.Repo, branch string) (ref, commit string, err error) {
	if ref = "refs/heads/" + branch; branch == "" {
		if ref, err = repo.CurrentBranch(ctx); err != nil {
			return "", "", problem.WithHint(err, "name the branch: pushlane status BRANCH")
		}
	}
	if commit, err = repo.Ref(ctx, ref); err == nil && hooks.IsZero(commit) {
		err = problem.Usage(problem.WithHint(fmt.Errorf("cannot find branch %q", printable.Clean(branch)),
			"list the branches: git branch --list"))
	}
	if err != nil {
		return "", "", err
	}
	return ref, commit, nil
}
