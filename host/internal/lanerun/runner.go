package lanerun

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Runner makes and runs lane runs: what of the host they need. Safe for
// concurrent use.
type Runner struct {
	State   string // the host's folder
	Store   func(context.Context) (*store.Store, error)
	Sandbox func() (*sandbox.Pool, error)
	Incus   func(context.Context, config.Policy) (*incus.Client, error)
	Plugins *plugins.Store
	After   func(context.Context, func(context.Context) error) // does what a pusher need not wait for
	tls     *tls.Config                                        // of plugins' requests; nil: the system's roots

	quotas quotas
}

// logPath is where an attempt's log lies: <state>/runs/<run>/<n>-<lane>.<attempt>.log.
func (r *Runner) logPath(run int64, i int, lane string, attempt int) string {
	return filepath.Join(Folder(r.State, run), fmt.Sprintf("%d-%s.%d.log", i, lane, attempt))
}

// Folder is where a run's logs and artifacts are, below the state folder.
func Folder(state string, run int64) string {
	return filepath.Join(state, "runs", fmt.Sprint(run))
}
