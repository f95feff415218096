package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var errTimeIsUp = errors.New("it reached its time limit")

// TestHostile runs plugins that mean harm: what they do to themselves is told
// in so many words, and the host is well afterwards.
func TestHostile(t *testing.T) {
	e := open(t, Options{})
	tests := map[string]struct {
		guest string
		call  Call
		limit time.Duration
		want  []string // of the error; nil: no error
		check func(*testing.T, Result, error, string)
	}{
		"spinning": {guest: "spin", limit: 200 * time.Millisecond,
			want: []string{`plugin "spin" was stopped: it reached its time limit (`}},
		"spinning on fuel": {guest: "spin", call: Call{Fuel: 20_000_000},
			want: []string{`plugin "spin" was stopped: more than 20000000 units of fuel`},
			check: func(t *testing.T, _ Result, err error, _ string) {
				var limit *LimitError
				if !errors.As(err, &limit) || limit.Used.Fuel < 20_000_000 || limit.Used.Fuel > 21_000_000 {
					t.Errorf("used %d", limit.Used.Fuel)
				}
			}},
		"a panic": {guest: "trap",
			want: []string{`plugin "trap" broke: exit status 2: panic: runtime error: index out of range [7] with length 1` +
				"\n",
				"\n  said: panic: runtime error: index out of range [7] with length 1\n", "trap/main.go:12",
				"\n  last host call: proc_exit\n", "\n  used: "}},
		"a flood of log": {guest: "floodlog", call: Call{MaxStderr: 1 << 20},
			check: func(t *testing.T, r Result, _ error, log string) {
				if cut := "\nlog cut at 1 MiB\n"; len(log) != 1<<20+len(cut) || !strings.HasSuffix(log, cut) ||
					strings.Count(log, "log cut") != 1 {
					t.Errorf("log of %d bytes ends %q", len(log), log[len(log)-40:])
				}
				if r.Used.Stderr != 64<<20 {
					t.Errorf("used %v", r.Used)
				}
			}},
		"a flood of output": {guest: "floodout", call: Call{MaxStdout: 1 << 20},
			want: []string{`plugin "floodout" was stopped: more than 1 MiB of standard output`}},
		"eating memory": {guest: "eat", call: Call{Memory: 32 << 20},
			want: []string{`plugin "eat" was stopped: more than 32 MiB of memory`}},
		"endless recursion": {guest: "recurse", call: Call{Memory: 32 << 20},
			want: []string{`plugin "recurse" was stopped: more than 32 MiB of memory`}},
		"garbage": {guest: "garbage", check: func(t *testing.T, r Result, _ error, _ string) {
			if want := "\x00\xff\x1b]0;mine\x07{\"type\":\n]]\xed\xa0\x80"; string(r.Stdout) != want {
				t.Errorf("got %q", r.Stdout)
			}
		}},
		"sleeping": {guest: "sleep", limit: 200 * time.Millisecond,
			want: []string{`plugin "sleep" was stopped: it reached its time limit (`}},
		"many files": {guest: "files", call: Call{MaxFiles: 100}, check: func(t *testing.T, r Result, _ error, _ string) {
			if want := "93 open: Too many open files\n"; string(r.Stdout) != want || r.Exit != 1 {
				t.Errorf("got %q, exit %d", r.Stdout, r.Exit)
			}
		}},
		"escapes": {guest: "escape", check: func(t *testing.T, r Result, _ error,
			_ string) {
			wantLines(t, string(r.Stdout), escapes)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := load(t, e, test.guest)
			ctx := t.Context()
			if test.limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, test.limit, errTimeIsUp)
				defer cancel()
			}
			var log bytes.Buffer
			test.call.Stderr = &log
			test.call.World = &Local{Src: fstest.MapFS{"a": {Data: []byte("hello")}}}
			r, err := m.Run(ctx, test.call)
			wantError(t, err, test.want)
			if test.limit > 0 && !errors.Is(err, errTimeIsUp) {
				t.Errorf("the cause is lost: %v", err)
			}
			if test.check != nil {
				test.check(t, r, err, log.String())
			}
			if _, err := load(t, e, "noop").Run(t.Context(), Call{Stdin: []byte("{}")}); err != nil {
				t.Errorf("the host is not well: %v", err)
			}
			if left := given(e); left != e.opts.AllMemory {
				t.Errorf("%d bytes of memory are not given back", e.opts.AllMemory-left)
			}
		})
	}
}

var escapes = []string{
	"read /etc/passwd open /etc/passwd: Bad file number",
	"read /src/../etc/passwd open /src/../etc/passwd: Bad file number",
	"read /src/../../etc/passwd open /src/../../etc/passwd: Bad file number",
	"read /src/link open /src/link: No such file or directory",
	"read /src/linkdir/passwd open /src/linkdir/passwd: No such file or directory",
	"read /out/../src/a <nil>",
	"read / open /: Bad file number",
	"read /src//../.. open /src//../..: Bad file number",
	"write /etc/x open /etc/x: Bad file number",
	"write /src/x open /src/x: Read-only file system",
	"write /src/a open /src/a: Read-only file system",
	"write /base/x open /base/x: Read-only file system",
	"write /results/x open /results/x: Read-only file system",
	"write /out/../x open /out/../x: Bad file number",
	"write /out/no/x open /out/no/x: No such file or directory",
	"write /x open /x: Bad file number",
	"mkdir mkdir /src/d: Read-only file system",
	"remove remove /src/a: Read-only file system",
	"rename rename /src/a /out/a: Read-only file system",
	"symlink symlink /etc/passwd /out/l: Operation not permitted",
	"link link /src/a /out/l: Operation not permitted",
	"chmod <nil>",
	"truncate truncate /src/a: Read-only file system",
}

func wantLines(t *testing.T, got string, want []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for i := range max(len(lines), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(lines) {
			g = lines[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d:\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}

func wantError(t *testing.T, err error, parts []string) {
	t.Helper()
	if parts == nil && err != nil {
		t.Fatalf("got %v, want no error", err)
	}
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got  %v\nwant %s", err, part)
		}
	}
}

// TestTraps: what a breakage is told with, and that its memory is given back.
// What else a module can do to itself is in the package hostile.
func TestTraps(t *testing.T) {
	e := open(t, Options{MaxMemory: 16 << 20})
	start := func(m made) made { m.start = []byte{0}; return m }
	tests := map[string]struct {
		module made
		want   []string
	}{
		"unreachable": {module: minimal().with(0x00),
			want: []string{`plugin "x" broke: unreachable` + "\n", "\n  at $0()\n", "\n  used: "}},
		"breaking before _start": {module: start(minimal().with(0x00)),
			want: []string{`broke: start function[0] export["_start"] failed: unreachable`}},
		"spinning": {module: minimal().with(0x03, 0x40, 0x0c, 0, 0x0b), want: []string{"was stopped: it reached its " +
			"time limit ("}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := e.Load(t.Context(), "x", test.module.bytes())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := contextWithin(t, 100*time.Millisecond)
			defer cancel()
			_, err = m.Run(ctx, Call{})
			wantError(t, err, append(test.want, `plugin "x" `))
			if left := given(e); left != e.opts.AllMemory {
				t.Errorf("%d bytes of memory are not given back", e.opts.AllMemory-left)
			}
		})
	}
}

// TestHostKeepsWorkingBesideASpinner: garbage collection and other goroutines
// go on while a plugin spins.
func TestHostKeepsWorkingBesideASpinner(t *testing.T) {
	e := open(t, Options{})
	m := load(t, e, "spin")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := m.Run(ctx, Call{})
		done <- err
	}()
	var kept [][]byte
	for ctx.Err() == nil {
		kept = append(kept[:len(kept)%100], make([]byte, 1<<16))
	}
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// TestHammer runs many instances of several modules at once, with warm ones
// among them, some of them cut short.
func TestHammer(t *testing.T) {
	e := open(t, Options{Warm: 2, CacheDir: t.TempDir() + "/modules"})
	names := []string{"noop", "trap", "spin"}
	modules := map[string][]byte{}
	for _, name := range names { // here: in short tests it skips, which ends only the goroutine that does
		modules[name] = build(t, name)
	}
	errs := make(chan error, 200)
	for i := range 60 {
		go func() {
			name := names[i%3]
			m, err := e.Load(t.Context(), name, modules[name])
			if err != nil {
				errs <- err
				return
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errTimeIsUp)
			if name == "spin" {
				ctx, cancel = context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errTimeIsUp)
			}
			defer cancel()
			r, err := m.Run(ctx, Call{Stdin: []byte("{}"), Out: NewOut(1000, 10)})
			switch {
			case name == "noop" && err == nil, name == "spin" && errors.Is(err, errTimeIsUp), name == "trap" && r.Exit == 2:
				errs <- nil
			default:
				errs <- fmt.Errorf("%s: %v, %v", name, r.Exit, err)
			}
		}()
	}
	for range 60 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
