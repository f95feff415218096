package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// setup is the first message to a child.
type setup struct {
	Build       string // of the host
	Name        string
	Cache       string // folder of compiled modules
	Compile     bool   // write the module's code there and end; else load it and serve
	CompileTime uint64 // seconds of processor time for that
	MaxMemory   int64  // bytes of linear memory of one instance
	AllMemory   int64  // of all together
	Warm        int
	Victim      int // process id: load nothing, seal, and try to reach that process; 0: do not
}

// ready is a child's first word.
type ready struct {
	Missing []string // protections that this system does not have
	Failed  *failure // the module could not be loaded
	Tried   int      // ways to reach the victim
	Through []string // those of them that were not refused
}

// order is a run to make.
type order struct {
	MaxStdout, MaxStderr, Memory, Fuel, MaxOut, MaxCalls int64
	MaxFiles, MaxOutFiles                                int
	Args, Env                                            []string
	Clock                                                time.Time
	Fails                                                []int
	Out                                                  bool
}

// ending is how a run ended.
type ending struct {
	Exit   int
	Used   wasm.Usage
	Failed *failure
}

// failure is an error of package wasm on its way to the host.
type failure struct {
	Format  *wasm.FormatError
	Trap    *wasm.TrapError
	Limit   *wasm.LimitError
	Stopped *stopped
	Cache   string // the compiled code could not be saved
	Text    string // any other
}

type stopped struct {
	Cause string
	Ours  bool // it ended because the host stopped it
	Last  string
	Used  wasm.Usage
}

// errCancelled is why a worker's run ends when the host has had enough.
var errCancelled = errors.New("called off")

// packError converts an error to a failure.
func packError(err error) *failure {
	if err == nil {
		return nil
	}
	var f failure
	var stop *wasm.StoppedError
	var cache *wasm.CacheError
	switch {
	case errors.As(err, &cache):
		f.Cache = cache.Error()
	case errors.As(err, &f.Format), errors.As(err, &f.Trap), errors.As(err, &f.Limit):
	case errors.As(err, &stop):
		f.Stopped = &stopped{Cause: stop.Cause.Error(), Ours: errors.Is(stop.Cause, errCancelled), Last: stop.Last,
			Used: stop.Used}
	default:
		f.Text = err.Error()
	}
	return &f
}

// unpack gives the error back; broken is what broke on the host's side.
func (f *failure) unpack(ctx context.Context, name string, broken error) error {
	switch {
	case f == nil:
		return nil
	case f.Format != nil:
		return f.Format
	case f.Trap != nil:
		f.Trap.Plugin = name
		return f.Trap
	case f.Limit != nil:
		f.Limit.Plugin = name
		return f.Limit
	case f.Cache != "":
		return &wasm.CacheError{Err: errors.New(f.Cache)}
	case f.Stopped == nil:
		return fmt.Errorf("cannot run plugin %q: %s", name, f.Text)
	}
	e := &wasm.StoppedError{Plugin: name, Cause: errors.New(f.Stopped.Cause), Last: f.Stopped.Last, Used: f.Stopped.Used}
	switch {
	case broken != nil:
		e.Cause = &because{f.Stopped.Cause, broken}
	case f.Stopped.Ours && ctx.Err() != nil:
		e.Cause = context.Cause(ctx)
	}
	return e
}

// because is an error with the text that a worker sent for it.
type because struct {
	text string
	err  error
}

func (b *because) Error() string { return b.text }
func (b *because) Unwrap() error { return b.err }

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("%T is not JSON: %v", v, err)) // plain structs of strings and numbers
	}
	return data
}
