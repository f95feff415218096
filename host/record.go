package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
)

// recorder keeps one run in the store as it goes on. What cannot be recorded
// cannot be trusted: the first failure is the run's.
type recorder struct {
	store   *store.Store
	claimed bool          // out of the queue: where this host stops, another goes on
	begun   chan struct{} // closed when what follows is known, or will not be
	run     store.Run
	ids     []int64 // the lane run of each outcome

	release  func()          // of the run, which this process holds
	stopping <-chan struct{} // closed when the host is told to stop; nil: it is not asked

	mu      sync.Mutex
	late    time.Time      // when what cannot be recorded is given up
	err     error          // the first failure
	pending []store.Change // what waits for the next transaction
	next    chan struct{}  // closed when pending is safe
	timer   *time.Timer    // set while pending waits for company
	writing bool
}

// runID is the run's id in the store, laneID that of outcome i; 0 when the run
// could not be recorded.
func (r *recorder) runID() int64 { <-r.begun; return r.run.ID }

// number is what people call the run; 0 when it could not be recorded.
func (r *recorder) number() int64 { <-r.begun; return r.run.Number }

func (r *recorder) laneID(i int) int64 {
	if <-r.begun; i < len(r.ids) {
		return r.ids[i]
	}
	return 0
}

// begin records the run, its updates and the decision about every lane. It
// returns before that is done: a lane may be looked at meanwhile, and whatever
// it does outside this process waits for it (see starting). A lane that two
// refs ask for in the same way is recorded as picked once; for the other ref
// the decision names the first.
func (h *Host) begin(ctx context.Context, repo *hooks.Repo, call Call, j *Judgement) (*recorder, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.markAlive(); err != nil {
		return nil, err
	}
	if !h.resident { // which looks for them by itself
		if _, err := h.endAbandoned(ctx); err != nil {
			return nil, err
		}
	}
	if err := j.findAddress(ctx, st); err != nil {
		return nil, err
	}
	if j.Bypasses, err = bypasses(ctx, st, repo, call, j.Updates); err != nil {
		return nil, err
	}
	r := &recorder{store: st, begun: make(chan struct{}), release: func() {}}
	n, notes := newRun(repo, call, j), notesOf(j)
	go r.begin(context.WithoutCancel(ctx), h, n, len(j.Outcomes), notes)
	return r, nil
}

// findAddress looks up where the page shows the repository: by its name, where
// this is its first run.
func (j *Judgement) findAddress(ctx context.Context, st *store.Store) (err error) {
	if j.Policy.URL == "" {
		return nil
	}
	if j.Address, err = st.Address(ctx, j.GitDir); j.Address == "" {
		j.Address = j.Repo
	}
	return err
}

func newRun(repo *hooks.Repo, call Call, j *Judgement) store.NewRun {
	n := store.NewRun{RepoKey: repo.CommonDir(), RepoName: j.Repo, Gate: call.Gate, Remote: Clean(call.arg(0)),
		Pusher: call.pusher(), Skip: j.wishes.reason(), At: j.Started}
	if call.Gate == "pre-receive" && call.Getenv("PUSHLANE_PUSH") != "" {
		n.Origin = "pre-receive:" + call.pushID()
	}
	for i, p := range j.Updates {
		n.Updates = append(n.Updates, store.Update{Ref: p.Ref, Old: p.Old, New: p.New, Base: p.Base, Forced: p.Forced,
			Protected: p.Protected, LanesRev: p.Rev, Lanes: p.stored()})
		n.Lanes = append(n.Lanes, newLanes(j, i)...)
	}
	return n
}

// stored is the file as the run's record keeps it.
func (f lanesFile) stored() store.LanesFile {
	if f.Set == nil {
		return store.LanesFile{}
	}
	return store.LanesFile{Source: f.Set.Source, Text: f.Text}
}

func (r *recorder) begin(ctx context.Context, h *Host, n store.NewRun, lanes int, notes []store.Change) {
	defer close(r.begun)
	var run store.Run
	tried := 0
	err := r.patiently(func() (err error) {
		run, err = r.store.Begin(ctx, n)
		if tried++; errors.Is(err, store.ErrKnown) {
			run, err = r.known(ctx, n, run, tried > 1)
		}
		return err
	})
	if err == nil {
		r.release = h.held.hold(run.ID)
		h.noteRun(r.store, run.ID)
	}
	if err == nil && len(run.Lanes) != lanes {
		err = fmt.Errorf("internal error: %d lane runs recorded for %d planned", len(run.Lanes), lanes)
	}
	if err != nil {
		r.failed(err)
		return
	}
	r.run = run
	for _, l := range run.Lanes {
		r.ids = append(r.ids, l.ID)
	}
	r.later(ctx, notes...)
}

// known answers a run whose push has one already. It is the one that an
// earlier try began, whose answer was lost; else the hook's caller is a server
// that outlives a push and was given the same lines again: the name goes over.
func (r *recorder) known(ctx context.Context, n store.NewRun, run store.Run, again bool) (store.Run, error) {
	if again && run.Host == store.ThisHost() && run.Queued.Equal(n.At.Truncate(time.Millisecond)) {
		return run, nil
	}
	n.Retakes = true
	return r.store.Begin(ctx, n)
}

// notesOf is what was said about the push as a whole.
func notesOf(j *Judgement) []store.Change {
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
// picked ones stand in the order of the outcomes.
func newLanes(j *Judgement, i int) []store.NewLane {
	planned := map[string]bool{}
	for _, o := range j.Outcomes {
		if o.Update == i {
			planned[o.lane().ID] = true
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

// company is how long changes that nobody waits for wait for others: ten lanes
// that end together, and the run's own end, cost one transaction.
const company = 3 * time.Millisecond

// record keeps changes and returns when they are safe.
func (r *recorder) record(ctx context.Context, changes ...store.Change) {
	safe := r.add(changes)
	r.flush(ctx)
	<-safe
}

// later keeps changes soon.
func (r *recorder) later(ctx context.Context, changes ...store.Change) {
	if len(changes) == 0 {
		return
	}
	r.add(changes)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil && !r.writing {
		ctx = context.WithoutCancel(ctx)
		r.timer = time.AfterFunc(company, func() { r.flush(ctx) })
	}
}

func (r *recorder) add(changes []store.Change) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, changes...)
	if r.next == nil {
		r.next = make(chan struct{})
	}
	return r.next
}

// flush sees to it that what waits is written now.
func (r *recorder) flush(ctx context.Context) {
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
func (r *recorder) write(ctx context.Context) {
	id := r.runID()
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
			r.failed(r.patiently(func() error { return r.store.Record(ctx, id, batch...) }))
		}
		close(done)
	}
}

// patience is how long a write that fails is tried again while a pusher waits,
// or once the host is told to stop. A run out of the queue has all the time
// that there is: its verdict is not lost for a full disk.
const patience = 10 * time.Second

// patiently does a write, and does it again while the store fails.
func (r *recorder) patiently(write func() error) error {
	began := time.Now()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := write()
		if !store.Transient(err) || !r.waits(began, wait) {
			return err
		}
	}
}

// waits pauses before the next try; false: there is none.
func (r *recorder) waits(began time.Time, wait time.Duration) bool {
	if !r.claimed {
		if time.Since(began)+wait > patience {
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
		r.late = time.Now().Add(patience)
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

func (r *recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *recorder) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// starting is recorded before a lane touches anything outside this process:
// an intent that a killed host leaves is found by the next one.
func (r *recorder) starting(ctx context.Context, i int, o *Outcome, why, log string) {
	id := r.laneID(i)
	r.record(ctx, store.Move{LaneRun: id, From: store.Queued, To: store.Starting, At: o.Started, Message: why},
		store.Facts{LaneRun: id, Digest: o.Digest, Log: log},
		store.Move{LaneRun: id, From: store.Starting, To: store.Running, At: o.Started})
}

// event adds a line to the history of lane run i.
func (r *recorder) event(ctx context.Context, i int, lane, kind, message string) {
	r.record(ctx, store.Event{LaneRun: r.laneID(i), Lane: lane, Kind: kind, Message: message})
}

// lane records how outcome i ended, with all it went through where nothing
// was recorded before: a lane without containers costs one transaction.
func (r *recorder) lane(ctx context.Context, i int, o *Outcome, recorded bool) {
	id := r.laneID(i)
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
	changes = append(changes, store.Facts{LaneRun: id, Digest: o.Digest, Image: o.Image},
		store.Result{LaneRun: id, From: from, State: o.State, At: o.Ended, Message: o.Message,
			Findings: storedFindings(o), Artifacts: o.artifacts,
			Log: store.File{Path: o.Log, Size: o.logSize, SHA256: o.logSum}})
	r.later(ctx, changes...)
}

// retry opens the next attempt of lane run i.
func (r *recorder) retry(ctx context.Context, i int, why string) {
	r.record(ctx) // the attempt that ended comes first
	var next store.LaneRun
	err := r.patiently(func() (err error) {
		next, err = r.store.Retry(ctx, r.runID(), r.laneID(i), "infrastructure error: "+why)
		return err
	})
	if err == nil {
		r.ids[i] = next.ID
	}
	r.failed(err)
}

func storedFindings(o *Outcome) []store.Finding {
	var all []store.Finding
	for _, f := range o.Findings {
		all = append(all, store.Finding{Path: f.Path, Line: f.Line, Col: f.Col, Level: f.Level, Rule: f.Rule, Message: f.Message})
	}
	return all
}

// end records the run's verdict.
func (r *recorder) end(ctx context.Context, j *Judgement) error {
	r.record(ctx, store.End{State: j.State(), Exit: j.Exit(), At: j.Ended})
	j.Number = r.run.Number
	return r.failure()
}

// logPath is where an attempt's log lies: <state>/runs/<run>/<n>-<lane>.<attempt>.log.
func (h *Host) logPath(run int64, i int, lane string, attempt int) string {
	return filepath.Join(h.runFolder(run), fmt.Sprintf("%d-%s.%d.log", i, lane, attempt))
}

func (h *Host) runFolder(run int64) string {
	return filepath.Join(h.state, "runs", fmt.Sprint(run))
}
