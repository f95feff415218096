package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/lanes"
)

// LanesFiles are the places a lanes file is looked for in a tree, in order.
var LanesFiles = []string{".pushlane/lanes.toml", "lanes.toml", "ci/lanes.toml"}

// Judge answers one call: it prints to the call's report and returns the exit
// status of the hook.
//
//	git stdin --updates--> []hooks.Update      every ref line, with its base
//	          --Changes--> []hooks.Change      per update: the paths that differ
//	          --Pick-----> []lanes.Picked      every lane and why
//	          --run------> []Outcome           in lane order, whatever finished first
//	          --report---> lines and an exit status
func (h *Host) Judge(ctx context.Context, call Call, out Output) int {
	policy, err := LoadPolicy(call.Getenv)
	if err != nil {
		out.fail(call, err)
		return ExitUndecided
	}
	j, err := h.judge(ctx, call, policy, out)
	if err != nil {
		out.fail(call, err)
		return exitOf(err, policy)
	}
	if err := out.report(call, j); err != nil {
		return ExitUndecided
	}
	return j.Exit()
}

func (h *Host) judge(ctx context.Context, call Call, policy Policy, out Output) (Judgement, error) {
	repo, release, err := h.repo(ctx, call)
	if err != nil {
		return Judgement{}, err
	}
	defer release()
	j := Judgement{Repo: repo.Name(), Gate: call.Gate, Remote: call.arg(0), Started: time.Now(), Policy: policy}
	if j.Updates, err = h.pushes(ctx, repo, call, policy); err != nil {
		return j, err
	}
	skipIDs, reason, err := call.skips(policy)
	if err != nil {
		return j, err
	}
	if j.Outcomes, err = plan(j, skipIDs, reason); err != nil {
		return j, err
	}
	if len(j.Updates) == 0 {
		return j, nil
	}
	rec, err := h.begin(ctx, repo, call, &j, reason)
	if err != nil {
		return j, err
	}
	h.runLanes(ctx, repo, call, &j, rec, out)
	j.Ended = time.Now()
	return j, rec.end(context.WithoutCancel(ctx), &j)
}

// pushes reads the updates and decides which lanes each one asks for.
func (h *Host) pushes(ctx context.Context, repo *hooks.Repo, call Call, policy Policy) ([]pushed, error) {
	updates, err := call.updates(ctx, repo)
	if err != nil {
		return nil, err
	}
	var all []pushed
	for _, u := range updates {
		if u.Delete { // nothing is left to judge
			continue
		}
		p, err := h.push(ctx, repo, call, policy, u)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (h *Host) push(ctx context.Context, repo *hooks.Repo, call Call, policy Policy, u hooks.Update) (pushed, error) {
	set, err := LoadLanes(ctx, repo, u.New, call.Config, policy)
	if err != nil {
		return pushed{}, err
	}
	changes, err := repo.Changes(ctx, u.Base, u.New)
	if err != nil {
		return pushed{}, err
	}
	event := lanes.Event{Gate: call.laneGate(), Ref: u.Ref, Paths: changedPaths(changes)}
	picked, err := choose(set.Pick(event), call)
	return pushed{Update: u, Set: set, Changes: changes, Picked: picked}, err
}

func changedPaths(changes []hooks.Change) []string {
	paths := make([]string, len(changes))
	for i, c := range changes {
		paths[i] = c.Path
	}
	return paths
}

// LoadLanes reads the lanes that judge rev: the file named by --config, or
// the revision's own, or the host's default set.
func LoadLanes(ctx context.Context, repo *hooks.Repo, rev, config string, policy Policy) (*lanes.Set, error) {
	if config != "" {
		data, err := readConfig(config)
		if err != nil {
			return nil, err
		}
		return lanes.Load(config, data)
	}
	for _, name := range LanesFiles {
		data, err := repo.File(ctx, rev, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return lanes.Load(name, data)
	}
	return defaultLanes(rev, policy)
}

func defaultLanes(rev string, policy Policy) (*lanes.Set, error) {
	switch {
	case policy.DefaultLanes != "":
		data, err := readConfig(policy.DefaultLanes)
		if err != nil {
			return nil, err
		}
		return lanes.Load(filepath.Base(policy.DefaultLanes), data)
	case policy.NoLanes == "accept":
		return &lanes.Set{Version: 1, Source: "(none)"}, nil
	}
	return nil, hinted(fmt.Errorf("cannot judge %s: it has no lanes file (looked for %s)", short(rev), strings.Join(LanesFiles, ", ")),
		"write and commit one with: pushlane init")
}

// choose applies --lane and --all: what a person names runs whatever the
// paths say.
func choose(picked []lanes.Picked, call Call) ([]lanes.Picked, error) {
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
		}
	}
	return picked, nil
}

// plan lists the lane runs of a push: one per update and picked lane, and one
// only where two refs bring the same commit over the same base. A lane that
// the pusher skips is listed too, so that it is recorded.
func plan(j Judgement, skip []string, reason string) ([]Outcome, error) {
	var out []Outcome
	known, planned := map[string]bool{"all": true}, map[string]bool{}
	for i, p := range j.Updates {
		for _, picked := range p.Picked {
			known[picked.Lane.ID] = true
			work := p.New + p.Base + picked.Lane.ID
			if !picked.Picked || planned[work] {
				continue
			}
			planned[work] = true
			o := Outcome{Update: i, Picked: picked, Address: address(j.Repo, p.New, picked.Lane.ID)}
			if slices.Contains(skip, picked.Lane.ID) || slices.Contains(skip, "all") {
				o.Message = "skipped by the pusher: " + reason
			}
			out = append(out, o)
		}
	}
	for _, id := range skip {
		if !known[id] && len(j.Updates) > 0 {
			return nil, usageError{hinted(fmt.Errorf("cannot skip lane %q: there is no such lane", id), "see them with: pushlane lanes")}
		}
	}
	return out, nil
}

// address is how a lane run is named in every message, file and label.
func address(repo, id, lane string) string {
	return repo + "@" + short(id) + ":" + lane
}

func short(id string) string { return id[:min(7, len(id))] }
