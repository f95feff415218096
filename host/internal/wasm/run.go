package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// Call is one run's input and limits.
type Call struct {
	Stdin []byte
	Args  []string // after the plugin's name; only a manifest with a tool table gets any
	Env   []string // "NAME=value", besides the contract's own; only with the capability env
	// the true time, at which the instance's clock starts; zero: it has none. Only with the capability clock
	Clock  time.Time
	Fails  []int     // exit statuses of a tool that mean no, of eight bits; none: it is not a tool, 1 means no
	World  World     // what /src, /base and /results show and lane1 does; nil: nothing
	Out    *Out      // at /out; nil: an empty folder that takes nothing
	Stderr io.Writer // gets standard error and log lines as they come; nil: stored only for errors

	MaxStdout int64 // bytes; 0: 16 MiB. More is a *LimitError
	MaxStderr int64 // bytes given to Stderr; 0: 1 MiB. More is dropped, and a last line says so
	// bytes of linear memory; 0: Options.MaxMemory. Growing further fails in the plugin, as it would on a small machine
	Memory   int64
	Fuel     int64 // units of work, see Usage.Fuel; 0: no limit. More is a *LimitError
	MaxFiles int   // open files; 0: 256. More is an error in the plugin (EMFILE)
	MaxCalls int64 // host functions called; 0: 1,000,000. More is a *LimitError
}

// Result is the output of a run.
type Result struct {
	Exit   int // exit status
	Stdout []byte
	Used   Usage
}

const (
	defaultMaxStdout = 16 << 20
	defaultMaxStderr = 1 << 20
	defaultMaxFiles  = 256
	defaultMaxCalls  = 1_000_000
)

// Run runs the module once in its own instance, which is discarded afterwards. It
// returns when the plugin has exited, has broken, or ctx is done, within a few
// milliseconds as long as what the host provides to the plugin (file systems, Ops,
// Stderr) does not block.
//
// An exit status of 2 and above means that the plugin broke: it is a
// *TrapError as well, with the plugin's last output.
//
// Errors: *TrapError, *LimitError, *StoppedError (wraps ctx's cause).
func (m *Module) Run(ctx context.Context, call Call) (Result, error) {
	m.engine.active.Add(1)
	defer func() {
		m.engine.active.Add(-1)
		m.engine.idle()
	}()
	began := time.Now()
	call.defaults(m.engine.opts.MaxMemory)
	if call.Memory > m.engine.opts.MaxMemory {
		return Result{}, fmt.Errorf("cannot run plugin %q: %d bytes of memory asked for, this host allows %d", m.name,
			call.Memory, m.engine.opts.MaxMemory)
	}
	if m.facts.minMemory > call.Memory {
		return Result{}, &LimitError{Plugin: m.name, What: "memory", Limit: call.Memory, Unit: "bytes"}
	}
	if ctx.Err() != nil {
		return Result{}, &StoppedError{Plugin: m.name, Cause: context.Cause(ctx)}
	}
	s := m.take(call.Memory)
	s.bind(ctx, &call)
	err := s.wait()
	used := s.usage(time.Since(began))
	exit, err := m.verdict(s, used, err)
	return Result{Exit: exit, Stdout: s.stdout.Bytes(), Used: used}, err
}

func (c *Call) defaults(maxMemory int64) {
	if c.MaxStdout <= 0 {
		c.MaxStdout = defaultMaxStdout
	}
	if c.MaxStderr <= 0 {
		c.MaxStderr = defaultMaxStderr
	}
	if c.MaxFiles <= 0 {
		c.MaxFiles = defaultMaxFiles
	}
	if c.World == nil {
		c.World = &Local{}
	}
	if c.MaxCalls <= 0 {
		c.MaxCalls = defaultMaxCalls
	}
	if c.Memory <= 0 {
		c.Memory = maxMemory
	}
}

// verdict tells the ways apart in which a run can end.
func (m *Module) verdict(s *session, used Usage, err error) (int, error) {
	var limit *LimitError
	var exit *sys.ExitError
	switch {
	case errors.As(s.stopped, &limit):
		limit.Plugin, limit.Used = m.name, used
		return 0, limit
	case s.stopped != nil:
		return 0, &StoppedError{Plugin: m.name, Cause: s.stopped, Last: s.last, Used: used}
	case s.calls > s.call.MaxCalls: // before its request came, when none was counted against the limit
		return 0, &LimitError{Plugin: m.name, What: "host functions", Limit: s.call.MaxCalls, Unit: "calls", Used: used}
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 0, m.trap(s, used, err)
	case slices.Contains(s.call.Fails, exitStatus(exit.ExitCode())):
		return 1, nil
	case exit.ExitCode() == 0 || exit.ExitCode() == 1 && len(s.call.Fails) == 0:
		return int(exit.ExitCode()), nil
	case s.memory.refused:
		return int(exit.ExitCode()), &LimitError{Plugin: m.name, What: "memory", Limit: s.call.Memory, Unit: "bytes",
			Used: used}
	}
	status := int(exit.ExitCode())
	if len(s.call.Fails) > 0 {
		status = exitStatus(exit.ExitCode())
	}
	return status, m.exited(s, used, fmt.Sprintf("exit status %d", status))
}

// exitStatus is the status of a program as other programs see it: its lowest
// eight bits. What only these make a success is not one.
func exitStatus(code uint32) int {
	if low := int(code & 0xff); low != 0 {
		return low
	}
	return int(code)
}

// take gives a started instance that waits for its request, or starts one.
func (m *Module) take(memory int64) *session {
	m.taken.Add(1)
	select {
	case s := <-m.ready:
		if s.memory.size() <= memory {
			return s
		}
		s.abandon()
	default:
	}
	return m.start()
}

// start begins an instance. It waits at the first operation that depends on the
// call, until the call is bound to it.
func (m *Module) start() *session {
	s := newSession(m)
	m.running.Go(s.run)
	return s
}

// run is the life of an instance, on its own goroutine. No caller waits until its
// memory is released.
func (s *session) run() {
	instance := s.execute()
	s.close()
	close(s.done)
	if instance != nil {
		instance.Close(context.Background())
	}
	s.memory.Free()
}

// execute runs the instance to its end.
func (s *session) execute() (instance api.Closer) {
	ctx := s.context()
	defer func() {
		if r := recover(); r != nil {
			s.err = fmt.Errorf("internal error: %v", r)
		}
	}()
	inst, err := s.module.runtime.InstantiateModule(ctx, s.module.compiled,
		wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		s.err = err
		return nil
	}
	instance = inst
	_, s.err = inst.ExportedFunction("_start").Call(ctx)
	s.used = s.memory.size()
	if in, can := inst.(experimental.InternalModule); can {
		s.fuel += fuelSlice - int64(in.Global(s.module.counter).Get())
	}
	return instance
}
