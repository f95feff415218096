package wasm

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// BenchmarkLoad compiles a no-op Go plugin: with an empty cache on disk, with
// a full one, and when the engine has it.
func BenchmarkLoad(b *testing.B) {
	data := build(b, "noop")
	load := func(b *testing.B, dir string) {
		e := open(b, Options{CacheDir: dir})
		if _, err := e.Load(b.Context(), "noop", data); err != nil {
			b.Fatal(err)
		}
		e.Close(b.Context())
	}
	b.Run("cold", func(b *testing.B) {
		for range b.N {
			load(b, b.TempDir()+"/modules")
		}
	})
	b.Run("disk", func(b *testing.B) {
		dir := b.TempDir() + "/modules"
		load(b, dir)
		for b.Loop() {
			load(b, dir)
		}
	})
	b.Run("resident", func(b *testing.B) {
		e := open(b, Options{})
		load := func() (*Module, error) { return e.Load(b.Context(), "noop", data) }
		load()
		for b.Loop() {
			if _, err := load(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check+meter", func(b *testing.B) {
		for b.Loop() {
			f, err := check(data)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := meter(data, f); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRun runs a no-op Go plugin in a resident engine.
func BenchmarkRun(b *testing.B) {
	for _, warm := range []int{0, 1} {
		b.Run(fmt.Sprintf("warm=%d", warm), func(b *testing.B) {
			e := open(b, Options{Warm: warm})
			m := load(b, e, "noop")
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				awaitWarm(m)
				b.StartTimer()
				if _, err := m.Run(b.Context(), Call{Stdin: []byte("{}")}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTen runs ten different no-op Go plugins at once, as a push with
// ten lanes does.
func BenchmarkTen(b *testing.B) {
	for _, warm := range []int{0, 1} {
		b.Run(fmt.Sprintf("warm=%d", warm), func(b *testing.B) {
			e := open(b, Options{Warm: warm})
			var all []*Module
			for i := range 10 {
				data, err := Pack(build(b, "noop"), fmt.Appendf(nil, "name = \"noop%d\"\nabi = 1\noutput = \"jsonl\"\n", i))
				if err != nil {
					b.Fatal(err)
				}
				m, err := e.Load(b.Context(), fmt.Sprint("noop", i), data)
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, m)
			}
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				for _, m := range all {
					awaitWarm(m)
				}
				b.StartTimer()
				var wg sync.WaitGroup
				for _, m := range all {
					wg.Go(func() {
						if _, err := m.Run(b.Context(), Call{Stdin: []byte("{}")}); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

// awaitWarm returns when the module's warm instances are ready.
func awaitWarm(m *Module) {
	for len(m.ready) < cap(m.ready) {
		time.Sleep(time.Millisecond)
	}
	if cap(m.ready) > 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

// BenchmarkMeter runs the same computation plain, metered, and with wazero's
// own way of stopping.
func BenchmarkMeter(b *testing.B) {
	data := build(b, "sums")
	b.Run("plain", func(b *testing.B) { plain(b, data, wazero.NewRuntimeConfig()) })
	b.Run("metered", func(b *testing.B) {
		m := load(b, open(b, Options{}), "sums")
		for b.Loop() {
			if _, err := m.Run(b.Context(), Call{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("close on context done", func(b *testing.B) {
		plain(b, data, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	})
}

func plain(b *testing.B, data []byte, config wazero.RuntimeConfig) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer r.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	c, err := r.CompileModule(ctx, data)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		mod, err := r.InstantiateModule(ctx, c, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			b.Fatal(err)
		}
		mod.Close(ctx)
	}
}

// BenchmarkMemory tells what a started Go plugin that waits for its request
// takes of the machine's memory.
func BenchmarkMemory(b *testing.B) {
	const n = 50
	m := load(b, open(b, Options{}), "noop")
	before := resident(b)
	var all []*session
	for range n {
		all = append(all, m.start())
	}
	time.Sleep(time.Second)
	b.ReportMetric(float64(resident(b)-before)/n/1024, "KiB/instance")
	for _, s := range all {
		s.abandon()
	}
	m.running.Wait()
	b.ReportMetric(float64(resident(b)-before)/1024, "KiB-left")
}

// resident is the process's memory in bytes.
func resident(b *testing.B) int {
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}
