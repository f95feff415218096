package lanerun

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

// Run judges the lane and settles its outcome.
func (l *Lane) Run(ctx context.Context, o *gate.LaneRun) {
	log := newLaneLog(l.logPath, func(line string) { l.watch.Line(l.i, line) })
	l.log, l.asked = log, map[string]bool{}
	log.hide = l.unmasked
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
	said.Findings = append(said.Findings, l.unmatched...)
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
		p, err := l.nextCall(ctx)
		if err != nil || p == nil {
			return Result{Verdict: "skip", Reason: "no changed file matches"}, 0, err
		}
		done, err := p.run(ctx, p.Call)
		said, err := p.ended(done, err)
		exit := done.Exit
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

// prepare loads the plugin and checks what it may do before any of it runs.
func (l *Lane) prepare(ctx context.Context, o *gate.LaneRun) error {
	lane := l.lane()
	if lane.Timeout > l.policy().MaxTime {
		return problem.WithHint(fmt.Errorf("lane asks for a timeout of %s, the policy allows %s", lane.Timeout,
			l.policy().MaxTime), "lower the lane's `timeout`")
	}
	m, err := modules{l.access}.plugin(ctx)
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

// Foresee says whether the lane would run now, or an earlier run's result is used
// again.
func (l *Lane) Foresee(ctx context.Context) string {
	if err := l.prepare(ctx, l.outcome()); err != nil {
		return "cannot determine this: " + printable.Clean(err.Error())
	}
	mem, why, err := l.cacheEntry(ctx)
	switch {
	case err != nil:
		return "cannot determine this: " + printable.Clean(err.Error())
	case mem == nil:
		return "runs every time: " + why
	}
	run, err := l.lookup(ctx, mem)
	switch {
	case err != nil:
		return "cannot determine this: " + printable.Clean(err.Error())
	case run == nil:
		return "runs: no earlier run had the same request, or an input has changed"
	}
	return fmt.Sprintf("cached: the %d inputs that %s read in run #%d are unchanged", len(run.Inputs),
		run.Address, run.Run)
}

// pluginCall is one call of the module: request in, answer out.
type pluginCall struct {
	wasm.Call
	lane   *Lane
	run    func(context.Context, wasm.Call) (wasm.Result, error)
	ops    *operations
	opened *Opens
	stderr *lineWriter
}

// nextCall prepares a call of the plugin; nil: there is nothing for it to look at.
func (l *Lane) nextCall(ctx context.Context) (*pluginCall, error) {
	request, text, err := l.takeInput(ctx)
	if err != nil {
		return nil, err
	}
	p := &pluginCall{lane: l, run: l.module.Run, stderr: l.log.stream('p'),
		ops: &operations{run: l, request: request, toil: Toil{Ctx: ctx, limit: l.policy().MaxFuel}}}
	if p.Call, err = l.wasmCall(ctx, text, p.ops); err != nil {
		return nil, err
	}
	if looks, err := l.asTool(ctx, &p.Call); err != nil || !looks {
		p.World.Close()
		return nil, err
	}
	p.opened = OpensOf(l.module.Manifest().Tool, &p.Call)
	p.Stderr = p.stderr
	if t := l.j.Asked.Trace; t != nil {
		p.run = t.Wrap(l.module.Name(), l.module.Bytes(), p.run)
	}
	return p, nil
}

// ended reads what the plugin answered.
func (p *pluginCall) ended(done wasm.Result, err error) (Result, error) {
	p.stderr.flush()
	if cause := p.ops.cause(); cause != nil && errors.As(err, new(*wasm.TrapError)) {
		return Result{}, cause // it broke because we did
	}
	if err != nil {
		return Result{}, err
	}
	said, err := ReadResult(p.lane.module.Manifest().Output, done.Stdout, config.MaxFindings)
	p.lane.hide(&said)
	p.lane.logTalk(said)
	if err == nil {
		err = p.opened.Pass(done.Exit)
	}
	for _, text := range said.progress {
		p.lane.log.line('h', text)
	}
	return said, err
}

// wasmCall gives the plugin its input and its files.
func (l *Lane) wasmCall(ctx context.Context, request []byte, ops wasm.Ops) (wasm.Call, error) {
	world, err := l.world(ctx, ops)
	c := config.PluginCall(l.policy().MaxFuel)
	c.Stdin, c.World, c.Env = request, world, l.environment()
	l.out = c.Out
	if l.can("clock") {
		c.Clock = time.Now()
		l.dependsOutside("it reads the clock")
	}
	return c, err
}

// world is what the plugin may look at and do.
func (l *Lane) world(ctx context.Context, ops wasm.Ops) (wasm.World, error) {
	results, err := l.resultFiles()
	if err != nil {
		return nil, err
	}
	now, err := l.environmentNow(ctx)
	w := &wasm.Local{Results: results, Ops: ops}
	if now.src != nil {
		w.Src = now.src
	}
	if now.base != nil {
		w.Base = now.base
	}
	if l.cache != nil {
		return &recordingWorld{World: w, entry: l.cache, now: now}, err
	}
	return w, err
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

// NotBegun is the outcome of an attempt that did not begin: it was called off,
// or its group could not be asked for.
func (l *Lane) NotBegun(ctx context.Context, o *gate.LaneRun, err error) {
	if ctx.Err() == nil {
		o.State, o.Message, o.Err = store.Broken, printable.CleanText(err.Error()), err
		return
	}
	o.State, o.Message = store.Cancelled, "cancelled before it started"
	if by := cancelledBy(ctx); by != "" {
		o.Message = by
	}
}

// Again records the attempt that broke and makes ready for the next one.
func (l *Lane) Again(ctx context.Context, o *gate.LaneRun) {
	l.rec.Lane(context.WithoutCancel(ctx), l.i, o, l.Recorded)
	l.rec.Retry(ctx, l.i, o.Message)
	// What says which lane this is stays untouched: other lanes read it.
	o.State, o.Message, o.Err, o.Findings, o.Tail, o.Artifacts = "", "", nil, nil, nil, nil
	o.Log, o.LogSize, o.LogSum, o.Image, o.Started, o.Ended = "", 0, "", "", time.Now(), time.Time{}
	l.Recorded, l.results, l.quota, l.unmatched, l.git = false, nil, nil, nil, nil
}
