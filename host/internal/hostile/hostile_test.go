package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/hostile"
	"github.com/pushlane/pushlane/host/internal/settings"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

// What every attack may take.
const (
	timeLimit   = slower * 2 * time.Second // of one that must be stopped; the others may take maxTook
	memoryLimit = 64 << 20
	fuelLimit   = 500_000_000
	maxPeak     = slower * 400 << 20                 // bytes of the whole process at its largest
	maxTook     = slower * slower * 10 * time.Second // loading and running, on a machine that does other things too
)

// childVariable names the attack that this process was started for.
const childVariable = "PUSHLANE_HOSTILE_ATTACK"

// report is what a child says of itself, as its last line.
type report struct {
	Kind  hostile.Kind
	Text  string
	OK    bool
	Took  time.Duration
	After string // what the plain plugin's run came to; empty: well
	Peak  int64  // bytes
}

func TestMain(m *testing.M) {
	if id := os.Getenv(childVariable); id != "" {
		os.Exit(child(id, os.Stdout))
	}
	os.Exit(m.Run())
}

// child tries one attack in this process and then a plugin that means well.
func child(id string, out io.Writer) int {
	all := hostile.All()
	i := slices.IndexFunc(all, func(a hostile.Attack) bool { return a.ID == id })
	engine, err := wasm.Open(context.Background(), wasm.Options{MaxMemory: memoryLimit})
	if i < 0 || err != nil {
		fmt.Fprintln(os.Stderr, "no such attack, or no engine:", id, err)
		return 2
	}
	try := trying(engine, trialTime(all[i]))
	r := hostile.Run(context.Background(), all[i], try)
	after := trying(engine, maxTook)(context.Background(), "plain", hostile.Plain())
	rep := report{Kind: r.Outcome.Kind, Text: r.Outcome.Text, OK: r.OK, Took: r.Took, Peak: peak()}
	if after.Kind != hostile.Harmless {
		rep.After = after.Text
	}
	if err := json.NewEncoder(out).Encode(rep); err != nil {
		return 2
	}
	return 0
}

// trialTime is how long an attack may run: one that ends on its own has the time
// that a machine with other work needs.
func trialTime(a hostile.Attack) time.Duration {
	if a.Kind == hostile.Stopped {
		return timeLimit
	}
	return maxTook
}

// trying loads and runs a module as the host does.
func trying(engine *wasm.Engine, limit time.Duration) hostile.Try {
	return func(ctx context.Context, name string, module []byte) hostile.Outcome {
		m, err := engine.Load(ctx, name, module)
		if err != nil {
			return hostile.Outcome{Kind: hostile.Refused, Text: err.Error()}
		}
		schema, err := settings.Of(m.Checked)
		if err == nil {
			err = schema.CheckWith(nil)
		}
		if err != nil {
			return hostile.Outcome{Kind: hostile.Refused, Text: err.Error()}
		}
		ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("it reached its time limit"))
		defer cancel()
		var log bytes.Buffer
		r, err := m.Run(ctx, wasm.Call{Stdin: []byte("{}"), World: &wasm.Local{Src: hostile.Source(), Ops: &ops{}},
			Out: wasm.NewOut(8<<20, 100), Stderr: &log,
			Fuel: fuelLimit, MaxStderr: 1 << 20, MaxFiles: 64, MaxCalls: 100_000})
		if log.Len() > 1<<20+100 {
			return hostile.Outcome{Kind: "flooded", Text: fmt.Sprintf("a log of %d bytes", log.Len())}
		}
		return outcome(r, err)
	}
}

func outcome(r wasm.Result, err error) hostile.Outcome {
	switch {
	case errors.As(err, new(*wasm.LimitError)), errors.As(err, new(*wasm.StoppedError)):
		return hostile.Outcome{Kind: hostile.Stopped, Text: err.Error()}
	case err != nil:
		return hostile.Outcome{Kind: hostile.Broken, Text: err.Error()}
	}
	return hostile.Outcome{Kind: hostile.Harmless, Text: fmt.Sprintf("exit %d:%s", r.Exit,
		r.Stdout[:min(len(r.Stdout), 4000)])}
}

// ops offers one operation: a handle that is never ready.
type ops struct{}

func (*ops) Call(_ context.Context, handles *wasm.Handles, op string, _ []byte) ([]byte, error) {
	if op != "container.start@1" {
		return nil, &wasm.OpError{Code: wasm.Unsupported, Message: "no such operation"}
	}
	n, err := handles.Add(idle{})
	return fmt.Appendf(nil, `{"handle":%d}`, n), err
}

type idle struct{}

func (idle) Ready() (wasm.Ready, <-chan struct{}) { return 0, make(chan struct{}) }
func (idle) Close() error                         { return nil }

// peak is the most memory this process ever had, in bytes; 0 where the system
// does not tell.
func peak() int64 {
	text, _ := os.ReadFile("/proc/self/status")
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10
}

// TestAttacks runs every attack in its own process: a host that crashes is
// one failed test and not the end of all.
func TestAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range hostile.All() {
		t.Run(a.ID, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), childVariable+"="+a.ID)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("the host did not survive it: %v %s", err, clip(stderr.String()))
			}
			var r report
			if err := json.Unmarshal(out, &r); err != nil {
				t.Fatalf("the host said nothing: %v %s", err, clip(string(out)))
			}
			r.check(t, a)
		})
	}
}

func (r report) check(t *testing.T, a hostile.Attack) {
	t.Helper()
	if !r.OK && !a.Answer {
		t.Errorf("got  %s: %s\nwant %s: %s", r.Kind, clip(r.Text), a.Kind, a.Want)
	}
	if a.Answer && r.Kind != hostile.Harmless {
		t.Errorf("got  %s: %s\nwant it to run to its end", r.Kind, clip(r.Text))
	}
	if r.After != "" {
		t.Errorf("the host is not well afterwards: %s", r.After)
	}
	if r.Peak > maxPeak {
		t.Errorf("the host grew to %d MiB, want at most %d", r.Peak>>20, maxPeak>>20)
	}
	if r.Took > maxTook {
		t.Errorf("it took %v, want at most %v", r.Took, maxTook)
	}
	t.Logf("%s in %v, %d MiB at most: %s", r.Kind, r.Took.Round(time.Millisecond), r.Peak>>20, clip(r.Text))
}

// clip shows the beginning of what an attack said, harmless to a terminal.
func clip(s string) string { return fmt.Sprintf("%.600q", s) }

// TestSuite: attacks can be told apart and say what they want.
func TestSuite(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range hostile.All() {
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(a.ID) || seen[a.ID] {
			t.Errorf("attack %q: no good name, or there before", a.ID)
		}
		seen[a.ID] = true
		if a.About == "" || a.Want == "" || a.Module == nil || strings.HasSuffix(a.About, ".") {
			t.Errorf("attack %q is not complete", a.ID)
		}
		if !slices.Contains([]hostile.Kind{hostile.Refused, hostile.Stopped, hostile.Broken, hostile.Harmless}, a.Kind) {
			t.Errorf("attack %q is of unknown kind %q", a.ID, a.Kind)
		}
	}
	if len(seen) < 45 {
		t.Errorf("%d attacks are too few", len(seen))
	}
}
