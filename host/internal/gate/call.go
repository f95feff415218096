package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/trace"
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
	Rows    int // 0: unknown
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

// Arg is the hook's argument at an index, "" where it has none.
func (c Call) Arg(i int) string {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return ""
}

// Receives tells whether the call is a server's: nothing the pusher brings,
// and no variable, has a say in what judges it.
func (c Call) Receives() bool {
	return receives(c.Gate)
}

func receives(gate string) bool { return gate == "pre-receive" || gate == "post-receive" }

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
	return "an unknown user"
}

// RefAt is a ref and the object id it had; the zero value is none.
type RefAt struct{ Ref, ID string }
