package lanerun

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/report"
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

	mu        sync.Mutex
	artifacts map[string]*zoneArtifacts // by the zone's folder
}

// Spec is a lane run to be made: of a run that was decided on, the outcome at an
// index.
type Spec struct {
	Repo  *hooks.Repo
	Call  gate.Call
	Run   *gate.Run
	Index int
	Rec   *record.Recorder
	Watch report.Watcher
}

// Lane prepares a lane run.
func (r *Runner) Lane(j Spec) *Lane {
	return &Lane{runner: r, repo: j.Repo, call: j.Call, j: j.Run, i: j.Index, rec: j.Rec, watch: j.Watch, Attempt: 1}
}

// logPath is where an attempt's log lies: <state>/runs/<run>/<n>-<lane>.<attempt>.log.
func (r *Runner) logPath(run int64, i int, lane string, attempt int) string {
	return filepath.Join(Folder(r.State, run), fmt.Sprintf("%d-%s.%d.log", i, lane, attempt))
}

// Folder is where a run's logs and artifacts are, below the state folder.
func Folder(state string, run int64) string {
	return filepath.Join(state, "runs", fmt.Sprint(run))
}

// NotBegun is the outcome of an attempt that did not begin: it was called off,
// or its group could not be asked for.
func (l *Lane) NotBegun(ctx context.Context, o *gate.LaneRun, err error) {
	if ctx.Err() == nil {
		o.State, o.Message, o.Err = store.Broken, printable.CleanText(err.Error()), err
		return
	}
	o.State, o.Message = store.Cancelled, "cancelled before it started"
	if by := cancelledBy(ctx); by != "" {
		o.Message = by
	}
}

// Again records the attempt that broke and makes ready for the next one.
func (l *Lane) Again(ctx context.Context, o *gate.LaneRun) {
	l.rec.Lane(context.WithoutCancel(ctx), l.i, o, l.Recorded)
	l.rec.Retry(ctx, l.i, o.Message)
	// What says which lane this is stays untouched: other lanes read it.
	o.State, o.Message, o.Err, o.Findings, o.Tail, o.Artifacts = "", "", nil, nil, nil, nil
	o.Log, o.LogSize, o.LogSum, o.Image, o.Started, o.Ended = "", 0, "", "", time.Now(), time.Time{}
	l.Recorded, l.results, l.quota = false, nil, nil
}
