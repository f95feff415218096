package wasm

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

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/pushlane/pushlane/host/internal/scaffold"
	"github.com/pushlane/pushlane/sdk"
)

// kernels are what the guests below testdata/meter do, by the byte that asks
// for it.
var kernels = []struct{ name, byte string }{{"sieve", "s"}, {"hash", "h"}, {"matrix", "m"}, {"parse", "j"},
	{"sort", "q"}, {"calls", "c"}}

// BenchmarkFuel runs the same work plain and metered, in turns, in four
// languages. "times" is metered by plain, each the fastest of its runs.
func BenchmarkFuel(b *testing.B) {
	for _, lang := range []string{"c", "rust", "assemblyscript", "go"} {
		data := kernelGuest(b, lang)
		if data == nil {
			continue
		}
		m, err := open(b, Options{}).Load(b.Context(), lang, data)
		if err != nil {
			b.Fatal(err)
		}
		raw := newPlain(b, data)
		for _, k := range kernels {
			b.Run(lang+"/"+k.name, func(b *testing.B) {
				var plain, metered []time.Duration
				for b.Loop() {
					plain = append(plain, took(func() []byte { return raw.run(b, k.byte) }))
					metered = append(metered, took(func() []byte {
						r, err := m.Run(b.Context(), Call{Stdin: []byte(k.byte)})
						if err != nil || r.Exit != 0 || !bytes.Equal(r.Stdout, raw.said) {
							b.Fatalf("%v: said %x, plain %x", err, r.Stdout, raw.said)
						}
						return r.Stdout
					}))
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(slices.Min(plain).Seconds()*1000, "plain-ms")
				b.ReportMetric(float64(slices.Min(metered))/float64(slices.Min(plain)), "times")
			})
		}
	}
}

func took(run func() []byte) time.Duration {
	began := time.Now()
	run()
	return time.Since(began)
}

// plainModule is a module as it came, in wazero alone.
type plainModule struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	said     []byte
}

func newPlain(b *testing.B, data []byte) *plainModule {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	b.Cleanup(func() { r.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	c, err := r.CompileModule(ctx, data)
	if err != nil {
		b.Fatal(err)
	}
	return &plainModule{runtime: r, compiled: c}
}

func (p *plainModule) run(b *testing.B, stdin string) []byte {
	var out bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithStdin(bytes.NewReader([]byte(stdin))).WithStdout(&out)
	m, err := p.runtime.InstantiateModule(context.Background(), p.compiled, config)
	if m != nil {
		m.Close(context.Background())
	}
	if out.Len() == 0 {
		b.Fatal("it said nothing: ", err)
	}
	p.said = out.Bytes()
	return p.said
}

// BenchmarkFuelOfPlugins runs the plugins that `pushlane plugin new` begins,
// plain and metered, both in this host: a request of a thousand changed files,
// each of which is read.
func BenchmarkFuelOfPlugins(b *testing.B) {
	for _, lang := range []string{"c", "rust", "assemblyscript", "go"} {
		b.Run(lang, func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "fixme")
			if _, err := scaffold.Write(dir, lang, "fixme"); err != nil {
				b.Fatal(err)
			}
			top, err := filepath.Abs("../../..")
			if err != nil {
				b.Fatal(err)
			}
			cmd := exec.Command("sh", "build.sh")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "RUSTC=/usr/bin/rustc", "PUSHLANE_CHECKOUT="+top)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Skipf("%v\n%s", err, out)
			}
			fuelOfPlugin(b, readPacked(b, filepath.Join(dir, "plugin.wasm")))
		})
	}
}

func fuelOfPlugin(b *testing.B, data []byte) {
	e := open(b, Options{})
	metered, err := e.Load(b.Context(), "metered", data)
	if err != nil {
		b.Fatal(err)
	}
	plain := &Module{Checked: metered.Checked, engine: e, counter: 0, ready: make(chan *session)}
	if err := plain.native(data, plain.facts); err != nil {
		b.Fatal(err)
	}
	src := &gitTree{files: map[string]string{}}
	request := sdk.Request{ABI: 1, Granted: []string{"repo.read"}, With: sdk.RawJSON("{}"),
		Limits: sdk.Limits{Memory: 1 << 28, Millis: 1000, Log: 1 << 20, Findings: 10_000, Out: 1 << 20}}
	for i := range 1000 {
		name := fmt.Sprintf("f%d.txt", i)
		src.files[name] = strings.Repeat("nothing to be seen in this line, and no more in the one below\n", 40) + "FIXME\n"
		request.Changes = append(request.Changes, sdk.Change{Path: name, Status: "A", Mode: "100644",
			NewID: fmt.Sprintf("%040d", i)})
	}
	stdin := request.AppendJSON(nil)
	took := map[*Module][]time.Duration{}
	var said []byte
	for b.Loop() {
		for _, m := range []*Module{plain, metered} {
			began := time.Now()
			r, err := m.Run(b.Context(), Call{Stdin: stdin, World: &Local{Src: src}})
			took[m] = append(took[m], time.Since(began))
			if err != nil || r.Exit != 1 || said != nil && !bytes.Equal(said, r.Stdout) {
				b.Fatalf("exit %d, %v", r.Exit, err)
			}
			said = r.Stdout
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(slices.Min(took[plain]).Seconds()*1000, "plain-ms")
	b.ReportMetric(float64(slices.Min(took[metered]))/float64(slices.Min(took[plain])), "times")
}

func readPacked(b *testing.B, file string) []byte {
	data, err := os.ReadFile(file)
	if err == nil {
		data, err = Pack(data, []byte(usualManifest))
	}
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// kernelGuest builds the kernels in a language; nil where its compiler is not
// here.
func kernelGuest(b *testing.B, lang string) []byte {
	b.Helper()
	dir := b.TempDir()
	sources, err := filepath.Abs("testdata/meter")
	if err != nil {
		b.Fatal(err)
	}
	build := map[string]string{
		"c":    "clang --target=wasm32-wasi -O2 -o out.wasm $SOURCES/kernels.c",
		"rust": "/usr/bin/rustc -O --target wasm32-wasi -o out.wasm $SOURCES/kernels.rs",
		"go":   "cd $SOURCES && GOOS=wasip1 GOARCH=wasm go build -o $OLDPWD/out.wasm ./gokernels",
		"assemblyscript": "cp $SOURCES/kernels.ts kernel/ && cd kernel && npm ci --no-audit --no-fund >&2 && " +
			"node_modules/.bin/asc kernels.ts --outFile ../out.wasm -O3 --debug --exportStart _start --use abort=kernels/abort",
	}[lang]
	if _, err := scaffold.Write(filepath.Join(dir, "kernel"), "assemblyscript", "kernel"); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", build)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "SOURCES="+sources)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Logf("no guest in %s: %v\n%s", lang, err, out)
		return nil
	}
	return readPacked(b, filepath.Join(dir, "out.wasm"))
}
