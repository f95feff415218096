package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// argv0 is the name under which a program is a child, and that of the program
// that is nothing else.
const argv0 = "pushlane-plugin"

// socket is the only file descriptor a child has besides its standard error,
// which the host reads for its last words.
const socket = 3

// Main turns this process into a child of the sandbox if it was started as
// one, and does not return then. It must be called before anything else.
func Main() {
	if len(os.Args) != 1 || os.Args[0] != argv0 {
		return
	}
	// The host ends this process, even if both receive a signal to stop (Ctrl-C,
	// systemd): it may be finishing a push.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a process that compiles or runs one module.
type child struct {
	pipe   *pipe
	setup  setup
	module *wasm.Module

	mu   sync.Mutex
	runs map[uint32]*childRun
	idle *time.Timer // gives memory back when nothing has run for a while
}

// idleTime is after how long without a run a worker tidies up.
const idleTime = time.Second

func serve() error {
	debug.SetGCPercent(-1) // until the module is loaded there is little to collect
	if err := syscall.SetNonblock(socket, true); err != nil {
		return fmt.Errorf("%s: error: cannot run by hand: pushlane starts it for each plugin", argv0)
	}
	c := &child{pipe: newPipe(os.NewFile(socket, "host")), runs: map[uint32]*childRun{}}
	first, err := c.expect(frameSetup)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(first, &c.setup); err != nil {
		return err
	}
	if own := build(); c.setup.Build != own {
		return fmt.Errorf("%s does not fit this pushlane: it has %s, pushlane has %s", argv0, own, c.setup.Build)
	}
	if c.setup.Compile || c.setup.Cache == "" {
		debug.SetGCPercent(100)
	}
	missing, err := c.confine()
	if err != nil {
		return err
	}
	if c.setup.Victim != 0 {
		return c.try(missing)
	}
	if err := c.load(); err != nil {
		return c.pipe.send(0, frameReady, encode(ready{Failed: packError(err)}))
	}
	if c.setup.Compile {
		return c.pipe.send(0, frameReady, encode(ready{Missing: missing}))
	}
	more, err := seal()
	if err != nil {
		return err
	}
	debug.SetGCPercent(200) // the code of the module is most of the heap
	if err := c.pipe.send(0, frameReady, encode(ready{Missing: append(missing, more...)})); err != nil {
		return err
	}
	c.idle = time.AfterFunc(idleTime, debug.FreeOSMemory) // what loading took, to begin with
	return c.work()
}

func (c *child) expect(kind byte) ([]byte, error) {
	f, err := c.pipe.receive()
	if err == nil && f.kind != kind {
		err = fmt.Errorf("got message %q, want %q", f.kind, kind)
	}
	return f.data, err
}

// confine gives up what a child never needs, before it sees the module.
func (c *child) confine() ([]string, error) {
	os.Clearenv()
	if err := limit(c.setup); err != nil {
		return nil, err
	}
	return confine(c.setup.Cache, c.setup.Compile)
}

func (c *child) load() error {
	data, err := c.expect(frameModule)
	if err != nil {
		return err
	}
	e, err := wasm.Open(context.Background(), wasm.Options{CacheDir: c.setup.Cache, MaxMemory: c.setup.MaxMemory,
		AllMemory: c.setup.AllMemory, Warm: c.setup.Warm})
	if err != nil {
		return err
	}
	c.module, err = e.Load(context.Background(), c.setup.Name, data)
	return err
}

// try seals itself and says which of the calls that would reach another process
// were not refused.
func (c *child) try(missing []string) error {
	more, err := seal()
	if err != nil {
		return err
	}
	word := ready{Missing: append(missing, more...)}
	if len(word.Missing) > 0 { // nothing would hold the attempts back
		return c.pipe.send(0, frameReady, encode(word))
	}
	for _, a := range attempts(c.setup.Victim) {
		word.Tried++
		if why := a.make(); why != "" {
			word.Through = append(word.Through, a.what+" "+why)
		}
	}
	return c.pipe.send(0, frameReady, encode(word))
}

// work takes the host's messages until it hangs up.
func (c *child) work() error {
	for {
		f, err := c.pipe.receive()
		if err != nil {
			return nil
		}
		if err := c.take(f); err != nil {
			return err
		}
	}
}

func (c *child) take(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[f.run]
	switch {
	case f.kind == frameStart && r == nil:
		r = &childRun{child: c, id: f.run, answers: make(chan frame, 1)}
		r.ctx, r.cancel = context.WithCancelCause(context.Background())
		c.runs[f.run] = r
		c.idle.Stop()
		return json.Unmarshal(f.data, &r.order)
	case r == nil: // it has ended
		return nil
	case f.kind == frameStdin:
		go r.run(f.data)
	case f.kind == frameAnswer, f.kind == frameBroken:
		select {
		case r.answers <- f:
		default:
			return errors.New("an answer to no question")
		}
	case f.kind == frameCancel:
		r.cancel(errCancelled)
	default:
		return fmt.Errorf("unknown message %q", f.kind)
	}
	return nil
}

// childRun is a run in the child; it is the instance's world.
type childRun struct {
	child   *child
	id      uint32
	order   order
	ctx     context.Context
	cancel  context.CancelCauseFunc
	answers chan frame
}

func (r *childRun) run(stdin []byte) {
	o := r.order
	call := wasm.Call{Stdin: stdin, World: r, Stderr: r, MaxStdout: o.MaxStdout, MaxStderr: o.MaxStderr, Memory: o.Memory,
		Fuel: o.Fuel, MaxFiles: o.MaxFiles, MaxCalls: o.MaxCalls,
		Args: o.Args, Env: o.Env, Clock: o.Clock, Fails: o.Fails}
	if o.Out {
		call.Out = wasm.NewOut(o.MaxOut, o.MaxOutFiles)
	}
	done, err := r.child.module.Run(r.ctx, call)
	r.child.mu.Lock()
	if delete(r.child.runs, r.id); len(r.child.runs) == 0 {
		r.child.idle.Reset(idleTime)
	}
	r.child.mu.Unlock()
	if err == nil && call.Out != nil {
		call.Out.Each(func(name string, data []byte) {
			r.send(frameOut, append([]byte(name+"\x00"), data...))
		})
	}
	if len(done.Stdout) > 0 {
		r.send(frameStdout, done.Stdout)
	}
	r.send(frameEnd, encode(ending{Exit: done.Exit, Used: done.Used, Failed: packError(err)}))
}

// send sends to the host. If the host has ended, so does this worker.
func (r *childRun) send(kind byte, data []byte) {
	if err := r.child.pipe.send(r.id, kind, data); err != nil {
		os.Exit(0)
	}
}

// Write is standard error of the plugin.
func (r *childRun) Write(p []byte) (int, error) {
	r.send(frameLog, p)
	return len(p), nil
}

// Close has nothing to do: the host closes when it hears of the end.
func (r *childRun) Close() {}

// Ask has the host answer.
func (r *childRun) Ask(ctx context.Context, q wasm.Question) (wasm.Answer, error) {
	data, err := q.MarshalBinary()
	if err != nil {
		return wasm.Answer{}, err
	}
	r.send(frameQuestion, data)
	select {
	case f := <-r.answers:
		if f.kind == frameBroken {
			return wasm.Answer{}, errors.New(string(f.data))
		}
		var a wasm.Answer
		return a, a.UnmarshalBinary(f.data)
	case <-ctx.Done():
		return wasm.Answer{}, context.Cause(ctx)
	}
}
