package extism

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// guest builds the plugin for one of the two.
func guest(b *testing.B, tag string, mode ...string) []byte {
	b.Helper()
	out := filepath.Join(b.TempDir(), "guest.wasm")
	cmd := exec.Command("go", append(append([]string{"build", "-tags", tag, "-o", out}, mode...), "./guest")...)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func ours(b *testing.B) []byte {
	packed, err := wasm.Pack(guest(b, "plain"), []byte("name = \"guest\"\nversion = \"1\"\nabi = 1\noutput = \"jsonl\"\n"))
	if err != nil {
		b.Fatal(err)
	}
	return packed
}

func theirs(b *testing.B) []byte { return guest(b, "extism", "-buildmode=c-shared") }

// event is a push of 40 files, 3 KiB of JSON.
func event() []byte {
	var changes []string
	for i := range 40 {
		changes = append(changes, fmt.Sprintf(`{"path":"src/module%d/file%d.go","status":"M","mode":"100644"}`, i, i))
	}
	return []byte(`{"abi":1,"changes":[` + strings.Join(changes, ",") + `]}`)
}

func megabyte() []byte { return append([]byte("copy"), bytes.Repeat([]byte("x"), 1<<20-4)...) }

func pushlaneCall(b *testing.B, p *sandbox.Plugin, input []byte) []byte {
	r, err := p.Run(context.Background(), wasm.Call{Stdin: input})
	if err != nil {
		b.Fatal(err)
	}
	return r.Stdout
}

// extismCall makes an instance and calls it, as a host does that trusts no
// state between calls; ours does the same.
func extismCall(b *testing.B, c *sdk.CompiledPlugin, input []byte) []byte {
	p, err := c.Instance(context.Background(), sdk.PluginInstanceConfig{ModuleConfig: wazero.NewModuleConfig()})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	_, out, err := p.Call("run", input)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func manifest(module []byte) sdk.Manifest {
	return sdk.Manifest{Wasm: []sdk.Wasm{sdk.WasmData{Data: module}}}
}

func openPushlane(b *testing.B, dir string, module []byte) (*sandbox.Pool, *sandbox.Plugin) {
	pool, err := sandbox.Open(sandbox.Options{CacheDir: dir, Warm: 1})
	if err != nil {
		b.Fatal(err)
	}
	p, err := pool.Load(b.Context(), "guest", module)
	if err != nil {
		b.Fatal(err)
	}
	return pool, p
}

func openExtism(b *testing.B, dir string, module []byte) *sdk.CompiledPlugin {
	config := wazero.NewRuntimeConfig()
	if dir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err != nil {
			b.Fatal(err)
		}
		config = config.WithCompilationCache(cache)
	}
	c, err := sdk.NewCompiledPlugin(context.Background(), manifest(module),
		sdk.PluginConfig{EnableWasi: true, RuntimeConfig: config}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkLoad loads a module whose code is in a cache on disk, and calls it
// once: what a hook pays that finds nothing running.
func BenchmarkLoad(b *testing.B) {
	b.Run("pushlane", func(b *testing.B) {
		module, dir, input := ours(b), filepath.Join(b.TempDir(), "modules"), event()
		once := func() {
			pool, p := openPushlane(b, dir, module)
			pushlaneCall(b, p, input)
			pool.Close()
		}
		once()
		for b.Loop() {
			once()
		}
	})
	b.Run("extism", func(b *testing.B) {
		module, dir, input := theirs(b), b.TempDir(), event()
		once := func() {
			c := openExtism(b, dir, module)
			extismCall(b, c, input)
			c.Close(context.Background())
		}
		once()
		for b.Loop() {
			once()
		}
	})
}

// BenchmarkCall calls a module that is loaded: with an event, and moving 1 MiB
// in and out, of which a call that moves four bytes is taken off. Both take
// turns; the figures are medians in ms. Back to back, either starts an instance
// for every call; with a pause before, as between two pushes, ours has one that
// was started ahead.
func BenchmarkCall(b *testing.B) {
	b.Run("back-to-back", func(b *testing.B) { calls(b, 0) })
	b.Run("rested", func(b *testing.B) { calls(b, 90*time.Millisecond) })
}

func calls(b *testing.B, pause time.Duration) {
	pool, p := openPushlane(b, filepath.Join(b.TempDir(), "modules"), ours(b))
	defer pool.Close()
	c := openExtism(b, "", theirs(b))
	defer c.Close(context.Background())
	callers := map[string]func([]byte) []byte{
		"pushlane": func(input []byte) []byte { return pushlaneCall(b, p, input) },
		"extism":   func(input []byte) []byte { return extismCall(b, c, input) },
	}
	inputs := map[string][]byte{"event": event(), "four bytes": []byte("copy"), "1 MiB": megabyte()}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for who, call := range callers {
			for what, input := range inputs {
				time.Sleep(pause)
				began := time.Now()
				got := call(input)
				took[who+" "+what] = append(took[who+" "+what], time.Since(began))
				if what != "event" && !bytes.Equal(got, input) || len(got) == 0 {
					b.Fatalf("%s gives another answer", who)
				}
			}
		}
	}
	moved := map[string]float64{}
	for who := range callers {
		b.ReportMetric(median(took[who+" event"]), "ms/"+who+"-event")
		b.ReportMetric(median(took[who+" 1 MiB"]), "ms/"+who+"-1MiB")
		moved[who] = median(took[who+" 1 MiB"]) - median(took[who+" four bytes"])
		b.ReportMetric(moved[who], "ms/"+who+"-moving")
	}
	b.ReportMetric(moved["extism"]/moved["pushlane"], "times-faster-moving")
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}
