package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

func TestMain(m *testing.M) {
	attacks()
	Main()
	code := m.Run()
	if dir, err := shared(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// guests are built once for all tests.
var guests struct {
	sync.Mutex
	built map[string][]byte
}

// guest builds a program below testdata/hostile and packs it.
func guest(t testing.TB, name string) []byte {
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
	folder := "./testdata/hostile/" + name
	if name == "noop-sdk" {
		folder = "./testdata/plugins/noop"
	}
	cmd := exec.Command("go", "build", "-o", out, folder)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", name, err, text)
	}
	data, err := os.ReadFile(out)
	if err == nil {
		data, err = wasm.Pack(data, []byte("name = \""+name+"\"\nversion = \"1\"\nabi = 1\noutput = \"jsonl\"\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if guests.built == nil {
		guests.built = map[string][]byte{}
	}
	guests.built[name] = data
	return data
}

// shared is a folder with the child's program and the cache of compiled guests
// of this test run.
var shared = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pushlane-sandbox-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "child"), "../../cmd/pushlane-plugin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as install.sh builds the program
	text, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return dir, err
})

func pool(t testing.TB, opts Options) *Pool {
	t.Helper()
	dir, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	if opts.Program = filepath.Join(dir, "child"); opts.CacheDir == "" {
		opts.CacheDir = filepath.Join(dir, "modules")
	}
	p, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	p.ways = spaces()
	t.Cleanup(func() { p.Close() })
	return p
}

func load(t testing.TB, p *Pool, name string) *Plugin {
	t.Helper()
	pl, err := p.Load(t.Context(), name, guest(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return pl
}

// TestSameAsInProcess: what a run says, leaves and uses is the same in a worker
// as in the host's own process, to the unit of fuel.
func TestSameAsInProcess(t *testing.T) {
	e, err := wasm.Open(t.Context(), wasm.Options{MaxMemory: defaultMemory})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	for _, name := range []string{"look", "calls"} {
		t.Run(name, func(t *testing.T) {
			m, err := e.Load(t.Context(), name, guest(t, name))
			if err != nil {
				t.Fatal(err)
			}
			here, theirs := output(t, m.Run), output(t, load(t, pool(t, Options{}), name).Run)
			if here != theirs {
				t.Errorf("in this process:\n%s\nin a worker:\n%s", here, theirs)
			}
		})
	}
}

// times are what differs between runs.
var times = regexp.MustCompile(`used: [0-9.a-zµ]+, `)

func output(t *testing.T, run func(context.Context, wasm.Call) (wasm.Result, error)) string {
	var log bytes.Buffer
	big := bytes.Repeat([]byte("0123456789"), 50_000)
	src := fstest.MapFS{"a": {Data: []byte("hello")}, "big": {Data: big}, "dir/file": {Data: []byte("0123456789")},
		"link": {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}}
	out := wasm.NewOut(1<<20, 100)
	r, err := run(t.Context(), wasm.Call{Stdin: []byte("{}"), Stderr: &log, Out: out, MaxFiles: 100,
		World: &wasm.Local{Src: src, Results: fstest.MapFS{"c1/a.txt": {Data: []byte("made")}}}})
	var b strings.Builder
	fmt.Fprintf(&b, "exit %d, %s\n%s\n--- log\n%s\n--- out\n", r.Exit, times.ReplaceAllString(fmt.Sprint(err),
		"used: "),
		r.Stdout, log.String())
	out.Each(func(name string, data []byte) { fmt.Fprintf(&b, "%s: %q\n", name, data) })
	fmt.Fprintf(&b, "%d units of fuel, %d calls, %d bytes", r.Used.Fuel, r.Used.Calls, r.Used.Memory)
	return b.String()
}

func TestErrorsOfARun(t *testing.T) {
	up := errors.New("it reached its time limit")
	for name, test := range map[string]struct {
		guest string
		call  wasm.Call
		limit time.Duration
		want  []string
	}{
		"spinning": {guest: "spin", limit: 200 * time.Millisecond,
			want: []string{`plugin "spin" was stopped: it reached its time limit (`}},
		"spinning on fuel": {guest: "spin", call: wasm.Call{Fuel: 20_000_000},
			want: []string{`plugin "spin" was stopped: more than 20000000 units of fuel`}},
		"a panic": {guest: "trap",
			want: []string{`plugin "trap" broke: exit status 2: panic: runtime error: index out of range [7] with length 1` +
				"\n",
				"\n  said: panic: runtime error: index out of range [7] with length 1\n", "trap/main.go:12",
				"\n  used: "}},
		"too much output": {guest: "floodout", call: wasm.Call{MaxStdout: 1 << 20},
			want: []string{`plugin "floodout" was stopped: more than 1 MiB of standard output`}},
		"eating memory": {guest: "eat", call: wasm.Call{Memory: 32 << 20},
			want: []string{`plugin "eat" was stopped: more than 32 MiB of memory`}},
		"sleeping": {guest: "sleep", limit: 200 * time.Millisecond,
			want: []string{`plugin "sleep" was stopped: it reached its time limit (`}},
		"more than is allowed": {guest: "noop", call: wasm.Call{Memory: 1 << 30},
			want: []string{`cannot run plugin "noop": 1073741824 bytes of memory asked for, this host allows 268435456`}},
		"a tree that cannot be read": {guest: "escape", call: wasm.Call{World: &wasm.Local{Src: damaged{}}},
			want: []string{`plugin "escape" was stopped: cannot read /src/`, "for it: object 1234 is damaged ("}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if test.limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, test.limit, up)
				defer cancel()
			}
			_, err := load(t, pool(t, Options{}), test.guest).Run(ctx, test.call)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
			if test.limit > 0 && !errors.Is(err, up) || name == "a tree that cannot be read" && !errors.Is(err,
				errDamaged) {
				t.Errorf("%v does not wrap its cause", err)
			}
		})
	}
}

var errDamaged = errors.New("object 1234 is damaged")

type damaged struct{}

func (damaged) Open(string) (fs.File, error)          { return nil, errDamaged }
func (damaged) ReadDir(string) ([]fs.DirEntry, error) { return nil, errDamaged }

// TestWorkerIsKilled: a worker that dies is an error of the machine for its
// runs, and the next run has a new one.
func TestWorkerIsKilled(t *testing.T) {
	p := load(t, pool(t, Options{}), "spin")
	ended := make(chan error)
	go func() {
		_, err := p.Run(context.Background(), wasm.Call{})
		ended <- err
	}()
	w, err := p.live()
	if err != nil {
		t.Fatal(err)
	}
	for busy := false; !busy; busy, _ = w.busy() {
		time.Sleep(time.Millisecond)
	}
	syscall.Kill(w.cmd.Process.Pid, syscall.SIGKILL)
	if err := <-ended; err == nil || err.Error() != `cannot run plugin "spin": its process died: signal: killed` {
		t.Errorf("got %v", err)
	}
	_, err = p.Run(t.Context(), wasm.Call{Fuel: 1_000_000})
	if err == nil || !strings.Contains(err.Error(), "more than 1000000 units of fuel") {
		t.Errorf("the next run: %v", err)
	}
}

// TestWorkerThatDoesNotStop: one that is stuck is killed when its run is over.
func TestWorkerThatDoesNotStop(t *testing.T) {
	p := load(t, pool(t, Options{}), "spin")
	w, err := p.live()
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(w.cmd.Process.Pid, syscall.SIGSTOP)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("it reached its time limit"))
	defer cancel()
	_, err = p.Run(ctx, wasm.Call{})
	if err == nil || !strings.Contains(err.Error(), `plugin "spin" was stopped: it reached its time limit`) {
		t.Errorf("got %v", err)
	}
	<-w.dead
}

// TestCache: compiled code that was changed, by a byte or by a file, is made
// anew; so is what a compiler that was killed left.
func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "modules")
	first := load(t, pool(t, Options{CacheDir: dir}), "noop")
	code := filepath.Join(dir, wasm.CodeFolder(first.Digest()))
	var file string
	filepath.WalkDir(code, func(path string, d fs.DirEntry, _ error) error {
		if d.Type().IsRegular() {
			file = path
		}
		return nil
	})
	good, err := os.ReadFile(file)
	if err != nil || !whole(code) {
		t.Fatalf("no whole code: %v", err)
	}
	for name, harm := range map[string]func() error{
		"a byte":     func() error { return os.WriteFile(file, append([]byte{good[0] ^ 1}, good[1:]...), 0o600) },
		"cut":        func() error { return os.Truncate(file, 100) },
		"a file":     func() error { return os.WriteFile(filepath.Join(code, "more"), nil, 0o600) },
		"no sums":    func() error { return os.Remove(code + ".sums") },
		"other sums": func() error { return os.WriteFile(code+".sums", []byte("x"), 0o600) },
		"a link":     func() error { os.Remove(file); return os.Symlink("/etc/passwd", file) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			if whole(code) {
				t.Fatal("it is taken for whole")
			}
			if _, err := load(t, pool(t, Options{CacheDir: dir}), "noop").Run(t.Context(), wasm.Call{}); err != nil {
				t.Fatal(err)
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, good) {
				t.Errorf("the code was not made anew: %v", err)
			}
		})
	}
}

// Several processes compile one module at once: the code of the first is left as it
// is, for its workers load it.
func TestKeepLeavesWholeCode(t *testing.T) {
	cache := t.TempDir()
	dir := filepath.Join(cache, strings.Repeat("a", 64))
	compiled := func(text string) string {
		from := filepath.Join(t.TempDir(), "code")
		if err := errors.Join(os.Mkdir(from, 0o700), os.WriteFile(filepath.Join(from, "x"), []byte(text),
			0o600)); err != nil {
			t.Fatal(err)
		}
		return from
	}
	if err := keep(compiled("one"), dir); err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		from := compiled("one")
		all.Go(func() {
			if err := keep(from, dir); err != nil || !whole(dir) {
				t.Errorf("%v, whole %t", err, whole(dir))
			}
		})
	}
	all.Wait()
	if again, err := os.Stat(dir); err != nil || !os.SameFile(first, again) {
		t.Errorf("the code was replaced: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keep(compiled("one"), dir); err != nil || !whole(dir) {
		t.Errorf("damaged code stays: %v", err)
	}
}

func TestPrune(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	add := func(name string, age time.Duration) string {
		path := filepath.Join(dir, name)
		os.MkdirAll(path, 0o700)
		os.WriteFile(path+".sums", nil, 0o600)
		os.Chtimes(path, now.Add(-age), now.Add(-age))
		return path
	}
	fresh, old := add(strings.Repeat("a", 64), time.Hour), add(strings.Repeat("b", 64), cacheAge+time.Hour)
	left, running := add("compile-1", 2*time.Hour), add("compile-2", time.Minute)
	foreign := add("notes", cacheAge*2)
	big := add(strings.Repeat("c", 64), 2*time.Hour)
	if err := os.Truncate(mustCreate(t, filepath.Join(big, "code")), cacheSize+1); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(big, now.Add(-2*time.Hour), now.Add(-2*time.Hour))
	prune(dir, now)
	for path, want := range map[string]bool{fresh: true, old: false, left: false, running: true, foreign: true,
		big: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: kept %v, want %v", filepath.Base(path)[:8], err == nil, want)
		}
	}
	if _, err := os.Stat(old + ".sums"); err == nil {
		t.Error("sums of old code are kept")
	}
}

func mustCreate(t *testing.T, path string) string {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFewWorkers: idle ones end when there are more than are to be kept.
func TestFewWorkers(t *testing.T) {
	p := pool(t, Options{Workers: 2})
	var all []*Plugin
	for _, name := range []string{"noop", "look", "sums", "files"} {
		all = append(all, load(t, p, name))
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		alive := 0
		for _, pl := range all {
			pl.mu.Lock()
			if pl.worker.alive() {
				alive++
			}
			pl.mu.Unlock()
		}
		if alive == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d workers", alive)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := all[0].Run(t.Context(), wasm.Call{}); err != nil {
		t.Errorf("a plugin whose worker was ended: %v", err)
	}
}

// TestManyAtOnce: a hundred runs of one module, each with its own answers.
func TestManyAtOnce(t *testing.T) {
	p := load(t, pool(t, Options{}), "look")
	want := output(t, p.Run)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if got := output(t, p.Run); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
	wg.Wait()
}
