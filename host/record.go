package host

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
)

// recorder keeps one run in the store as it goes on. What cannot be recorded
// cannot be trusted: the first failure is the run's.
type recorder struct {
	store *store.Store
	run   store.Run
	ids   []int64 // the lane run of each outcome

	mu      sync.Mutex
	err     error          // the first failure
	pending []store.Change // what waits for the transaction under way
	next    chan struct{}  // closed when pending is safe
	writing bool
}

// begin records the run, its updates and the decision about every lane,
// before anything is run. A lane that two refs ask for in the same way is
// recorded as picked once; for the other ref the decision names the first.
func (h *Host) begin(ctx context.Context, repo *hooks.Repo, call Call, j *Judgement) (*recorder, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := h.endAbandoned(ctx); err != nil {
		return nil, err
	}
	n := store.NewRun{RepoKey: repo.CommonDir(), RepoName: j.Repo, Gate: call.Gate, Remote: Clean(call.arg(0)),
		Pusher: call.pusher(), Skip: j.wishes.reason(), At: j.Started}
	for i, p := range j.Updates {
		n.Updates = append(n.Updates, store.Update{Ref: p.Ref, Old: p.Old, New: p.New, Base: p.Base, Forced: p.Forced})
		n.Lanes = append(n.Lanes, newLanes(j, i)...)
	}
	if j.Bypasses, err = bypasses(ctx, st, repo, call, j.Updates); err != nil {
		return nil, err
	}
	run, err := st.Begin(ctx, n)
	if err != nil {
		return nil, err
	}
	j.Number = run.Number
	r := &recorder{store: st, run: run}
	for _, b := range j.Bypasses {
		r.later(ctx, store.Event{Kind: "bypass", Message: b})
	}
	r.notes(ctx, j)
	for _, l := range run.Lanes {
		r.ids = append(r.ids, l.ID)
	}
	if len(r.ids) != len(j.Outcomes) {
		return nil, fmt.Errorf("internal error: %d lane runs recorded for %d planned", len(r.ids), len(j.Outcomes))
	}
	return r, nil
}

// notes keeps what was said about the push as a whole.
func (r *recorder) notes(ctx context.Context, j *Judgement) {
	for _, p := range j.Updates {
		for _, note := range p.Notes {
			r.later(ctx, store.Event{Kind: "lanes file", Message: note})
		}
		if p.Refusal != "" {
			r.later(ctx, store.Event{Kind: "refused", Message: p.Refusal})
		}
	}
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
			Path: p.Path, Glob: p.Glob, Reason: reason, Plugin: p.Lane.Plugin, Required: p.Lane.Required})
	}
	return all
}

// record keeps changes and returns when they are safe.
func (r *recorder) record(ctx context.Context, changes ...store.Change) {
	<-r.later(ctx, changes...)
}

// later keeps changes with all others that wait while an earlier transaction
// is written: ten lanes that end together cost two transactions, not ten. The
// channel is closed when they are safe.
func (r *recorder) later(ctx context.Context, changes ...store.Change) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, changes...)
	if r.next == nil {
		r.next = make(chan struct{})
	}
	if !r.writing {
		r.writing = true
		go r.write(context.WithoutCancel(ctx))
	}
	return r.next
}

// write keeps what waits, batch by batch, until nothing does.
func (r *recorder) write(ctx context.Context) {
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
		r.failed(r.store.Record(ctx, r.run.ID, batch...))
		close(done)
	}
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
func (r *recorder) starting(ctx context.Context, i int, o *Outcome, why string) {
	r.record(ctx, store.Move{LaneRun: r.ids[i], From: store.Queued, To: store.Starting, At: o.Started, Message: why},
		store.Facts{LaneRun: r.ids[i], Digest: o.Digest},
		store.Move{LaneRun: r.ids[i], From: store.Starting, To: store.Running, At: o.Started})
}

// event adds a line to the history of lane run i.
func (r *recorder) event(ctx context.Context, i int, lane, kind, message string) {
	r.record(ctx, store.Event{LaneRun: r.ids[i], Lane: lane, Kind: kind, Message: message})
}

// lane records how outcome i ended, with all it went through where nothing
// was recorded before: a lane without containers costs one transaction.
func (r *recorder) lane(ctx context.Context, i int, o *Outcome, recorded bool) {
	id := r.ids[i]
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
	next, err := r.store.Retry(ctx, r.run.ID, r.ids[i], "the machinery broke: "+why)
	if err == nil {
		r.ids[i] = next.ID
		return
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
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// logPath is where an attempt's log lies: <state>/runs/<run>/<n>-<lane>.<attempt>.log.
func (h *Host) logPath(run int64, i int, lane string, attempt int) string {
	return filepath.Join(h.runFolder(run), fmt.Sprintf("%d-%s.%d.log", i, lane, attempt))
}

func (h *Host) runFolder(run int64) string {
	return filepath.Join(h.state, "runs", fmt.Sprint(run))
}
