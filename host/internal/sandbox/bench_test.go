package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/scaffold"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

// rested waits until a plugin's worker has started an instance ahead, as it has
// when nothing was pushed for a moment.
func rested() { time.Sleep(90 * time.Millisecond) }

// cGuest is the C template, built with the real compiler.
func cGuest(b *testing.B) []byte {
	b.Helper()
	if _, err := exec.LookPath("clang"); err != nil {
		b.Skip("clang is not installed")
	}
	dir := filepath.Join(b.TempDir(), "fixme")
	if _, err := scaffold.Write(dir, "c", "fixme"); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("sh", "build.sh")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile(filepath.Join(dir, "plugin.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.toml"))
	if err != nil {
		b.Fatal(err)
	}
	packed, err := wasm.Pack(module, manifest)
	if err != nil {
		b.Fatal(err)
	}
	return packed
}

const emptyRequest = `{"abi":1,"run":"r","lane":"l","repository":"r","gate":"manual","update":{"ref":"","old":"",` +
	`"new":"","base":""},"changes":[],"granted":[],"limits":{"memory":1,"millis":1,"log":1,"findings":1,"out":1}}`

// BenchmarkCall calls a plugin through its worker: one made with the Go SDK
// (2.7 MB), and the template in C. Both read the request and find nothing.
func BenchmarkCall(b *testing.B) {
	for name, module := range map[string][]byte{"go": guest(b, "noop-sdk"), "c": cGuest(b)} {
		for _, warm := range []int{0, 1} {
			b.Run(fmt.Sprintf("%s/warm=%d", name, warm), func(b *testing.B) {
				p, err := pool(b, Options{Warm: warm}).Load(b.Context(), name, module)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					b.StopTimer()
					rested()
					b.StartTimer()
					if _, err := p.Run(b.Context(), wasm.Call{Stdin: []byte(emptyRequest)}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLoad starts a worker for a module whose code is in the cache, and
// calls it for the first time.
func BenchmarkLoad(b *testing.B) {
	module := guest(b, "noop-sdk")
	first := pool(b, Options{})
	for b.Loop() {
		b.StopTimer()
		p, err := Open(first.opts)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		pl, err := p.Load(b.Context(), "go", module)
		if err == nil {
			_, err = pl.Run(b.Context(), wasm.Call{Stdin: []byte(emptyRequest)})
		}
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		p.Close()
		b.StartTimer()
	}
}

// BenchmarkTen calls ten different Go plugins at once, each through its own
// worker, as a push with ten lanes does.
func BenchmarkTen(b *testing.B) {
	p := pool(b, Options{Warm: 1})
	var all []*Plugin
	for i := range 10 {
		module, err := wasm.Pack(guest(b, "noop-sdk"), fmt.Appendf(nil, "name = \"noop%d\"\nabi = 1\noutput = \"jsonl\"\n",
			i))
		if err != nil {
			b.Fatal(err)
		}
		one, err := p.Load(b.Context(), fmt.Sprint("noop", i), module)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, one)
	}
	for b.Loop() {
		b.StopTimer()
		rested()
		b.StartTimer()
		var wg sync.WaitGroup
		for _, one := range all {
			wg.Go(func() {
				if _, err := one.Run(b.Context(), wasm.Call{Stdin: []byte(emptyRequest)}); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// BenchmarkStop spins until its time is up; the figure is how long after that
// the run is over.
func BenchmarkStop(b *testing.B) {
	p := load(b, pool(b, Options{}), "spin")
	late := time.Duration(0)
	for b.Loop() {
		const limit = 50 * time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		began := time.Now()
		_, err := p.Run(ctx, wasm.Call{})
		late += time.Since(began) - limit
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(late.Microseconds())/float64(b.N)/1000, "ms-late")
}

// BenchmarkHundred has a hundred runs of a Go plugin at once, all alive: the
// figures are what each takes in the worker, and what the host's own process
// takes for all of them. It is for -benchtime 1x.
func BenchmarkHundred(b *testing.B) {
	p := load(b, pool(b, Options{}), "spin")
	w, err := p.live()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		worker, host := resident(b, w.cmd.Process.Pid), resident(b, os.Getpid())
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { p.Run(ctx, wasm.Call{}) })
		}
		time.Sleep(2 * time.Second)
		b.ReportMetric(float64(resident(b, w.cmd.Process.Pid)-worker)/100/(1<<20), "MiB/run")
		b.ReportMetric(float64(resident(b, os.Getpid())-host)/(1<<20), "MiB-host")
		cancel()
		wg.Wait()
	}
}

// resident is the memory of a process, bytes.
func resident(b *testing.B, pid int) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}
