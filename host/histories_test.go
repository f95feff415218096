package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/histories"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// TestHistories holds the server's gate to generated histories of pushes:
// 2,000 of them, 200 with -short, as many as PUSHLANE_HISTORIES says. Of a
// history that breaks a rule its seed and script are printed;
// PUSHLANE_HISTORY=SEED runs that one alone.
func TestHistories(t *testing.T) {
	t.Parallel()
	gate := newQuickGate(t)
	first, last := historySeeds(t)
	var next atomic.Uint64
	next.Store(first)
	for i := range 2 {
		t.Run(fmt.Sprint("worker ", i), func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			for !t.Failed() {
				seed := next.Add(1) - 1
				if seed > last {
					return
				}
				runHistory(t, pool, gate, fmt.Sprint("seed ", seed), histories.FromSeed(seed))
			}
			next.Store(last + 1)
		})
	}
}

func historySeeds(t *testing.T) (first, last uint64) {
	t.Helper()
	number := func(name string) uint64 {
		text := os.Getenv(name)
		n, err := strconv.ParseUint(text, 10, 62)
		if err != nil {
			t.Fatalf("cannot read %s=%q: want a number", name, text)
		}
		return n
	}
	switch {
	case os.Getenv("PUSHLANE_HISTORY") != "":
		one := number("PUSHLANE_HISTORY")
		return one, one
	case os.Getenv("PUSHLANE_HISTORIES") != "":
		return 1, number("PUSHLANE_HISTORIES")
	case testing.Short():
		return 1, 200
	}
	return 1, 2000
}

// FuzzHistories looks for histories that break a rule by the bytes they are
// made of.
func FuzzHistories(f *testing.F) {
	gate := newQuickGate(f)
	f.Add([]byte{})
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x01\x00\x03\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		runHistory(t, newPool(t), gate, fmt.Sprintf("bytes %q", data), histories.FromBytes(data))
	})
}

func newPool(t testing.TB) *histories.Pool {
	t.Helper()
	pool, err := histories.NewPool(memoryDir(t))
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// memoryDir is a folder in memory where the system has one: a history is some
// hundred small files.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "histories-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func runHistory(t *testing.T, pool *histories.Pool, gate histories.Gate, name string, c histories.Choices) {
	t.Helper()
	err := pool.Run(t.Context(), c, gate)
	var broken *histories.Broken
	if errors.As(err, &broken) {
		t.Errorf("%s: %s\n%s", name, broken.Why, broken.Script)
	} else if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// quickGate decides about a push as a host does: what is judged, by which
// lanes, compared with what, which lanes run, and what their verdicts mean.
// The plugins alone do not run; histories.Verdict says what they would say.
type quickGate struct {
	host   *Host
	policy config.Policy
	env    []string
}

func newQuickGate(t testing.TB) *quickGate {
	t.Helper()
	dir := memoryDir(t)
	plugins := filepath.Join(dir, "plugins")
	packModule(t, dir, "../plugins/files", "../plugins/files/manifest.toml", filepath.Join(plugins, "files.wasm"))
	packModule(t, dir, "../testdata/plugins/refguard", "../testdata/plugins/refguard/refguard.toml",
		filepath.Join(plugins, "refguard.wasm"))
	env := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "PUSHLANE_CONFIG=" + filepath.Join(dir, "policy.toml"),
		"PUSHLANE_STATE=" + filepath.Join(dir, "state"),
		"XDG_CACHE_HOME=" + filepath.Join(dir, "cache"), "GIT_CONFIG_NOSYSTEM=1"}
	write(t, dir, "policy.toml", fmt.Sprintf("plugins = %q\n", plugins))
	policy, err := config.LoadServer(gate.Call{Env: env}.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(policy, 1)
	if err != nil {
		t.Fatal(err)
	}
	h.program = buildChild(t)
	t.Cleanup(func() { h.Close(context.Background()) })
	return &quickGate{h, policy, env}
}

// packModule builds a plugin's folder into a module.
func packModule(t testing.TB, scratch, folder, manifest, module string) {
	t.Helper()
	raw := filepath.Join(scratch, filepath.Base(folder)+".raw")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", raw, folder)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", folder, err, out)
	}
	code, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := plugins.Pack(code, text)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(module), filepath.Base(module), string(packed))
}

// Guard has nothing to do: the policy comes with each push.
func (g *quickGate) Guard(context.Context, string, histories.Policy) error { return nil }

// Push decides about a push.
func (g *quickGate) Push(ctx context.Context, p histories.Push) (histories.Answer, error) {
	a := histories.Answer{Accepted: make([]bool, len(p.Lines)), JudgedBy: map[string]string{}}
	policy := g.policy
	policy.Protect, policy.AllowDelete, policy.AllowForce = p.Policy.Protect, p.Policy.AllowDelete, p.Policy.AllowForce
	call := gate.Call{Gate: "pre-receive", Dir: p.Dir, Env: append(g.env, "GIT_DIR=."), Stdin: p.Stdin()}
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return a, err
	}
	defer repo.Close()
	call.PerRef = p.Policy.PerRef
	j, err := g.host.decide(ctx, repo, call, policy)
	if err != nil {
		a.Said = err.Error()
		return a, nil
	}
	for i := range j.LaneRuns {
		if err := runStandIn(ctx, repo, &j, &j.LaneRuns[i]); err != nil {
			return a, err
		}
	}
	g.answer(&a, p, j)
	return a, nil
}

// runStandIn settles the outcome of one lane without its plugin.
func runStandIn(ctx context.Context, repo *hooks.Repo, j *gate.Run, o *gate.LaneRun) error {
	if o.State = store.Skipped; o.Message != "" {
		return nil
	}
	u := j.Updates[o.Update]
	size, _ := o.Lane().With["max_size"].(string)
	lane := histories.Lane{Plugin: o.Lane().Plugin, MaxSize: size, Ref: u.Ref, Forced: u.Forced}
	tree, err := repo.Tree(ctx, u.New)
	if err != nil {
		return err
	}
	for _, c := range u.Changes {
		if c.NewID == "" {
			continue
		}
		text, err := tree.ReadFile(c.Path)
		if err != nil {
			return err
		}
		lane.Changed = append(lane.Changed, string(text))
	}
	if o.State = store.Failed; histories.Verdict(lane) {
		o.State = store.Passed
	}
	return nil
}

// answer is what git is told, line by line.
func (g *quickGate) answer(a *histories.Answer, p histories.Push, j gate.Run) {
	refused := map[string]bool{}
	for i, u := range j.Updates {
		refused[u.Named()] = j.Verdicts().ExitOf(i) != gate.ExitAccept
		if u.Refusal == "" {
			a.JudgedBy[u.Ref] = u.Rev
			if u.Strict {
				a.JudgedBy[u.Ref] = ""
			}
			a.Said += fmt.Sprintf("%s: base %s, lanes of %s, own: %t\n", u.Named(),
				printable.Short(u.Base), printable.Short(u.Rev), u.Strict)
		} else {
			a.Said += fmt.Sprintf("%s: %s\n", u.Named(), u.Refusal)
		}
	}
	for _, o := range j.LaneRuns {
		a.Said += fmt.Sprintf("lane %s of %s: %s %s\n", o.Lane().ID, j.Updates[o.Update].Named(), o.State, o.Message)
	}
	for i, l := range p.Lines {
		a.Accepted[i] = j.Exit() == gate.ExitAccept
		if p.Policy.PerRef {
			a.Accepted[i] = !refused[l.Ref]
		}
	}
}
