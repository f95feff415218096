// Package lanerun runs one lane: it calls the plugin, allows or refuses and performs
// its requests, runs its containers, writes its log, and uses cached results. It
// does not decide which lanes run, or when.
package lanerun

import (
	"context"
	"sync"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// Lane is one lane run under way.
type Lane struct {
	*access
	watch report.Watcher

	granted  []string     // names of permits, in the manifest's order
	cache    *cacheEntry  // what it is cached by; nil: it is not
	Recorded bool         // starting is in the store
	first    *input       // of the first call, made for the cached result's key; nil: taken
	results  []sdk.Result // of all rounds, in the order in which they were asked for
	out      *wasm.Out    // /out of the call under way
	cleanup  []func()

	gitOnce sync.Mutex
	git     *gitSource // that containers of this attempt share; guarded by gitOnce

	unmatched []sdk.Finding // patterns of artifacts without a file, as notes; guarded by mu

	quota *artifactQuota  // of this attempt; nil: it left no artifacts yet; guarded by mu
	asked map[string]bool // container ids; guarded by mu
}

// Spec is a lane run to be made: of a run that was decided on, the outcome at an
// index.
type Spec struct {
	Repo  *hooks.Repo
	Run   *gate.Run
	Index int
	Rec   *record.Recorder
	Watch report.Watcher
}

// Lane prepares a lane run.
func (r *Runner) Lane(j Spec) *Lane {
	return &Lane{access: &access{runner: r, repo: j.Repo, j: j.Run, i: j.Index, rec: j.Rec, Attempt: 1},
		watch: j.Watch}
}

// input is a request, and the same as JSON.
type input struct {
	request sdk.Request
	text    []byte
}

// Manifest is what the lane's plugin says of itself, with the input that the lane's
// settings add.
func (l *Lane) Manifest(ctx context.Context) (sdk.Manifest, error) {
	m, err := modules{l.access}.Manifest(ctx)
	if err != nil {
		return m, err
	}
	with, err := plugins.SettingsJSON(l.lane().With)
	return m.For(with), err
}
