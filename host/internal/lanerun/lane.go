// Package lanerun runs one lane: it calls the plugin, allows or refuses and performs
// its requests, runs its containers, writes its log, and uses cached results. It
// does not decide which lanes run, or when.
package lanerun

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// Lane is one lane run under way.
type Lane struct {
	runner *Runner
	repo   *hooks.Repo
	call   gate.Call
	j      *gate.Run
	i      int // index of its outcome
	rec    *record.Recorder
	watch  report.Watcher

	log      *laneLog
	module   *sandbox.Plugin
	granted  []string // names of permits, in the manifest's order
	permits  permits
	who      string       // the plugin to what outlives its versions; see identity
	cache    *cacheEntry  // key of the cached result; nil: not cached
	Attempt  int          // from 1
	Recorded bool         // the state starting is in the store
	first    *input       // of the first call, made for the cached result's key; nil: taken
	results  []sdk.Result // of all rounds, in the order in which they were asked for
	out      *wasm.Out    // /out of the call under way
	spool    *hooks.Spool // temporary files of the trees it reads
	blobs    blobs        // that it may read by their ids
	denials  int          // so far
	cleanup  []func()

	mu             sync.Mutex      // guards asked, recorded, quota and what containers add to the outcome
	quota          *artifactQuota  // of this attempt; nil: it left no artifacts yet
	asked          map[string]bool // container ids
	masked         []string        // secrets to be masked in logs
	uncacheableWhy string          // why the run depends on more than what was recorded of it; empty: it does not
}

func (l *Lane) outcome() *gate.LaneRun { return &l.j.Outcomes[l.i] }
func (l *Lane) lane() lanes.Lane       { return l.outcome().Lane() }
func (l *Lane) Update() *gate.Update   { return &l.j.Updates[l.outcome().Update] }
func (l *Lane) address() string        { return l.outcome().Address }
func (l *Lane) can(cap string) bool    { return l.permits.has(cap) }

// Zone is what the run may share with others.
func (l *Lane) Zone() zone.Zone {
	return zone.Zone{Repository: l.j.GitDir, Trust: l.Update().Trust(l.j.Gate)}
}

// Pusher is who pushed, as far as the server reports it; USER is the server's own
// user if all users share it.
func (l *Lane) Pusher() string {
	if l.rec != nil && l.rec.Claimed {
		return l.rec.Run.Pusher
	}
	return l.call.NamedPusher()
}

func (l *Lane) policy() config.Policy {
	return l.j.Policy.Within(l.Zone(), l.lane().ID, l.Update().Strict)
}

// Run judges the lane and settles its outcome.
func (l *Lane) Run(ctx context.Context, o *gate.LaneRun) {
	log := newLaneLog(l.logPath, func(line string) { l.watch.Line(l.i, line) })
	l.log, l.asked = log, map[string]bool{}
	defer func() {
		for _, f := range l.cleanup {
			f()
		}
		l.cleanup = nil
	}()
	limited, cancel := context.WithTimeoutCause(ctx, l.lane().Timeout, ErrLaneTimeout)
	defer cancel()
	l.spool = hooks.NewSpool(limited, hooks.MaxSpool)
	l.cleanup = append(l.cleanup, func() { l.spool.Close() })
	said, exit, err := l.judge(limited, o)
	err = l.spoolWord(err)
	if err != nil && errors.Is(context.Cause(limited), ErrLaneTimeout) {
		err = problem.WithHint(fmt.Errorf("took longer than its timeout of %s", l.lane().Timeout),
			"raise `timeout` of the lane, or look at the end of its log")
	}
	settle(ctx, o, said, exit, err)
	if o.CachedFrom == 0 {
		l.storeResult(ctx, o, said, exit)
	} else {
		o.Message = strings.TrimSpace(fmt.Sprintf("%s (cached from run #%d)", o.Message, o.CachedFrom))
	}
	o.Tail = log.lines()
	if o.Message != "" {
		log.verdict(fmt.Sprintf("%s: %s", o.State, o.Message))
	}
	var logErr error
	if o.LogSize, o.LogSum, logErr = log.close(); logErr != nil && o.State != store.Broken {
		settle(ctx, o, said, exit, logErr)
	}
	if o.LogSum != "" {
		o.Log = l.logPath()
	}
}

// spoolWord reports in the log, and in the error of a broken run, that the plugin
// was refused a read for lack of space.
func (l *Lane) spoolWord(err error) error {
	full := l.spool.Full()
	if full == nil {
		return err
	}
	l.dependsOutside("its reads out of order need more temporary space than allowed")
	l.log.line('h', "no space: "+full.Error())
	if err == nil {
		return nil
	}
	return problem.WithHint(fmt.Errorf("%w\n  the host: %w", err, full),
		"have the plugin read large files from start to end")
}

func (l *Lane) logPath() string {
	return l.runner.logPath(l.rec.WaitRunID(), l.i, l.lane().ID, l.Attempt)
}

// folder is where this lane run's artifacts go.
func (l *Lane) folder() string { return strings.TrimSuffix(l.logPath(), ".log") + ".out" }

// ErrLaneTimeout is the cause of a context whose lane took longer than its
// timeout.
var ErrLaneTimeout = errors.New("lane timeout")

// judge calls the plugin until it asks for no further container.
func (l *Lane) judge(ctx context.Context, o *gate.LaneRun) (Result, int, error) {
	if err := l.prepare(ctx, o); err != nil {
		return Result{}, 0, err
	}
	if run, err := l.cachedResult(ctx); err != nil || run != nil {
		if err != nil {
			return Result{}, 0, err
		}
		o.CachedFrom, o.Image = run.Run, run.Image
		l.log.line('h', fmt.Sprintf("cached: what %s read in run #%d is unchanged", run.Address,
			run.Run))
		return run.result(), run.Exit, nil
	}
	var all Result
	for range config.MaxIterations {
		said, exit, err := l.callPlugin(ctx)
		if err != nil {
			return all, exit, err
		}
		all.merge(said)
		if len(said.Containers) == 0 || exit != 0 {
			return all, exit, l.keepArtifacts(said)
		}
		// The plugin runs again from its start: what it found before, it finds again.
		all = Result{}
		if err := l.runContainers(ctx, said.Containers); err != nil {
			return all, 0, err
		}
	}
	return all, 0, fmt.Errorf("plugin %q asked for containers in %d rounds, no more are allowed", l.lane().Plugin,
		config.MaxIterations)
}

// cachedResult looks for an earlier run that this one would only repeat.
func (l *Lane) cachedResult(ctx context.Context) (*cachedRun, error) {
	mem, _, err := l.cacheEntry(ctx)
	if err != nil || mem == nil {
		return nil, err
	}
	l.cache = mem
	if l.call.Fresh || l.Attempt > 1 {
		return nil, nil
	}
	return l.lookup(ctx, mem)
}

// prepare loads the plugin and checks what it may do before any of it runs.
func (l *Lane) prepare(ctx context.Context, o *gate.LaneRun) error {
	lane := l.lane()
	if lane.Timeout > l.policy().MaxTime {
		return problem.WithHint(fmt.Errorf("lane asks for a timeout of %s, the policy allows %s", lane.Timeout,
			l.policy().MaxTime), "lower the lane's `timeout`")
	}
	m, err := l.plugin(ctx)
	if err != nil {
		return err
	}
	l.module, o.Digest = m, m.Digest()
	with, err := plugins.SettingsJSON(lane.With)
	if err != nil {
		return fmt.Errorf("cannot read the lane's settings: %w", err)
	}
	if err := m.CheckWith(with); err != nil {
		return fmt.Errorf("settings of lane %q (line %d of %s): %w", lane.ID, lane.Line, l.Update().Set.Source, err)
	}
	l.permits = permitted(m.Manifest(), lane.Grant, l.policy())
	l.granted = l.permits.names(m.Manifest())
	return nil
}

// callPlugin runs the module once: request in, answer out.
func (l *Lane) callPlugin(ctx context.Context) (Result, int, error) {
	request, text, err := l.takeInput(ctx)
	if err != nil {
		return Result{}, 0, err
	}
	ops := &operations{run: l, request: request, toil: Toil{Ctx: ctx, limit: l.policy().MaxFuel}}
	call, err := l.wasmCall(ctx, text, ops)
	if err != nil {
		return Result{}, 0, err
	}
	if looks, err := l.asTool(ctx, &call); err != nil || !looks {
		call.World.Close()
		return Result{Verdict: "skip", Reason: "no changed file matches"}, 0, err
	}
	opened := OpensOf(l.module.Manifest().Tool, &call)
	stderr := l.log.stream('p')
	call.Stderr = stderr
	run := l.module.Run
	if l.call.Trace != nil {
		run = l.call.Trace.Wrap(l.module.Name(), l.module.Bytes(), run)
	}
	done, err := run(ctx, call)
	stderr.flush()
	if cause := ops.cause(); cause != nil && errors.As(err, new(*wasm.TrapError)) {
		return Result{}, 0, cause // it broke because we did
	}
	if err != nil {
		return Result{}, 0, err
	}
	said, err := ReadResult(l.module.Manifest().Output, done.Stdout, config.MaxFindings)
	l.logTalk(said)
	if err == nil {
		err = opened.Pass(done.Exit)
	}
	for _, text := range said.progress {
		l.log.line('h', text)
	}
	return said, done.Exit, err
}

// logTalk writes what a tool printed besides its findings into the lane's log.
func (l *Lane) logTalk(said Result) {
	out := l.log.stream('o')
	out.Write(said.Talk)
	out.flush()
	if shown := said.shown(); shown != "" {
		l.log.line('h', shown)
	}
}

// asTool makes the call one of a tool, where the plugin is one; false: there is
// nothing for it to look at.
func (l *Lane) asTool(ctx context.Context, call *wasm.Call) (looks bool, err error) {
	tool := l.module.Manifest().Tool
	if tool == nil {
		return true, nil
	}
	changes, err := l.visibleChanges(ctx)
	if err != nil {
		return false, err
	}
	return ToolCall(ctx, call, tool, changes)
}

func (l *Lane) request(ctx context.Context) (sdk.Request, error) {
	p := l.Update()
	with, err := plugins.SettingsJSON(l.lane().With)
	if err != nil {
		return sdk.Request{}, err
	}
	r := sdk.Request{ABI: sdk.ABI, Run: l.address(), Lane: l.lane().ID, Repository: l.j.Repo, Gate: l.j.Gate,
		Update: sdk.Update{Ref: p.Ref, Old: p.Old, New: p.New, Base: p.Base, Forced: p.Forced},
		With:   with, Granted: l.granted, Ops: l.offered(), Results: l.results,
		Limits: sdk.Limits{Memory: config.PluginMemory, Millis: l.lane().Timeout.Milliseconds(), Log: config.MaxStderr,
			Findings: config.MaxFindings, Out: config.MaxOut, Fuel: l.policy().MaxFuel}}
	if Wants(l.module.Manifest(), "changes") {
		if r.Changes, err = l.visibleChanges(ctx); err != nil {
			return sdk.Request{}, err
		}
	}
	if l.seesPast() && slices.Contains(l.module.Manifest().Input, "history") {
		if r.History, err = l.visiblePast(ctx); err != nil {
			return sdk.Request{}, err
		}
	}
	if l.can("repo.history") && Wants(l.module.Manifest(), "commits") {
		if r.Commits, err = l.commits(ctx); err != nil {
			return sdk.Request{}, err
		}
	}
	return r.Seen(l.module.Manifest()), nil
}

// Wants reports whether a plugin is handed a part of the request.
func Wants(m sdk.Manifest, key string) bool { return m.Wants(key) }

// settle turns the plugin's result and errors into the outcome's state. A refusal
// and a breakage never become each other.
func settle(ctx context.Context, o *gate.LaneRun, said Result, exit int, err error) {
	o.Findings = said.Findings
	o.Message = said.Reason
	if err == nil {
		err = Contradiction(said, exit)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		if o.State, o.Message = store.Cancelled, "cancelled"; cancelledBy(ctx) != "" {
			o.Message = cancelledBy(ctx)
		}
	case err != nil:
		o.State, o.Message, o.Err = store.Broken, printable.CleanText(err.Error()), err
	case exit == 1:
		o.State = store.Failed
		if o.Message == "" {
			o.Message = said.refusal()
		}
	case said.Verdict == "skip":
		o.State = store.Skipped
	default:
		o.State = store.Passed
	}
	if shown := said.shown(); shown != "" && err == nil {
		o.Message = strings.TrimPrefix(o.Message+"; "+shown, "; ")
	}
}

// refusal is the reason of a no that came without one.
func (a Result) refusal() string {
	switch {
	case a.errors > 0:
		return printable.Count(a.errors, "error")
	case a.places && a.total == 0:
		return "exit status 1 without a finding: it failed or could not run; its output is in the log"
	}
	return "the plugin refused"
}

// Contradiction: a plugin whose words and exit status differ is not believed.
func Contradiction(said Result, exit int) error {
	if said.Verdict == "" || (said.Verdict == "fail") == (exit == 1) {
		return nil
	}
	return fmt.Errorf("the plugin contradicts itself: it says %q and exits with status %d", said.Verdict, exit)
}

func (a *Result) merge(b Result) {
	a.Findings = append(a.Findings, b.Findings...)
	a.artifacts = append(a.artifacts, b.artifacts...)
	a.total, a.errors, a.places = a.total+b.total, a.errors+b.errors, b.places
	a.Verdict, a.Reason = b.Verdict, b.Reason
}
