package wasm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where compiled modules are cached and what all of them together
// may use. The zero value works: no disk cache, defaults below.
type Options struct {
	CacheDir  string // compiled code on disk; made with mode 0700; empty: none. Whoever can write it runs code in the host
	MaxMemory int64  // bytes of linear memory of one instance, the ceiling of Call.Memory; 0: 512 MiB
	AllMemory int64  // bytes of linear memory of all instances together; 0: 4 GiB
	Workers   int    // goroutines that compile one module; 0: 2
	// most instances of a module that wait for their request: as many as the last runs needed; 0: none
	Warm int
}

const (
	defaultMaxMemory = 512 << 20
	defaultAllMemory = 4 << 30
)

// Engine compiles modules once and keeps them. It is safe for concurrent use.
type Engine struct {
	opts   Options
	budget atomic.Int64 // bytes of linear memory left for all instances
	active atomic.Int64 // runs under way

	mu      sync.Mutex
	modules map[string]*loading // by digest
	closed  bool
	refill  *time.Timer // starts warm instances when the engine has been idle
}

// loading is a module that is, or is being, compiled.
type loading struct {
	done   chan struct{} // closed when module and err are set
	module *Module
	err    error
}

// Open prepares an engine. It refuses a cache folder that others can write.
func Open(_ context.Context, opts Options) (*Engine, error) {
	if opts.MaxMemory <= 0 {
		opts.MaxMemory = defaultMaxMemory
	}
	if opts.MaxMemory > 4<<30 {
		return nil, fmt.Errorf("cannot open wasm engine: %d bytes of memory for one instance, at most 4 GiB can be addressed",
			opts.MaxMemory)
	}
	if opts.AllMemory <= 0 {
		opts.AllMemory = defaultAllMemory
	}
	if opts.Workers <= 0 {
		opts.Workers = 2
	}
	if opts.CacheDir != "" {
		if err := SecureDir(opts.CacheDir); err != nil {
			return nil, err
		}
	}
	e := &Engine{opts: opts, modules: map[string]*loading{}}
	e.budget.Store(opts.AllMemory)
	return e, nil
}

// Close gives all compiled code back. Runs must have ended.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	modules := e.modules
	e.modules = nil
	if e.refill != nil {
		e.refill.Stop()
	}
	e.mu.Unlock()
	var first error
	for _, l := range modules {
		<-l.done
		if l.module == nil {
			continue
		}
		if err := l.module.close(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Load checks and compiles a module, or gives the one it already has: the
// same bytes are the same *Module, under the name they came with first.
// Compiling goes on, for the next caller, when ctx ends before it is done.
//
// Errors: *FormatError, *ABIError, or what went wrong in the machine.
func (e *Engine) Load(ctx context.Context, name string, module []byte) (*Module, error) {
	l, err := e.loading(Digest(module), name, module)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return l.module, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot load plugin %q: %w", name, context.Cause(ctx))
	}
}

func (e *Engine) loading(digest, name string, module []byte) (*loading, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fmt.Errorf("cannot load plugin %q: the engine is closed", name)
	}
	if l := e.modules[digest]; l != nil {
		return l, nil
	}
	l := &loading{done: make(chan struct{})}
	e.modules[digest] = l
	go func() {
		defer close(l.done)
		l.module, l.err = e.compile(name, module)
		if l.err != nil {
			e.forget(digest, l)
			return
		}
		e.idle()
	}()
	return l, nil
}

// forget lets a module that could not be loaded be tried again.
func (e *Engine) forget(digest string, l *loading) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.modules[digest] == l {
		delete(e.modules, digest)
	}
}

// idle starts missing warm instances once no run has begun for a moment.
func (e *Engine) idle() {
	if e.opts.Warm <= 0 || e.active.Load() > 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	if e.refill != nil {
		e.refill.Stop()
	}
	e.refill = time.AfterFunc(50*time.Millisecond, e.warm)
}

func (e *Engine) warm() {
	e.mu.Lock()
	var all []*Module
	for _, l := range e.modules {
		select {
		case <-l.done:
			all = append(all, l.module)
		default:
		}
	}
	e.mu.Unlock()
	for _, m := range all {
		if e.active.Load() > 0 {
			return
		}
		if m != nil {
			m.warm()
		}
	}
}
