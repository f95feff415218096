package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/alive"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/held"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/outage"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/runfiles"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/slots"
	"github.com/pushlane/pushlane/host/internal/spool"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Host judges pushes. It opens its parts when they are first needed and keeps
// them: a resident host pays for each once, an inline hook only for what its
// lanes use. Safe for concurrent use.
type Host struct {
	state, cache   string
	program        string // that runs plugins; empty: this one
	sweeps         sync.WaitGroup
	warm           int          // waiting plugin instances, per module
	slots          *slots.Slots // of lanes without containers
	containerSlots *slots.Slots
	plugins        *plugins.Store
	lanes          *lanerun.Runner
	policy         config.Policy
	since          time.Time
	resident       bool        // it outlives its calls, and sees to what others left behind
	observer       Observer    // may be nil
	warn           func(error) // called with errors of background work of a resident; optional
	journal        journal

	held   held.Runs
	outage outage.Outage
	blind  outage.Blind
	files  runfiles.Files
	looked bool // at the pushes of before this host was started; of one goroutine

	clockTold sync.Once

	connecting sync.Mutex // guards incus
	incus      map[incus.Config]*incus.Client

	mu             sync.Mutex // guards what follows
	verdictsLooked time.Time  // when verdicts on deleted refs were last searched for
	mark           io.Closer  // says that this process lives; nil: nothing needed it yet
	store          *store.Store
	pool           *sandbox.Pool
	repos          map[string]*openRepo // by what git's variables say
}

// Open makes a host over the policy's state folder (runs, logs, the socket)
// and its cache of compiled modules. Warm is how many instances of each plugin
// wait for their next request: 0 for a host that judges once.
func Open(p config.Policy, warm int) (*Host, error) {
	if err := os.MkdirAll(p.State, 0o700); err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot create state folder: %w", err),
			"set another folder with PUSHLANE_STATE")
	}
	if err := config.Trusted("state folder", p.State); err != nil {
		return nil, err
	}
	h := &Host{state: p.State, cache: p.Cache, warm: warm, policy: p, since: time.Now(),
		slots: slots.New(p.Parallel), containerSlots: slots.New(p.Parallel), files: runfiles.Files{State: p.State},
		repos: map[string]*openRepo{}, incus: map[incus.Config]*incus.Client{}}
	h.plugins = plugins.New(p.State, h.Sandbox)
	h.lanes = &lanerun.Runner{State: p.State, Store: h.Store, Sandbox: h.Sandbox, Incus: h.incusClient,
		Plugins: h.plugins, After: h.afterwards}
	return h, nil
}

// Plugins finds, fetches and checks the modules that lanes use.
func (h *Host) Plugins() *plugins.Store { return h.plugins }

// Lanes makes and runs lane runs.
func (h *Host) Lanes() *lanerun.Runner { return h.lanes }

// Policy is what the host's owner allows.
func (h *Host) Policy() config.Policy { return h.policy }

// State is the host's folder.
func (h *Host) State() string { return h.state }

// Cache is the folder of what can be made again.
func (h *Host) Cache() string { return h.cache }

// Files are those of the runs in the state folder.
func (h *Host) Files() *runfiles.Files { return &h.files }

// Program is the file that plugins run in; "": the usual one.
func (h *Host) Program() string { return h.program }

// Close lets go of everything that was opened.
func (h *Host) Close(ctx context.Context) error {
	h.sweeps.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, r := range h.repos {
		errs = append(errs, r.repo.Close())
	}
	h.connecting.Lock()
	for _, c := range h.incus {
		errs = append(errs, c.Close())
	}
	h.connecting.Unlock()
	if h.pool != nil {
		errs = append(errs, h.pool.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	if h.mark != nil {
		errs = append(errs, h.mark.Close())
	}
	return errors.Join(errs...)
}

// marks is the folder in which the hosts of the state folder say that they
// live.
func (h *Host) marks() string { return filepath.Join(h.state, "hosts") }

// markAlive says that this process lives, before anything bears its name.
func (h *Host) markAlive() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mark != nil {
		return nil
	}
	m, err := alive.Mark(h.marks())
	h.mark = m
	return err
}

// Unconfined says what this system lacks to hold plugins, as far as any were
// loaded; empty: nothing.
func (h *Host) Unconfined() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pool == nil {
		return ""
	}
	missing := h.pool.Missing()
	if len(missing) == 0 {
		return ""
	}
	list := missing[0]
	if last := len(missing) - 1; last > 0 {
		list = strings.Join(missing[:last], ", ") + " and " + missing[last]
	}
	return "plugins run without " + list + ", which this system does not have"
}

// afterwards does what a pusher need not wait for; Close waits for it.
func (h *Host) afterwards(ctx context.Context, do func(context.Context) error) {
	ctx = context.WithoutCancel(ctx)
	h.sweeps.Go(func() {
		if err := do(ctx); err != nil && h.warn != nil {
			h.warn(err)
		}
	})
}

// Store opens the record of runs.
func (h *Host) Store(ctx context.Context) (*store.Store, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		return h.store, nil
	}
	where := h.policy.Store
	if where == "" {
		where = filepath.Join(h.state, "pushlane.db")
	}
	s, err := store.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	s.Marks(h.marks())
	if err := h.files.CompareStore(ctx, s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h.store = s
	return s, nil
}

// PluginProcess makes this process one that compiles or runs a plugin, if it
// was started as one, and does not return then. A program that opens a Host
// must call it first thing in main.
func PluginProcess() { sandbox.Main() }

// Sandbox is where plugins run.
func (h *Host) Sandbox() (*sandbox.Pool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pool != nil {
		return h.pool, nil
	}
	o := sandbox.Options{CacheDir: filepath.Join(h.cache, "modules"), MaxMemory: config.PluginMemory, Warm: h.warm,
		Program: h.program, Settings: plugins.ReadSettings, Uncached: h.warn}
	if h.warm == 0 { // one call's host: a plugin that has run is hardly needed again
		o.Workers = h.policy.Parallel + 1
	}
	p, err := sandbox.Open(o)
	h.pool = p
	return p, err
}

// maxRepos bounds how many repositories' pack indexes stay in memory.
const maxRepos = 4

// openRepo is a repository that calls may share.
type openRepo struct {
	repo  *hooks.Repo
	users int
}

// repo opens the call's repository, or takes the one an earlier call opened
// with the same variables. A quarantine is never cached: git deletes it.
func (h *Host) repo(ctx context.Context, call gate.Call) (*hooks.Repo, func(), error) {
	if call.Getenv("GIT_QUARANTINE_PATH") != "" {
		r, err := hooks.Open(ctx, call.HooksEnv())
		return r, func() { r.Close() }, err
	}
	key := repoKey(call)
	h.mu.Lock()
	defer h.mu.Unlock()
	open := h.repos[key]
	if open == nil {
		r, err := hooks.Open(ctx, call.HooksEnv())
		if err != nil {
			return nil, nil, err
		}
		h.dropIdleRepo()
		open = &openRepo{repo: r}
		h.repos[key] = open
	}
	open.users++
	return open.repo, func() { h.mu.Lock(); open.users--; h.mu.Unlock() }, nil
}

func (h *Host) dropIdleRepo() {
	for key, r := range h.repos {
		if len(h.repos) < maxRepos {
			return
		}
		if r.users == 0 {
			r.repo.Close()
			delete(h.repos, key)
		}
	}
}

// owner is ownerName, as it was when the state folder was first used on this
// machine: the host name of a container changes whenever it is made anew.
func owner(state string) string {
	machine, _ := os.ReadFile("/etc/machine-id")
	sum := sha256.Sum256([]byte(string(machine) + "\x00" + state))
	here, path := hex.EncodeToString(sum[:8]), filepath.Join(state, "owner")
	data, _ := os.ReadFile(path)
	if of, name, ok := strings.Cut(strings.TrimSpace(string(data)), " "); ok && of == here && name != "" {
		return name
	}
	name := ownerName(state)
	_ = os.WriteFile(path, []byte(here+" "+name+"\n"), 0o600) // if it cannot be saved, the name stays as it was
	return name
}

// ownerName names this host on its containers: one per machine and state
// folder, so that two hosts never sweep each other's.
func ownerName(state string) string {
	machine, _ := os.ReadFile("/etc/machine-id")
	name, _ := os.Hostname()
	sum := sha256.Sum256([]byte(string(machine) + "\x00" + name + "\x00" + state))
	return hex.EncodeToString(sum[:8])
}

// repoKey is every variable that changes which repository, objects or
// configuration git would read: all of git's own, but for those that only say
// something about one call. A pusher has a say in few of them at a server's
// gate: sshd and git's HTTP server pass GIT_PROTOCOL, git itself the push
// options. GIT_CONFIG_PARAMETERS and its like come from the server in front.
func repoKey(call gate.Call) string {
	last := map[string]string{}
	for _, pair := range call.Env {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "GIT_") && !ofOneCall(name) ||
			slices.Contains([]string{"PATH", "HOME", "XDG_CONFIG_HOME"}, name) {
			last[name] = value
		}
	}
	parts := []string{call.Dir}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		parts = append(parts, name+"="+last[name])
	}
	return strings.Join(parts, "\x00")
}

func ofOneCall(name string) bool {
	for _, prefix := range []string{"GIT_PUSH_OPTION_", "GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_TRACE"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"GIT_PROTOCOL", "GIT_PREFIX", "GIT_REFLOG_ACTION", "GIT_EDITOR"}, name)
}

// ownCall is a call that no hook made: this process's own git looks at the
// repository.
func ownCall(name, repo string) gate.Call {
	return gate.Call{Gate: name, Dir: repo, Env: []string{"GIT_DIR=" + repo, "PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME")}}
}

// OpenRepo opens a repository that this host guards, by its key in the store;
// release gives it back.
func (h *Host) OpenRepo(ctx context.Context, key string) (*hooks.Repo, func(), error) {
	return h.repo(ctx, ownCall("manual", key))
}

// pause waits, and tells whether ctx lasted so long.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// queue is a host at work on runs that no pusher waits for.
type queue struct{ *Host }

// schedules is a host that starts what is due by the clock.
type schedules struct{ *Host }

// acceptance is a host that takes in what git has accepted.
type acceptance struct{ *Host }

// upkeep is a host that removes what nothing needs any more.
type upkeep struct{ *Host }

// spool has the accepted pushes that the next resident host takes in.
func (h *Host) spool() spool.Folder { return spool.Folder(filepath.Join(h.state, "spool")) }
