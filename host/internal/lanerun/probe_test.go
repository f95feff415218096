package lanerun

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
)

// testHost is what lane runs need of a host, made of real parts.
type testHost struct {
	state  string
	policy config.Policy
	st     *store.Store
	lanes  *Runner
}

// Store is the record of runs.
func (h *testHost) Store(context.Context) (*store.Store, error) { return h.st, nil }

// openTestHost keeps what is behind a pusher's back in line: it is done when
// the call that asked for it returns.
func openTestHost(t testing.TB, policy config.Policy) *testHost {
	t.Helper()
	if err := os.MkdirAll(policy.State, 0o700); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), filepath.Join(policy.State, "pushlane.db"))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sandbox.Open(sandbox.Options{CacheDir: filepath.Join(policy.Cache, "modules"), Warm: 1,
		MaxMemory: config.PluginMemory, Program: buildProgram(t), Settings: plugins.ReadSettings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close(); st.Close() })
	h := &testHost{state: policy.State, policy: policy, st: st}
	opened := func() (*sandbox.Pool, error) { return pool, nil }
	h.lanes = &Runner{State: policy.State, Store: h.Store, Sandbox: opened, Plugins: plugins.New(policy.State, opened),
		After: func(ctx context.Context, do func(context.Context) error) {
			if err := do(ctx); err != nil {
				t.Error(err)
			}
		}}
	return h
}

// buildProgram builds the program that plugins run in.
func buildProgram(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "plugin")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program,
		"../../cmd/pushlane-plugin").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// putFile writes a file into a folder, which it makes.
func putFile(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// probeHost is a host with one plugin, built of a folder of this repository.
func probeHost(t testing.TB, dir, plugin, manifest string) *testHost {
	t.Helper()
	raw := filepath.Join(dir, "raw")
	cmd := exec.Command("go", "build", "-o", raw, "../../../"+plugin)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := plugins.Pack(module, []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(dir, "plugins"), filepath.Base(plugin)+".wasm", string(packed))
	env := []string{"HOME=" + dir, "PUSHLANE_CONFIG=" + filepath.Join(dir, "none"),
		"PUSHLANE_PLUGINS=" + filepath.Join(dir, "plugins")}
	policy, err := config.Load(gate.Call{Env: env}.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return openTestHost(t, policy)
}
