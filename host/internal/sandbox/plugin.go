package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// Plugin is a module that can be run. It is safe for concurrent use.
type Plugin struct {
	*wasm.Checked
	Settings // nil where the pool reads none
	pool     *Pool
	bytes    []byte

	spare *worker // started and without a module yet; only while it is loaded

	mu     sync.Mutex
	worker *worker
}

// Bytes are the module. They must not be changed.
func (p *Plugin) Bytes() []byte { return p.bytes }

// live returns the module's worker, and starts a new one if the last one ended.
func (p *Plugin) live() (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.worker != nil && p.worker.alive() {
		return p.worker, nil
	}
	o := p.pool.opts
	s := setup{Name: p.Name(), Cache: o.CacheDir, MaxMemory: o.MaxMemory, AllMemory: o.AllMemory, Warm: o.Warm}
	wait := loadTime
	if err := p.compiled(); errors.As(err, new(*wasm.CacheError)) {
		p.pool.uncached(err)
		s.Cache, wait = "", p.pool.opts.CompileWall // the worker compiles it in its memory
	} else if err != nil { // a last worker may have been the first to notice
		return nil, err
	}
	w, err := p.start(s, wait)
	if err != nil {
		return nil, fmt.Errorf("cannot start worker of plugin %q: %w", p.Name(), err)
	}
	go w.deliver()
	p.worker = w
	go p.pool.thin(p)
	return w, nil
}

// retire ends the worker; the next run starts another.
func (p *Plugin) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.worker != nil {
		p.worker.kill()
		<-p.worker.dead
	}
}

// thin ends the workers that were not used for longest, where there are too
// many. The one just started stays.
func (p *Pool) thin(but *Plugin) {
	p.mu.Lock()
	var all []*Plugin
	for _, l := range p.plugins {
		select {
		case <-l.done:
			if l.plugin != nil && l.plugin != but {
				all = append(all, l.plugin)
			}
		default:
		}
	}
	p.mu.Unlock()
	kept, oldest, since := 1, (*Plugin)(nil), time.Now()
	for _, pl := range all {
		pl.mu.Lock()
		w := pl.worker
		pl.mu.Unlock()
		if w == nil || !w.alive() {
			continue
		}
		kept++
		if busy, used := w.busy(); !busy && used.Before(since) {
			oldest, since = pl, used
		}
	}
	if kept > p.opts.Workers && oldest != nil {
		oldest.retire()
	}
}

// graceTime is how long a worker may take to end a run that was called off.
const graceTime = time.Second

// Run runs the module once in its own instance; see wasm.Module.Run. If a worker
// dies its runs end with it: this is an infrastructure error, not a verdict.
func (p *Plugin) Run(ctx context.Context, call wasm.Call) (wasm.Result, error) {
	if call.World == nil {
		call.World = &wasm.Local{}
	}
	defer call.World.Close()
	if ctx.Err() != nil {
		return wasm.Result{}, &wasm.StoppedError{Plugin: p.Name(), Cause: context.Cause(ctx)}
	}
	if call.Memory > p.pool.opts.MaxMemory {
		return wasm.Result{}, fmt.Errorf("cannot run plugin %q: %d bytes of memory asked for, this host allows %d", p.Name(),
			call.Memory, p.pool.opts.MaxMemory)
	}
	w, err := p.live()
	if err != nil {
		return wasm.Result{}, err
	}
	id, frames := w.begin()
	defer w.end(id)
	r := &run{plugin: p, worker: w, id: id, call: call}
	if err := r.start(); err != nil {
		return wasm.Result{}, r.lost()
	}
	return r.follow(ctx, frames)
}

// run is a run as its host sees it.
type run struct {
	plugin *Plugin
	worker *worker
	id     uint32
	call   wasm.Call
	stdout []byte
	broken error // the first thing that broke on this side
	log    int64 // bytes of log taken
}

func (r *run) start() error {
	c := r.call
	o := order{MaxStdout: c.MaxStdout, MaxStderr: c.MaxStderr, Memory: c.Memory, Fuel: c.Fuel, MaxFiles: c.MaxFiles,
		MaxCalls: c.MaxCalls, Args: c.Args, Env: c.Env, Clock: c.Clock, Fails: c.Fails, Out: c.Out != nil}
	if c.Out != nil {
		o.MaxOut, o.MaxOutFiles = c.Out.Limits()
	}
	if err := r.worker.pipe.send(r.id, frameStart, encode(o)); err != nil {
		return err
	}
	return r.worker.pipe.send(r.id, frameStdin, c.Stdin)
}

// follow serves the run until its end.
func (r *run) follow(ctx context.Context, frames <-chan frame) (wasm.Result, error) {
	stop := ctx.Done()
	var grace <-chan time.Time
	for {
		select {
		case f := <-frames:
			if f.kind == frameEnd {
				return r.end(ctx, f.data)
			}
			if err := r.take(ctx, f); err != nil {
				r.worker.kill() // it talks nonsense
				return wasm.Result{}, fmt.Errorf("cannot run plugin %q: its process %w", r.plugin.Name(), err)
			}
		case <-stop:
			stop = nil
			timer := time.NewTimer(graceTime)
			defer timer.Stop()
			grace = timer.C
			_ = r.worker.pipe.send(r.id, frameCancel, nil) // else it is dead
		case <-grace:
			r.worker.kill()
			return wasm.Result{}, &wasm.StoppedError{Plugin: r.plugin.Name(), Cause: context.Cause(ctx),
				Last: "its process, which did not stop when told to and was killed"}
		case <-r.worker.dead:
			return wasm.Result{}, r.lost()
		}
	}
}

func (r *run) lost() error {
	return fmt.Errorf("cannot run plugin %q: %w", r.plugin.Name(), r.worker.died())
}

// DiedError is a process that ended unexpectedly or was killed from outside, for
// example for lack of memory. It says nothing about the push; another attempt may
// succeed.
type DiedError struct {
	Why string
	CPU time.Duration // processor time that it used, where that is known
}

func (e *DiedError) Error() string { return e.Why }

// Hint says that the change under test is not at fault.
func (e *DiedError) Hint() string {
	return "not caused by the change; push again. If it happens often, check for a lack of memory: dmesg | grep -i oom"
}

// take serves one message. An error is a worker that cannot be trusted.
func (r *run) take(ctx context.Context, f frame) error {
	switch f.kind {
	case frameQuestion:
		return r.answer(ctx, f.data)
	case frameLog:
		return r.keepLog(f.data)
	case frameStdout:
		r.stdout = f.data
	case frameOut:
		name, data, found := bytes.Cut(f.data, []byte{0})
		if !found || r.call.Out == nil {
			return errors.New("left a file nowhere")
		}
		if err := r.call.Out.Put(string(name), data); err != nil {
			return fmt.Errorf("left a file that cannot be: %w", err)
		}
	default:
		return fmt.Errorf("sent an unknown message %q", f.kind)
	}
	return nil
}

func (r *run) answer(ctx context.Context, data []byte) error {
	var q wasm.Question
	if err := q.UnmarshalBinary(data); err != nil {
		return fmt.Errorf("asked %w", err)
	}
	a, err := r.call.World.Ask(ctx, q)
	if err != nil {
		if r.broken == nil && ctx.Err() == nil {
			r.broken = err
		}
		return r.reply(frameBroken, []byte(err.Error()))
	}
	reply, err := a.MarshalBinary()
	if err == nil && len(reply) > maxFrame {
		err = fmt.Errorf("an answer of %d bytes is too large", len(reply))
	}
	if err != nil {
		r.broken = err
		return r.reply(frameBroken, []byte(err.Error()))
	}
	return r.reply(frameAnswer, reply)
}

// reply sends what the worker waits for; that it is dead is noticed elsewhere.
func (r *run) reply(kind byte, data []byte) error {
	_ = r.worker.pipe.send(r.id, kind, data)
	return nil
}

// maxLog is more than any worker that keeps its limit sends.
const maxLog = 64 << 20

func (r *run) keepLog(data []byte) error {
	if r.log += int64(len(data)); r.log > maxLog {
		return errors.New("keeps no limit of its log")
	}
	if r.call.Stderr == nil {
		return nil
	}
	if _, err := r.call.Stderr.Write(data); err != nil && r.broken == nil {
		r.broken = fmt.Errorf("cannot keep its log: %w", err)
		_ = r.worker.pipe.send(r.id, frameCancel, nil)
	}
	return nil
}

func (r *run) end(ctx context.Context, data []byte) (wasm.Result, error) {
	var e ending
	if err := json.Unmarshal(data, &e); err != nil {
		r.worker.kill()
		return wasm.Result{}, fmt.Errorf("cannot run plugin %q: its process ended it with %w", r.plugin.Name(), err)
	}
	if e.Failed == nil && r.broken != nil { // a plugin that missed a response has not judged
		return wasm.Result{}, fmt.Errorf("cannot run plugin %q: %w", r.plugin.Name(), r.broken)
	}
	return wasm.Result{Exit: e.Exit, Stdout: r.stdout, Used: e.Used}, e.Failed.unpack(ctx, r.plugin.Name(), r.broken)
}
