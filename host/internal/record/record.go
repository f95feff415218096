// Package record records a run in the store while it runs. A run that cannot be
// recorded must not be accepted: the first failed write fails the run.
package record

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Recorder keeps one run in the store as it goes on. What cannot be recorded
// cannot be trusted: the first failure is the run's.
type Recorder struct {
	Store   *store.Store
	Claimed bool          // out of the queue: where this host stops, another goes on
	begun   chan struct{} // closed when what follows is known, or will not be
	Run     store.Run
	ids     []int64 // the lane run of each outcome

	hold     func()          // ends this process's hold of the run
	stopping <-chan struct{} // closed when the host stops; nil: never

	mu      sync.Mutex
	late    time.Time      // when what cannot be recorded is given up
	err     error          // the first failure
	pending []store.Change // what waits for the next transaction
	next    chan struct{}  // closed when pending is safe
	timer   *time.Timer    // set while pending writes wait for others
	writing bool
}

// waitRun waits until the run is recorded; a zero one could not be.
func (r *Recorder) waitRun() store.Run { <-r.begun; return r.Run }

// Release waits until the run is recorded, and ends this process's hold of it.
func (r *Recorder) Release() { <-r.begun; r.hold() }

// WaitRunID waits for the run's id in the store, waitLaneID for that of outcome i;
// 0 when the run could not be recorded.
func (r *Recorder) WaitRunID() int64 { return r.waitRun().ID }

// WaitNumber waits for what people call the run; 0 when it could not be recorded.
func (r *Recorder) WaitNumber() int64 { return r.waitRun().Number }

// Expected is what the lanes of the repository took lately, by their ids; nil where
// that cannot be read.
func (r *Recorder) Expected() map[string]time.Duration {
	times, err := r.Store.LaneTimes(context.Background(), r.waitRun().RepoKey)
	if err != nil {
		return nil // it is for the eye alone
	}
	return times
}

func (r *Recorder) WaitLaneID(i int) int64 {
	if <-r.begun; i < len(r.ids) {
		return r.ids[i]
	}
	return 0
}

// New is a run as the store begins it.
func New(repo *hooks.Repo, j *gate.Run) store.NewRun {
	n := store.NewRun{RepoKey: repo.CommonDir(), RepoName: j.Repo, Gate: j.Gate, Remote: printable.Clean(j.Remote),
		Pusher: j.Asked.Pusher, Skip: j.Options.Reason(), At: j.Started}
	if j.Gate == "pre-receive" && j.Asked.Process != "" {
		n.Origin = "pre-receive:" + j.Asked.Push
	}
	for i, p := range j.Updates {
		n.Updates = append(n.Updates, store.Update{Ref: p.Ref, Old: p.Old, New: p.New, Base: p.Base, Forced: p.Forced,
			Protected: p.Protected, LanesRev: p.Rev, Lanes: storedLanes(p.LanesFile)})
		n.Lanes = append(n.Lanes, newLanes(j, i)...)
	}
	return n
}

// storedLanes is the file as the run's record keeps it.
func storedLanes(f gate.LanesFile) store.LanesFile {
	if f.Set == nil {
		return store.LanesFile{}
	}
	return store.LanesFile{Source: f.Set.Source, Text: f.Text}
}

// Begin records the run, its updates and the decision about every lane. It
// returns before that is done: a lane can be prepared meanwhile, and everything
// that it does outside this process waits for the record (see starting). A lane
// that two refs pick in the same way is recorded as picked once; for the other ref
// the decision names the first. Hold is called with the recorded run and returns a
// function that releases it.
func Begin(ctx context.Context, st *store.Store, repo *hooks.Repo, j *gate.Run,
	hold func(store.Run) (release func())) *Recorder {
	r := &Recorder{Store: st, begun: make(chan struct{}), hold: func() {}}
	n, notes := New(repo, j), Notes(j)
	go r.begin(context.WithoutCancel(ctx), hold, n, len(j.LaneRuns), notes)
	return r
}

func (r *Recorder) begin(ctx context.Context, hold func(store.Run) func(), n store.NewRun, lanes int,
	notes []store.Change) {
	defer close(r.begun)
	var run store.Run
	tried := 0
	err := r.Patiently(func() (err error) {
		run, err = r.Store.Begin(ctx, n)
		if tried++; errors.Is(err, store.ErrKnown) {
			run, err = r.known(ctx, n, run, tried > 1)
		}
		return err
	})
	if err == nil {
		r.hold = hold(run)
	}
	if err == nil && len(run.Lanes) != lanes {
		err = fmt.Errorf("internal error: %d lane runs recorded for %d planned", len(run.Lanes), lanes)
	}
	if err != nil {
		r.failed(err)
		return
	}
	r.Run = run
	for _, l := range run.Lanes {
		r.ids = append(r.ids, l.ID)
	}
	r.Later(ctx, notes...)
}

// known answers a run whose push has one already. It is the one that an
// earlier try began, whose answer was lost; else the hook's caller is a server
// that outlives a push and was given the same lines again: the name goes over.
func (r *Recorder) known(ctx context.Context, n store.NewRun, run store.Run, again bool) (store.Run, error) {
	if again && run.Host == store.ThisHost() && run.Queued.Equal(n.At.Truncate(time.Millisecond)) {
		return run, nil
	}
	n.Retakes = true
	return r.Store.Begin(ctx, n)
}

// Notes are the notes about the push as a whole.
func Notes(j *gate.Run) []store.Change {
	var all []store.Change
	for _, b := range j.Bypasses {
		all = append(all, store.Event{Kind: "bypass", Message: b})
	}
	for _, p := range j.Updates {
		for _, note := range p.Notes {
			all = append(all, store.Event{Kind: "lanes file", Message: note})
		}
		if p.Refusal != "" {
			all = append(all, store.Event{Kind: "refused", Message: p.Refusal})
		}
	}
	return all
}

// newLanes lists the decisions about the lanes of update i in file order; the
// picked ones are in the order of the outcomes.
func newLanes(j *gate.Run, i int) []store.NewLane {
	planned := map[string]bool{}
	for _, o := range j.LaneRuns {
		if o.Update == i {
			planned[o.Lane().ID] = true
		}
	}
	var all []store.NewLane
	for _, p := range j.Updates[i].Picked {
		reason := p.Reason
		if p.Picked && !planned[p.Lane.ID] {
			reason = "judged once for several refs: " + reason
		}
		all = append(all, store.NewLane{Update: i, Lane: p.Lane.ID, Title: p.Lane.Title, Picked: planned[p.Lane.ID],
			Path: p.Path, Glob: p.Glob, Reason: reason, Plugin: p.Lane.Plugin, Required: p.Lane.Required,
			Supersede: p.Lane.Supersede, Group: p.Lane.ConcurrencyGroup})
	}
	return all
}

// batchDelay is how long a non-urgent write waits to share a transaction: ten
// lanes that end together, and the run's own end, need only one.
const batchDelay = 3 * time.Millisecond

// Record keeps changes and returns when they are safe.
func (r *Recorder) Record(ctx context.Context, changes ...store.Change) {
	safe := r.add(changes)
	r.flush(ctx)
	<-safe
}

// Later keeps changes soon.
func (r *Recorder) Later(ctx context.Context, changes ...store.Change) {
	if len(changes) == 0 {
		return
	}
	r.add(changes)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil && !r.writing {
		ctx = context.WithoutCancel(ctx)
		r.timer = time.AfterFunc(batchDelay, func() { r.flush(ctx) })
	}
}

func (r *Recorder) add(changes []store.Change) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, changes...)
	if r.next == nil {
		r.next = make(chan struct{})
	}
	return r.next
}

// flush sees to it that what waits is written now.
func (r *Recorder) flush(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if !r.writing {
		r.writing = true
		go r.write(context.WithoutCancel(ctx))
	}
}

// write keeps what waits, batch by batch, until nothing does.
func (r *Recorder) write(ctx context.Context) {
	id := r.WaitRunID()
	for {
		r.mu.Lock()
		batch, done := r.pending, r.next
		r.pending, r.next = nil, nil
		if len(batch) == 0 {
			r.writing = false
			if done != nil {
				close(done)
			}
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if id != 0 && r.failure() == nil { // after a gap nothing more would fit
			r.failed(r.Patiently(func() error { return r.Store.Record(ctx, id, batch...) }))
		}
		close(done)
	}
}

// Patience is how long a failed write is tried again while a pusher waits, or while
// the host stops. For a queued run there is no limit: its verdict must not be lost
// because of a full disk.
const Patience = 10 * time.Second

// Patiently does a write, and does it again while the store fails.
func (r *Recorder) Patiently(write func() error) error {
	began := time.Now()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := write()
		if !store.Transient(err) || !r.waits(began, wait) {
			return err
		}
	}
}

// waits pauses before the next try; false: there is none.
func (r *Recorder) waits(began time.Time, wait time.Duration) bool {
	if !r.Claimed {
		if time.Since(began)+wait > Patience {
			return false
		}
		time.Sleep(wait)
		return true
	}
	select {
	case <-time.After(wait):
	case <-r.stopping:
		time.Sleep(wait)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late.IsZero() && isClosed(r.stopping) {
		r.late = time.Now().Add(Patience)
	}
	return r.late.IsZero() || time.Now().Before(r.late)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (r *Recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Recorder) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// Starting is recorded before a lane touches anything outside this process:
// an intent that a killed host leaves is found by the next one.
func (r *Recorder) Starting(ctx context.Context, i int, o *gate.LaneRun, why, log string) {
	id := r.WaitLaneID(i)
	r.Record(ctx, store.Move{LaneRun: id, From: store.Queued, To: store.Starting, At: o.Started, Message: why},
		store.Facts{LaneRun: id, Digest: o.Digest, Log: log},
		store.Move{LaneRun: id, From: store.Starting, To: store.Running, At: o.Started})
}

// Event adds a line to the history of lane run i.
func (r *Recorder) Event(ctx context.Context, i int, lane, kind, message string) {
	r.Record(ctx, store.Event{LaneRun: r.WaitLaneID(i), Lane: lane, Kind: kind, Message: message})
}

// Lane records how outcome i ended, with all it went through where nothing
// was recorded before: a lane without containers costs one transaction.
func (r *Recorder) Lane(ctx context.Context, i int, o *gate.LaneRun, recorded bool) {
	id := r.WaitLaneID(i)
	from := store.Queued
	var changes []store.Change
	switch {
	case recorded:
		from = store.Running
	case o.State != store.Skipped && o.State != store.Cancelled && !o.Started.IsZero():
		changes = append(changes,
			store.Move{LaneRun: id, From: store.Queued, To: store.Starting, At: o.Started},
			store.Move{LaneRun: id, From: store.Starting, To: store.Running, At: o.Started})
		from = store.Running
	}
	changes = append(changes, store.Facts{LaneRun: id, Digest: o.Digest, Image: o.Image, CachedFrom: o.CachedFrom},
		store.Result{LaneRun: id, From: from, State: o.State, At: o.Ended, Message: o.Message,
			Findings: storedFindings(o), Artifacts: o.Artifacts,
			Log: store.File{Path: o.Log, Size: o.LogSize, SHA256: o.LogSum}})
	r.Later(ctx, changes...)
}

// Retry opens the next attempt of lane run i.
func (r *Recorder) Retry(ctx context.Context, i int, why string) {
	r.Record(ctx) // the attempt that ended comes first
	var next store.LaneRun
	err := r.Patiently(func() (err error) {
		next, err = r.Store.Retry(ctx, r.WaitRunID(), r.WaitLaneID(i), "infrastructure error: "+why)
		return err
	})
	if err == nil {
		r.ids[i] = next.ID
	}
	r.failed(err)
}

func storedFindings(o *gate.LaneRun) []store.Finding {
	var all []store.Finding
	for _, f := range o.Findings {
		all = append(all, store.Finding{Path: f.Path, Line: f.Line, Col: f.Col, Level: f.Level, Rule: f.Rule,
			Message: f.Message})
	}
	return all
}

// End records the run's verdict.
func (r *Recorder) End(ctx context.Context, j *gate.Run) error {
	r.Record(ctx, store.End{State: j.State(), Exit: j.Exit(), At: j.Ended})
	j.Number = r.Run.Number
	return r.failure()
}

// Resumed is the recorder of a claimed run, until stopping is closed.
func Resumed(st *store.Store, run store.Run, stopping <-chan struct{}) *Recorder {
	r := Of(st.Holding(run), run)
	r.Claimed, r.stopping = true, stopping
	return r
}

// Of is the recorder of a run that the store has.
func Of(st *store.Store, run store.Run) *Recorder {
	r := &Recorder{Store: st, begun: make(chan struct{}), Run: run, hold: func() {}}
	for _, l := range store.Latest(run.Lanes) {
		r.ids = append(r.ids, l.ID)
	}
	close(r.begun)
	return r
}

// FindAddress looks up where the page shows the repository: by its name, where
// this is its first run.
func FindAddress(ctx context.Context, st *store.Store, j *gate.Run) (err error) {
	if j.Policy.URL == "" {
		return nil
	}
	if j.Address, err = st.Repositories().Address(ctx, j.GitDir); j.Address == "" {
		j.Address = j.Repo
	}
	return err
}
