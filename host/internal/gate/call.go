package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/trace"
	"github.com/pushlane/pushlane/lanes"
)

// Call is one question to the gate: what git called the hook with, or what a
// person asked on the command line.
type Call struct {
	Gate  string   // pre-commit, commit-msg, pre-push, pre-receive, post-receive or manual
	Args  []string // the hook's arguments; pre-push: the remote's name and URL
	Dir   string   // absolute working folder
	Env   []string // "KEY=value"
	Stdin []byte   // the hook's standard input
	Tip   RefAt    // post-receive: the default branch as it was before the push; zero: as it is
	Term  Terminal

	Range  string        // manual: "A..B"; empty: what would be pushed now
	Lanes  []string      // manual: only these lanes, whatever the paths
	All    bool          // manual: every lane, whatever the paths
	Trace  *trace.Tracer // what plugins are given and say goes here; nil: nowhere
	Fresh  bool          // run everything, without cached results
	Tried  string        // sha256 of the module that its author tries: it needs no signature
	Config string        // lanes file to use instead of the judged revision's
	Format string        // text (default), json, junit or sarif

	PerRef bool         // pre-receive: git asks about each ref before it moves any
	Target hooks.Target // manual without a range: where a push would go
	Origin string       // names the push, where its hook did not; see pushID
}

// Terminal says what the person's output can do.
type Terminal struct {
	Live    bool // a terminal: lines may be redrawn
	Color   bool
	Columns int // 0: unknown
}

// Getenv looks a variable up in the call's environment.
func (c Call) Getenv(key string) string {
	for _, pair := range slices.Backward(c.Env) {
		if name, value, ok := strings.Cut(pair, "="); ok && name == key {
			return value
		}
	}
	return ""
}

// laneGate is what `on` in a lane is compared with. A run by hand does what
// the push would do.
func (c Call) laneGate() string {
	if c.Gate == "manual" {
		return "pre-push"
	}
	return c.Gate
}

// HooksEnv is where and with which variables git called.
func (c Call) HooksEnv() hooks.Env {
	return hooks.Env{Dir: c.Dir, Getenv: c.Getenv}
}

// updates reads what git asks to be judged and gives every update its base.
func (c Call) updates(ctx context.Context, repo *hooks.Repo) ([]hooks.Update, error) {
	switch c.Gate {
	case "pre-commit", "commit-msg":
		return indexUpdate(ctx, repo)
	case "manual":
		u, err := ManualUpdate(ctx, repo, c)
		if u.Nothing != "" && len(c.Lanes) == 0 && !c.All {
			return nil, err
		}
		return []hooks.Update{u.Update}, err
	}
	updates, err := hooks.ReadUpdates(strings.NewReader(string(c.Stdin)), c.Gate)
	if err != nil {
		return nil, err
	}
	return updates, repo.SetBases(ctx, updates, c.Arg(0), c.url())
}

// url is the URL that the push goes to. Of a push that names none nothing is
// known: a repository that is pushed from is never taken for the receiver.
func (c Call) url() string {
	if url := c.Arg(1); url != "" {
		return url
	}
	return "(no URL)"
}

// Aimed is the call with the arguments that git would give the pre-push hook
// for a push of the current branch, where it is a run by hand without a range.
func (c Call) Aimed(ctx context.Context, repo *hooks.Repo) (Call, error) {
	if c.Gate != "manual" || c.Range != "" {
		return c, nil
	}
	branch, err := repo.CurrentBranch(ctx)
	if err != nil {
		return c, err
	}
	to, err := repo.PushTarget(ctx, branch)
	c.Args, c.Target = []string{to.Remote, to.URL}, to
	return c, err
}

// knownTips gives what the receiver of a push is known to have; nil where the
// call has no receiver: a run by hand of a range, and a commit.
func (c Call) knownTips(repo *hooks.Repo, updates []hooks.Update) func(context.Context) ([]string, error) {
	if c.Gate != "pre-push" && (c.Gate != "manual" || c.Range != "") {
		return nil
	}
	judged := slices.DeleteFunc(slices.Clone(updates), func(u hooks.Update) bool { return u.Delete })
	return func(ctx context.Context) ([]string, error) { return repo.Known(ctx, judged, c.Arg(0), c.url()) }
}

// Arg is the hook's argument at an index, "" where it has none.
func (c Call) Arg(i int) string {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return ""
}

// indexUpdate judges the tree that the commit will have, so that nothing is
// ever stashed.
func indexUpdate(ctx context.Context, repo *hooks.Repo) ([]hooks.Update, error) {
	tree, err := repo.WriteTree(ctx)
	if err != nil {
		return nil, err
	}
	head, err := repo.HeadTree(ctx)
	if err != nil {
		return nil, err
	}
	branch, err := repo.CurrentBranch(ctx)
	return []hooks.Update{{Ref: branch, New: tree, Old: head, Base: head}}, err
}

// manual is what a run by hand judges.
type manual struct {
	hooks.Update
	Nothing string // why a push would change nothing; "" where it would
}

// ManualUpdate is the range asked for; without one, what a push of the current
// branch to its push remote would be judged for, as far as that remote is
// known.
func ManualUpdate(ctx context.Context, repo *hooks.Repo, call Call) (manual, error) {
	if call.Range != "" {
		u, err := repo.Range(ctx, call.Range)
		return manual{Update: u}, err
	}
	head, err := repo.Resolve(ctx, "HEAD")
	if err != nil {
		return manual{}, problem.WithHint(err, "name what to judge with --range A..B")
	}
	to := call.Target
	m := manual{Update: hooks.Update{Ref: to.Ref, New: head, Old: to.Old}}
	if !hooks.IsZero(to.Old) {
		there, err := repo.Contains(ctx, to.Old, head)
		if err != nil {
			return m, err
		}
		if there {
			m.Base = head
			m.Nothing = fmt.Sprintf("%s of %s has %s already",
				printable.Ref(to.Ref), printable.Clean(to.Remote), printable.Short(head))
			return m, nil
		}
	}
	return m, repo.SetBase(ctx, &m.Update, call.Arg(0), call.url())
}

// Receives tells whether the call is a server's: nothing the pusher brings,
// and no variable, has a say in what judges it.
func (c Call) Receives() bool {
	return c.Gate == "pre-receive" || c.Gate == "post-receive"
}

// Policy reads the policy that holds for the call: a server's own for its
// gates.
func (c Call) Policy() (config.Policy, error) {
	if c.Receives() {
		return config.LoadServer(c.Getenv)
	}
	return config.Load(c.Getenv)
}

// serverNames are the variables in which a git server names the pusher:
// gitolite, Gitea, soft-serve, a web server.
func serverNames() []string {
	return []string{"GL_USER", "GITEA_PUSHER_NAME", "SOFT_SERVE_USERNAME", "REMOTE_USER"}
}

// PusherNames are serverNames and, after them, those of the system's user.
func PusherNames() []string { return append(serverNames(), "USER", "LOGNAME") }

// Pusher is who pushes, as the server before us says it.
func (c Call) Pusher() string {
	for _, name := range PusherNames() {
		if who := printable.Clean(c.Getenv(name)); who != "" && (c.Receives() || name == "USER") {
			return who
		}
	}
	return ""
}

// NamedPusher is the pusher as the git server names it, "" where only the
// system's user is known.
func (c Call) NamedPusher() string {
	for _, name := range serverNames() {
		if who := printable.Clean(c.Getenv(name)); who != "" && c.Receives() {
			return who
		}
	}
	return ""
}

// readConfig reads a lanes file given by --config.
func readConfig(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, problem.Usage(fmt.Errorf("cannot read lanes file: %w", err))
	}
	defer f.Close()
	data, err := bounded.ReadAll(f, lanes.MaxFile)
	if err != nil {
		return nil, problem.Usage(fmt.Errorf("cannot read lanes file %s: %w", name, err))
	}
	return data, nil
}

// TipBefore is the default branch as it was before the push.
func TipBefore(ctx context.Context, call Call) (RefAt, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return RefAt{}, err
	}
	defer repo.Close()
	updates, err := hooks.ReadUpdates(strings.NewReader(string(call.Stdin)), call.Gate)
	if err == nil {
		err = repo.Received(ctx, updates, false)
	}
	if err != nil {
		return RefAt{}, err
	}
	r := &receiver{repo: repo, push: updates}
	if r.head, err = repo.DefaultBranch(ctx); err != nil {
		return RefAt{}, err
	}
	id, err := r.before(ctx, r.head)
	return RefAt{Ref: r.head, ID: id}, err
}

// PushID names a push over all its hooks: git's process that runs them, the
// machine's boot, and the ref lines.
func (c Call) PushID() string {
	if c.Origin != "" {
		return c.Origin
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	sum := sha256.Sum256([]byte(string(boot) + c.Getenv("PUSHLANE_PUSH") + "\x00" + c.Dir + "\x00" + string(c.Stdin)))
	return hex.EncodeToString(sum[:16])
}

// Who is the person at the command line.
func (c Call) Who() string {
	if name := printable.Clean(c.Getenv("USER")); name != "" {
		return name
	}
	return "somebody"
}

// Top is the work tree's folder.
func Top(ctx context.Context, call Call) (string, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return "", err
	}
	defer repo.Close()
	if repo.Top() == "" {
		return "", problem.Usage(fmt.Errorf("cannot write lanes: %s has no work tree", repo.GitDir()))
	}
	return repo.Top(), nil
}
