package lanerun

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// access is one lane run as the answers to its plugin see it: what it judges, by
// whose leave, and where what it does is written down. Nothing of it decides what
// becomes of the run.
type access struct {
	runner *Runner
	repo   *hooks.Repo
	j      *gate.Run
	i      int // index of its outcome
	rec    *record.Recorder

	log     *laneLog
	module  *sandbox.Plugin
	permits permits
	who     string       // the plugin to what outlives its versions; see identity
	Attempt int          // from 1
	spool   *hooks.Spool // temporary files of the trees it reads
	blobs   blobs        // that it may read by their ids
	denials int          // so far

	mu             sync.Mutex // guards what follows, and what containers add to the lane run
	masked         []string   // secrets to be kept out of logs
	uncacheableWhy string     // why the run depends on more than what was recorded of it; empty: it does not
}

func (l *access) outcome() *gate.LaneRun { return &l.j.LaneRuns[l.i] }

func (l *access) lane() lanes.Lane { return l.outcome().Lane() }

func (l *access) Update() *gate.Update { return &l.j.Updates[l.outcome().Update] }

func (l *access) address() string { return l.outcome().Address }

func (l *access) can(cap string) bool { return l.permits.has(cap) }

// Zone is what the run may share with others.
func (l *access) Zone() zone.Zone {
	return zone.Zone{Repository: l.j.GitDir, Trust: l.Update().Trust(l.j.Gate)}
}

// Pusher is who pushed, as far as the server reports it; USER is the server's own
// user if all users share it.
func (l *access) Pusher() string {
	return l.j.Asked.NamedBy
}

func (l *access) policy() config.Policy {
	p := l.j.Policy.Within(l.Zone(), l.lane().ID, l.Update().Strict)
	if l.guarded() {
		return p.Guarded()
	}
	return p
}

// guarded is a run on a developer's machine whose lanes come with the commits they
// judge: of a fork, perhaps.
func (l *access) guarded() bool { return l.Zone().Trust == zone.Local && l.Update().BringsLanes() }

func (l *access) logPath() string {
	return l.runner.logPath(l.rec.WaitRunID(), l.i, l.lane().ID, l.Attempt)
}

// folder is where this lane run's artifacts go.
func (l *access) folder() string { return strings.TrimSuffix(l.logPath(), ".log") + ".out" }

// tree opens a revision's tree as far as the plugin may see it. A container
// gets the same: files that were not granted do not exist in it.
func (l *access) tree(ctx context.Context, rev string) (*hooks.Tree, error) {
	t, err := l.repo.Tree(ctx, rev)
	if err == nil && l.spool != nil {
		t.In(l.spool)
	}
	if err != nil || !l.permits.limited() {
		return t, err
	}
	return t.Only(ctx, l.permits.sees)
}

// denied explains why a capability is missing: who would have to give it.
func (l *access) denied(name string) error {
	asked := slices.ContainsFunc(l.module.Manifest().Capabilities, func(c sdk.Capability) bool { return c.Name == name })
	switch {
	case !asked:
		return fmt.Errorf("plugin %q used capability %s, which its manifest does not ask for", l.lane().Plugin, name)
	case slices.Contains(l.j.Policy.Capabilities, name) && !slices.Contains(l.policy().Capabilities, name):
		return l.notInZone(name)
	case !slices.Contains(l.policy().Capabilities, name):
		return problem.WithHint(fmt.Errorf("plugin %q asks for %s, which the policy of this host does not allow",
			l.lane().Plugin, name),
			"the host's owner may add it to `capabilities` in "+l.j.Policy.File())
	}
	return problem.WithHint(fmt.Errorf("plugin %q asks for %s, which lane %q does not grant", l.lane().Plugin, name,
		l.lane().ID),
		"grant it in the lane:\n[lane.grant]\n"+lanes.GrantHint(name))
}

// notInZone is a denial for what the policy allows to others: it says to whom.
func (l *access) notInZone(name string) error {
	z := l.Zone()
	if l.guarded() {
		return problem.WithHint(
			fmt.Errorf("plugin %q asks for %s, which lanes do not have that the judged commits themselves change",
				l.lane().Plugin, name),
			"if the lanes are yours, name the file: pushlane run --config "+l.Update().Set.Source)
	}
	if z.Trust != zone.Protected {
		return problem.WithHint(
			fmt.Errorf("plugin %q asks for %s, which only runs of protected refs have, judged by protected lanes",
				l.lane().Plugin, name),
			"push to a protected branch whose lanes grant it, or take the grant out of lane "+l.lane().ID)
	}
	return problem.WithHint(
		fmt.Errorf("plugin %q asks for %s, which the policy of this host does not allow lane %q of this repository",
			l.lane().Plugin, name, l.lane().ID),
		fmt.Sprintf("the host's owner may add it to an [[allow]] of %s in %s", z.Repository,
			l.j.Policy.File()))
}

// outside is a use of a capability beyond what it reaches.
func (l *access) outside(name, item string) error {
	if !l.permits.has(name) {
		return l.denied(name)
	}
	what := printable.Clean(item)
	switch {
	case !slices.Contains(l.lane().Grant.Items(name), item):
		return problem.WithHint(fmt.Errorf("plugin %q asks for %s %q, which lane %q does not grant", l.lane().Plugin, name,
			what, l.lane().ID),
			"grant it in the lane:\n[lane.grant]\n"+lanes.GrantLine(name, what))
	case !l.policy().Lets(name, item):
		return l.notInZone(fmt.Sprintf("%s %q", name, what))
	case name == "http" && !config.AllowsHost(l.policy().HTTPHosts, item):
		return problem.WithHint(fmt.Errorf("plugin %q asks for %s %q, which the policy of this host does not allow",
			l.lane().Plugin, name, what),
			"the host's owner may add it to `http.hosts` in "+l.j.Policy.File())
	}
	return fmt.Errorf("plugin %q used %s %q, which its manifest does not ask for", l.lane().Plugin, name, what)
}

// maxDenials is how many denials of one lane run are put on record.
const maxDenials = 100

// refuse makes an answer of a denial, and puts it on record.
func (l *access) refuse(ctx context.Context, err error) error {
	if l.denials++; l.denials <= maxDenials {
		l.log.line('h', "denied: "+err.Error())
		l.rec.Event(ctx, l.i, l.lane().ID, "denied", printable.Clean(err.Error()))
	}
	return &wasm.OpError{Code: wasm.Denied, Message: err.Error(), Hint: problem.Hint(err)}
}

// dependsOutside notes that the run depends on, or changes, something that no record
// of its questions holds.
func (l *access) dependsOutside(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.uncacheableWhy == "" {
		l.uncacheableWhy = why
	}
}

// space is the part of the plugins' store that is this one's.
func (l *access) space() store.Space {
	return store.Space{Zone: l.Zone(), Plugin: l.who}
}

// blobs are the ids of the contents that the plugin may read.
type blobs struct {
	changed map[string]bool // of the changes, before and after
	past    map[string]bool // of the new commits; nil: not looked for yet
}
