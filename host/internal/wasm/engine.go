// Package wasm loads plugin modules and runs them under wazero, the only
// package that knows it.
package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/pushlane/pushlane/sdk"
)

type Options struct {
	CacheDir string
}

type Engine struct {
	cache wazero.CompilationCache
	mu    sync.Mutex
	mods  map[string]*Module
}

func Open(ctx context.Context, o Options) (*Engine, error) {
	if err := os.MkdirAll(o.CacheDir, 0o700); err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(o.CacheDir)
	if err != nil {
		return nil, err
	}
	return &Engine{cache: cache, mods: map[string]*Module{}}, nil
}

func (e *Engine) Close(ctx context.Context) error { return e.cache.Close(ctx) }

type Module struct {
	name, digest string
	manifest     sdk.Manifest
	rt           wazero.Runtime
	code         wazero.CompiledModule
}

func (e *Engine) Load(ctx context.Context, name string, data []byte) (*Module, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	if m := e.mods[digest]; m != nil {
		return m, nil
	}
	man, err := ReadManifest(data)
	if err != nil {
		return nil, err
	}
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCompilationCache(e.cache).WithCloseOnContextDone(true).WithMemoryLimitPages(4096))
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	code, err := rt.CompileModule(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("cannot compile plugin %q: %w", name, err)
	}
	m := &Module{name: name, digest: digest, manifest: man, rt: rt, code: code}
	e.mods[digest] = m
	return m, nil
}

func (m *Module) Manifest() sdk.Manifest { return m.manifest }
func (m *Module) Digest() string         { return m.digest }
func (m *Module) Name() string           { return m.name }

type Call struct {
	Stdin              []byte
	Src, Base, Results fs.FS
	Stderr             io.Writer
	MaxStdout, Memory  int64
}
type Result struct {
	Exit   int
	Stdout []byte
}

type buf struct{ b []byte }

func (b *buf) Write(p []byte) (int, error) { b.b = append(b.b, p...); return len(p), nil }

type reader struct{ b []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

func (m *Module) Run(ctx context.Context, c Call) (Result, error) {
	var out buf
	fsc := wazero.NewFSConfig()
	if c.Src != nil {
		fsc = fsc.WithFSMount(c.Src, "/src")
	}
	if c.Base != nil {
		fsc = fsc.WithFSMount(c.Base, "/base")
	}
	if c.Results != nil {
		fsc = fsc.WithFSMount(c.Results, "/results")
	}
	cfg := wazero.NewModuleConfig().WithName("").WithArgs(m.name).WithEnv("LANE_ABI", "1").WithStdin(&reader{c.Stdin}).WithStdout(&out).WithStderr(c.Stderr).WithFSConfig(fsc)
	inst, err := m.rt.InstantiateModule(ctx, m.code, cfg)
	if inst != nil {
		inst.Close(ctx)
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return Result{Exit: int(exit.ExitCode()), Stdout: out.b}, nil
	}
	return Result{Stdout: out.b}, err
}
