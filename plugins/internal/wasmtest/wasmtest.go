// Package wasmtest runs the cases of a plugin's tests a second time, on the
// plugin built as the WebAssembly module that users get.
package wasmtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/pushlane/pushlane/sdk"
)

// Guest is the plugin of the folder a test is in, built for wasip1.
type Guest struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

// Build builds the plugin, which lives until the test ends. With -short it skips
// the test, for building and compiling a module takes many times its cases.
func Build(t testing.TB) *Guest {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a module")
	}
	file := filepath.Join(t.TempDir(), "plugin.wasm")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", file, ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the plugin for wasip1: %v\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KiB", len(code)>>10)
	g, err := load(t.Context(), code)
	if err != nil {
		t.Fatalf("cannot load the plugin: %v", err)
	}
	t.Cleanup(func() { g.runtime.Close(context.Background()) })
	return g
}

func load(ctx context.Context, code []byte) (*Guest, error) {
	g := &Guest{runtime: wazero.NewRuntime(ctx)}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, g.runtime); err != nil {
		return nil, err
	}
	if err := g.linkLane(ctx); err != nil {
		return nil, err
	}
	var err error
	g.module, err = g.runtime.CompileModule(ctx, code)
	return g, err
}

// linkLane links module lane1 as a host does that offers no operation: a
// plugin then prints what it wants and is called again.
func (g *Guest) linkLane(ctx context.Context) error {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	unsupported := api.GoModuleFunc(func(_ context.Context, _ api.Module,
		stack []uint64) {
		stack[0] = api.EncodeI64(-38)
	})
	b := g.runtime.NewHostModuleBuilder("lane1")
	for name, takes := range map[string][]api.ValueType{"call": {i32, i32, i32, i32, i32, i32}, "take": {i32, i32},
		"read": {i32, i32, i32}} {
		b.NewFunctionBuilder().WithGoModuleFunction(unsupported, takes, []api.ValueType{i64}).Export(name)
	}
	b.NewFunctionBuilder().WithGoModuleFunction(unsupported, []api.ValueType{i32, i32, i32, i64},
		[]api.ValueType{i32}).Export("wait")
	b.NewFunctionBuilder().WithGoModuleFunction(unsupported, []api.ValueType{i32}, []api.ValueType{i32}).Export("close")
	_, err := b.Instantiate(ctx)
	return err
}

// Serve carries out one call of the plugin, as sdk.Session.Serve does for a
// check: for the field Serve of an sdktest.Case.
func (g *Guest) Serve(s sdk.Session) int {
	ctx := context.Background()
	files := wazero.NewFSConfig().WithReadOnlyDirMount(s.Src, "/src").WithReadOnlyDirMount(s.Base, "/base").
		WithReadOnlyDirMount(s.History, "/history").WithReadOnlyDirMount(s.Results, "/results").WithDirMount(s.Artifacts,
		"/out")
	config := wazero.NewModuleConfig().WithName("").WithArgs("plugin").WithEnv("LANE_ABI", "1").
		WithStdin(s.In).WithStdout(s.Out).WithStderr(s.Log).WithFSConfig(files)
	module, err := g.runtime.InstantiateModule(ctx, g.module, config)
	if module != nil {
		module.Close(ctx)
	}
	var exit *sys.ExitError
	switch {
	case errors.As(err, &exit):
		return int(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(s.Log, err)
		return 3
	}
	return 0
}
