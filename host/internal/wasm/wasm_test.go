package wasm

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// guests are built once for all tests of a process.
var guests struct {
	sync.Mutex
	built map[string][]byte
}

// build builds a program below testdata/hostile and packs it.
func build(t testing.TB, name string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a module")
	}
	guests.Lock()
	defer guests.Unlock()
	if b := guests.built[name]; b != nil {
		return b
	}
	out := filepath.Join(t.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-o", out, "./testdata/hostile/"+name)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", name, err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	data, err = Pack(data, []byte("name = \""+name+"\"\nversion = \"1\"\nabi = 1\noutput = \"jsonl\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if guests.built == nil {
		guests.built = map[string][]byte{}
	}
	guests.built[name] = data
	return data
}

// open opens an engine for the length of a test.
func open(t testing.TB, opts Options) *Engine {
	t.Helper()
	e, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// load builds and loads a guest.
func load(t testing.TB, e *Engine, name string) *Module {
	t.Helper()
	m, err := e.Load(t.Context(), name, build(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func contextWithin(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(t.Context(), d, errTimeIsUp)
}

// given is what is left of an engine's memory when the instances that have
// ended have given theirs back.
func given(e *Engine) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.modules {
		if <-l.done; l.module != nil {
			l.module.running.Wait()
		}
	}
	return e.budget.Load()
}
