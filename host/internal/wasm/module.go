package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/pushlane/pushlane/sdk"
)

// Checked is a module that passed every check that can be made without
// compiling it.
type Checked struct {
	name     string
	digest   string
	manifest sdk.Manifest
	facts    *facts
}

// Name is the name it was loaded under first.
func (c *Checked) Name() string { return c.name }

// Digest is the sha256 of the module's bytes, in hex.
func (c *Checked) Digest() string { return c.digest }

// Manifest is what the module says of itself.
func (c *Checked) Manifest() sdk.Manifest { return c.manifest }

// Facts are figures of the module's parts.
func (c *Checked) Facts() Facts {
	f := Facts{Functions: len(c.facts.funcs), MinMemory: c.facts.minMemory, StartsItself: c.facts.hasStart}
	for name := range c.facts.imports {
		f.Imports = append(f.Imports, name)
	}
	slices.Sort(f.Imports)
	return f
}

// Facts are figures of a module.
type Facts struct {
	Functions    int
	MinMemory    int64    // bytes it starts with
	Imports      []string // modules it imports from
	StartsItself bool     // it has a start section
}

// Digest of a module's bytes: their sha256, in hex.
func Digest(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}

// Check looks at a module and its manifest, but for the manifest's schema;
// nothing of it is compiled or run.
//
// Errors: *FormatError, *ABIError.
func Check(name string, data []byte) (*Checked, error) {
	facts, err := check(data)
	if err != nil {
		return nil, named(err, name)
	}
	manifest, err := manifestOf(data, facts.sections)
	if err != nil {
		return nil, named(err, name)
	}
	if manifest.ABI != sdk.ABI {
		return nil, &ABIError{Plugin: name, ABI: manifest.ABI}
	}
	return &Checked{name: name, digest: Digest(data), manifest: manifest, facts: facts}, nil
}

// Fits refuses a module that starts with more memory than an instance may have.
func (c *Checked) Fits(memory int64) error {
	if c.facts.minMemory <= memory {
		return nil
	}
	return &FormatError{Plugin: c.name, Msg: fmt.Sprintf("it starts with %s of memory, this host allows %s",
		amount(c.facts.minMemory, "bytes"), amount(memory, "bytes"))}
}

// Module is a plugin that was checked and compiled. It is safe for concurrent
// use; every run gets its own instance.
type Module struct {
	*Checked
	engine *Engine

	runtime  wazero.Runtime // of this digest alone: modules must not see each other
	compiled wazero.CompiledModule
	original []byte          // the module as it came, where it says which lines its code is from; else nil
	counter  int             // number of the meter's global
	canWarm  bool            // nothing of it runs before _start
	late     map[string]bool // system functions that wait for the call
	ready    chan *session
	taken    atomic.Int64   // instances asked for since ready was filled
	running  sync.WaitGroup // instances

	mu     sync.Mutex // held while ready is filled
	closed bool
}

// compile checks a module and makes it ready to run.
func (e *Engine) compile(name string, data []byte) (*Module, error) {
	checked, err := Check(name, data)
	if err == nil {
		err = checked.Fits(e.opts.MaxMemory)
	}
	if err != nil {
		return nil, err
	}
	m := &Module{Checked: checked, engine: e, counter: checked.facts.globals, canWarm: !checked.facts.hasStart,
		late: lateFuncs(checked.manifest), ready: make(chan *session, max(e.opts.Warm, 0))}
	if hasLines(checked.facts) {
		m.original = data
	}
	return m, m.build(data, checked.facts)
}

// named gives an error the plugin's name.
func named(err error, name string) error {
	if f, ok := err.(*FormatError); ok {
		return &FormatError{Plugin: name, Msg: f.Msg, Help: f.Help}
	}
	return err
}

// build makes the module's runtime and its native code, out of the cache where
// that has it. What is there and cannot be used is thrown away.
func (m *Module) build(data []byte, facts *facts) error {
	if metered := m.kept(); metered != nil && m.native(metered, facts) == nil {
		return nil
	}
	if err := m.clear(); err != nil {
		return err
	}
	metered, err := meter(data, facts)
	if err != nil {
		return named(err, m.name)
	}
	if err := m.native(metered, facts); err != nil {
		return err
	}
	return m.keep(metered)
}

func (m *Module) native(metered []byte, facts *facts) error {
	ctx := context.Background() // compiling cannot be cut short
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithMemoryLimitPages(1 << 16). // memory knows the true limit
		WithDebugInfoEnabled(m.original != nil)
	if m.cacheFolder() != "" {
		cache, err := m.openCache()
		if err != nil {
			return err
		}
		config = config.WithCompilationCache(cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if err := m.link(ctx, facts); err != nil {
		m.runtime.Close(ctx)
		return fmt.Errorf("cannot load plugin %q: %w", m.name, err)
	}
	workers := m.engine.opts.Workers
	if facts.isHeavy { // else it takes as much memory again for each worker
		workers = 1
	}
	ctx = experimental.WithCompilationWorkers(ctx, workers)
	ctx = experimental.WithFunctionListenerFactory(ctx, experimental.FunctionListenerFactoryFunc(
		func(f api.FunctionDefinition) experimental.FunctionListener {
			if f.Index() == uint32(facts.allFuncs()) {
				return experimental.FunctionListenerFunc(onTick)
			}
			return nil
		}))
	var err error
	if m.compiled, err = m.runtime.CompileModule(ctx, metered); err != nil {
		m.runtime.Close(ctx)
		if ofTheDisk(err) {
			return &CacheError{fmt.Errorf("cannot save compiled module: %w", err)}
		}
		return &FormatError{Plugin: m.name, Msg: "it is not valid: " + err.Error()}
	}
	return nil
}

// close ends waiting instances and gives the code back.
func (m *Module) close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	for len(m.ready) > 0 {
		(<-m.ready).abandon()
	}
	m.running.Wait()
	return m.runtime.Close(ctx)
}

// warm starts instances ahead of their requests: as many as were asked for
// since the last time, at least one and at most Options.Warm.
func (m *Module) warm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	want := min(max(1, int(m.taken.Swap(0))), cap(m.ready))
	for m.canWarm && !m.closed && len(m.ready) < want {
		m.ready <- m.start() // only here are they put in
	}
}
