package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/hostile"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

// What a hostile module may take in a trial: enough to do harm with.
const (
	trialMemory = 64 << 20
	trialFuel   = 500_000_000
	trialCalls  = 100_000
)

// trialTime is how long an attack may take: those that never end are ended
// soon, the others have the time that a slow machine needs.
func trialTime(a hostile.Attack) time.Duration {
	if a.Kind == hostile.Stopped {
		return time.Second
	}
	return 20 * time.Second
}

// Hostile has every hostile module that we know tried on this machine, in
// the sandbox that lanes use: what is left standing afterwards is well. It
// takes a minute.
func Hostile(ctx context.Context, h *host.Host) []Check {
	pool, done, err := trialPool(h.Program(), 0)
	if err != nil {
		return []Check{bad("hostile", err, "")}
	}
	defer done()
	brief, doneToo, err := trialPool(h.Program(), slowTime)
	if err != nil {
		return []Check{bad("hostile", err, "")}
	}
	defer doneToo()
	var checks []Check
	all, quick := append(hostile.All(), hostile.Slow()...), len(hostile.All())
	for i, a := range all {
		if ctx.Err() != nil {
			return append(checks, bad("hostile", context.Cause(ctx), ""))
		}
		in := pool
		if i >= quick {
			in = brief
		}
		if r := hostile.Run(ctx, a, tryIn(in, trialTime(a))); !r.OK {
			checks = append(checks, bad("hostile", errors.New(r.String()),
				"do not run third-party plugins here, and report this (SECURITY.md)"))
		}
	}
	tried, err := pool.TrySeal()
	if err != nil {
		checks = append(checks, bad("hostile", err, report.SealHint))
	}
	if plain := tryIn(pool, time.Minute)(ctx, "plain", hostile.Plain()); plain.Kind != hostile.Harmless {
		checks = append(checks, bad("hostile", errors.New("a harmless plugin no longer runs: "+plain.Text), ""))
	}
	if len(checks) > 0 {
		return checks
	}
	return []Check{good("hostile", "%d attacks and %d system calls of a confined process, none succeeded", len(all),
		tried)}
}

// slowTime is the processor time, in seconds, that a module has to be compiled
// in that is known to take minutes.
const slowTime = 1

// trialPool is a sandbox with its own cache, which is deleted afterwards.
// Compiling has that many seconds of processor time; 0: as usual.
func trialPool(program string, compileTime uint64) (*sandbox.Pool, func(), error) {
	dir, err := os.MkdirTemp("", "pushlane-hostile-")
	if err != nil {
		return nil, nil, err
	}
	pool, err := sandbox.Open(sandbox.Options{CacheDir: filepath.Join(dir, "modules"), MaxMemory: trialMemory, Workers: 1,
		CompileTime: compileTime, Program: program, Settings: plugins.ReadSettings})
	return pool, func() { pool.Close(); os.RemoveAll(dir) }, err
}

// tryIn does with a module what a lane run does, without a repository.
func tryIn(pool *sandbox.Pool, limit time.Duration) hostile.Try {
	return func(ctx context.Context, name string, module []byte) hostile.Outcome {
		m, err := pool.Load(ctx, name, module)
		if err == nil {
			err = m.CheckWith(nil)
		}
		if err != nil {
			return hostile.Outcome{Kind: hostile.Refused, Text: printable.CleanText(err.Error())}
		}
		ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("it reached its time limit"))
		defer cancel()
		done, err := m.Run(ctx, wasm.Call{Stdin: []byte("{}"), Out: wasm.NewOut(8<<20, 100),
			World: &wasm.Local{Src: hostile.Source()}, Fuel: trialFuel, MaxCalls: trialCalls, MaxFiles: 64})
		if err != nil {
			return trialError(err)
		}
		return trialAnswer(m, done)
	}
}

func trialError(err error) hostile.Outcome {
	o := hostile.Outcome{Kind: hostile.Broken, Text: printable.CleanText(err.Error())}
	if errors.As(err, new(*wasm.LimitError)) || errors.As(err, new(*wasm.StoppedError)) {
		o.Kind = hostile.Stopped
	}
	return o
}

// trialAnswer reads the output of a module; if it is only for the log, it is shown
// as it is.
func trialAnswer(m *sandbox.Plugin, done wasm.Result) hostile.Outcome {
	if m.Manifest().Output == "text" {
		return hostile.Outcome{Kind: hostile.Harmless, Text: fmt.Sprintf("exit %d:%s", done.Exit,
			printable.Clean(string(done.Stdout[:min(len(done.Stdout), 4000)])))}
	}
	said, err := lanerun.ReadResult(m.Manifest().Output, done.Stdout, config.MaxFindings)
	if err == nil {
		err = lanerun.Contradiction(said, done.Exit)
	}
	if err != nil {
		return hostile.Outcome{Kind: hostile.Broken, Text: printable.CleanText(err.Error())}
	}
	text := fmt.Sprintf("exit %d: %d findings", done.Exit, len(said.Findings))
	if len(said.Findings) > 0 {
		f := said.Findings[0]
		text += fmt.Sprintf(", %s %s: %s", f.Level, f.Rule, f.Message)
	}
	return hostile.Outcome{Kind: hostile.Harmless, Text: text}
}
