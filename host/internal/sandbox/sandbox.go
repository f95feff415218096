package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// Options say where compiled modules are cached and what one worker may use.
type Options struct {
	CacheDir    string        // compiled code, made with mode 0700. Whoever can write it runs code in a worker
	MaxMemory   int64         // bytes of linear memory of one instance; 0: 256 MiB
	AllMemory   int64         // bytes of linear memory of all instances of one worker; 0: 2 GiB
	Warm        int           // most prestarted instances of a module; 0: none
	CompileTime uint64        // seconds of processor time that compiling one module may take; 0: 60
	CompileWall time.Duration // and by the clock; 0: 2 minutes
	Workers     int           // most idle workers; 0: 16
	Program     string        // that calls Main; empty: pushlane-plugin next to this program, else this program

	Uncached func(error) // called once with the reason why compiled code is not saved; may be nil

	// Settings reads a module's schema of settings; nil: its plugin takes none.
	Settings func(*wasm.Checked) (Settings, error)
}

// Settings is what a plugin's schema says of a lane's settings.
type Settings interface {
	CheckWith(with []byte) error
}

const (
	defaultMemory  = 256 << 20
	defaultAll     = 2 << 30
	defaultWorkers = 16

	defaultCompileTime = 60
	defaultCompileWall = 2 * time.Minute
)

// Pool runs plugins in workers, one for each module. It is safe for concurrent
// use.
type Pool struct {
	opts    Options
	program program

	mu       sync.Mutex
	plugins  map[string]*loading // by digest
	closed   bool
	refusals int                   // modules in plugins that are refused
	missing  []string              // protections that workers reported as missing
	ways     []syscall.SysProcAttr // to start a child that this system did not refuse, the best first
	told     bool                  // Uncached was called
}

// loading is a module that is, or is being, made ready.
type loading struct {
	done   chan struct{} // closed when plugin and err are set
	plugin *Plugin
	err    error
}

// Open prepares a pool. It refuses a cache folder that others can write.
func Open(opts Options) (*Pool, error) {
	if opts.MaxMemory <= 0 {
		opts.MaxMemory = defaultMemory
	}
	if opts.AllMemory <= 0 {
		opts.AllMemory = defaultAll
	}
	opts.CompileTime = cmp.Or(opts.CompileTime, defaultCompileTime)
	opts.CompileWall = cmp.Or(opts.CompileWall, defaultCompileWall)
	if opts.Workers <= 0 {
		opts.Workers = defaultWorkers
	}
	p := &Pool{opts: opts, plugins: map[string]*loading{}, ways: apart()}
	err := wasm.SecureDir(opts.CacheDir)
	switch {
	case noRoom(err):
		p.uncached(err)
	case err != nil:
		return nil, err
	default:
		p.Prune()
	}
	if p.program, err = openProgram(opts.Program); err != nil {
		return nil, fmt.Errorf("cannot open sandbox: %w", err)
	}
	return p, nil
}

// Prune removes compiled code that was not used for long or is too much in all.
func (p *Pool) Prune() { prune(p.opts.CacheDir, time.Now()) }

// uncached says why compiled code is not saved.
func (p *Pool) uncached(err error) {
	p.mu.Lock()
	tell := !p.told && p.opts.Uncached != nil
	p.told = true
	p.mu.Unlock()
	if tell {
		p.opts.Uncached(fmt.Errorf("plugins are compiled again whenever their process starts: %w", err))
	}
}

// noRoom reports whether an error is one of a disk that takes nothing more.
func noRoom(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EFBIG} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// Close ends all workers. Runs must have ended.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	plugins := p.plugins
	p.plugins = nil
	p.mu.Unlock()
	for _, l := range plugins {
		<-l.done
		if l.plugin != nil {
			l.plugin.retire()
		}
	}
	return p.program.Close()
}

// Missing are the protections that this system does not have, as far as
// workers were started: "landlock", "process namespaces", "seccomp".
func (p *Pool) Missing() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.missing)
}

func (p *Pool) lacks(missing []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing = append(p.missing, missing...)
	slices.Sort(p.missing)
	p.missing = slices.Compact(p.missing)
}

// Load checks a module, has it compiled, and starts its worker; or gives the
// one it already has. The same bytes are the same *Plugin, under the name they
// came with first. It goes on, for the next caller, when ctx ends before it is
// done.
//
// Errors: *wasm.FormatError, *wasm.ABIError, or what went wrong in the machine.
func (p *Pool) Load(ctx context.Context, name string, module []byte) (*Plugin, error) {
	return p.LoadDigest(ctx, name, wasm.Digest(module), module)
}

// LoadDigest is Load for a caller who has made the module's digest already.
func (p *Pool) LoadDigest(ctx context.Context, name, digest string, module []byte) (*Plugin, error) {
	l, err := p.loading(name, digest, module)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return l.plugin, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot load plugin %q: %w", name, context.Cause(ctx))
	}
}

func (p *Pool) loading(name, digest string, module []byte) (*loading, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("cannot load plugin %q: the sandbox is closed", name)
	}
	if l := p.plugins[digest]; l != nil {
		return l, nil
	}
	l := &loading{done: make(chan struct{})}
	p.plugins[digest] = l
	go func() {
		defer close(l.done)
		l.plugin, l.err = p.load(name, module)
		p.settle(digest, l)
	}()
	return l, nil
}

// maxRefusals is how many modules are known to be refused.
const maxRefusals = 1000

// settle lets a module that could not be loaded be tried again, unless its own
// bytes are why: those are not compiled anew at every push that brings them.
func (p *Pool) settle(digest string, l *loading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.err == nil || p.plugins[digest] != l {
		return
	}
	if errors.As(l.err, new(*wasm.FormatError)) && p.refusals < maxRefusals {
		p.refusals++
		return
	}
	delete(p.plugins, digest)
}

func (p *Pool) load(name string, module []byte) (*Plugin, error) {
	spare, err := p.launch() // it starts while the module and the cache are looked at
	if err != nil {
		return nil, fmt.Errorf("cannot start worker of plugin %q: %w", name, err)
	}
	pl := &Plugin{pool: p, bytes: module, spare: spare}
	defer pl.dropSpare()
	if pl.Checked, err = wasm.Check(name, module); err != nil {
		return nil, err
	}
	if p.opts.Settings != nil {
		if pl.Settings, err = p.opts.Settings(pl.Checked); err != nil {
			return nil, err
		}
	}
	if err := pl.Fits(p.opts.MaxMemory); err != nil {
		return nil, err
	}
	if _, err := pl.live(); err != nil {
		return nil, err
	}
	return pl, nil
}

// compiled sees to it that the module's code lies in the cache, whole.
func (p *Plugin) compiled() error {
	name := wasm.CodeFolder(p.Digest())
	dir := filepath.Join(p.pool.opts.CacheDir, name)
	if whole(dir) {
		touch(dir, time.Now())
		return nil
	}
	scratch, err := os.MkdirTemp(p.pool.opts.CacheDir, "compile-")
	if err != nil {
		return &wasm.CacheError{Err: fmt.Errorf("cannot save compiled module: %w", err)}
	}
	defer os.RemoveAll(scratch)
	if err := p.compile(scratch); err != nil {
		return err
	}
	if err := keep(filepath.Join(scratch, name), dir); err != nil {
		return &wasm.CacheError{Err: err}
	}
	return nil
}
