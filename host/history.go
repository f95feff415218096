package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/sdk"
)

// ListRuns prints the newest runs of the call's repository.
func (h *Host) ListRuns(ctx context.Context, call gate.Call, limit int, asJSON bool, w io.Writer) error {
	runs, err := h.RecentRuns(ctx, call, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return report.Indented(w, runsJSON(runs))
	}
	if len(runs) == 0 {
		fmt.Fprintln(w, "no runs yet: push, or try: pushlane run")
	}
	for _, r := range runs {
		fmt.Fprintln(w, runLine(r))
	}
	return nil
}

// RecentRuns are the newest runs of the call's repository, at most limit.
func (h *Host) RecentRuns(ctx context.Context, call gate.Call, limit int) ([]store.Run, error) {
	st, repo, err := h.history(ctx, call)
	if err != nil {
		return nil, err
	}
	return st.Runs(ctx, store.Filter{RepoKey: repo, Limit: limit})
}

// history opens the store and names the call's repository in it.
func (h *Host) history(ctx context.Context, call gate.Call) (*store.Store, string, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return nil, "", err
	}
	defer repo.Close()
	st, err := h.Store(ctx)
	return st, repo.CommonDir(), err
}

// runLine is one run: number, state, gate, what was judged, times, bypass.
func runLine(r store.Run) string {
	line := fmt.Sprintf("#%d  %-9s  %-12s  %s  %s", r.Number, r.State, r.Gate,
		r.Queued.Local().Format("2006-01-02 15:04:05"), updateWords(r))
	if waited := r.Started.Sub(r.Queued); !r.Started.IsZero() && waited >= time.Second {
		line += "  queued " + printable.Elapsed(waited)
	}
	if !r.Ended.IsZero() && !r.Started.IsZero() {
		line += "  " + printable.Elapsed(r.Ended.Sub(r.Started))
	}
	if r.RerunOf != 0 {
		line += fmt.Sprintf("  again #%d", r.RerunOf)
	}
	if r.Skip != "" {
		line += "  lanes skipped: " + printable.Clean(r.Skip)
	}
	return line
}

func updateWords(r store.Run) string {
	var words []string
	for _, u := range r.Updates {
		words = append(words, report.RangeWord(gate.Update{
			Update: hooks.Update{Ref: u.Ref, Old: u.Old, New: u.New, Base: u.Base, Forced: u.Forced}}))
	}
	return strings.Join(words, ", ")
}

// runRecord is a stored run as --json prints it.
type runRecord struct {
	Run     int64               `json:"run"`
	State   string              `json:"state"`
	Gate    string              `json:"gate"`
	Remote  string              `json:"remote,omitempty"`
	Pusher  string              `json:"pusher,omitempty"`
	Exit    int                 `json:"exit"`
	Skip    string              `json:"skip_reason,omitempty"`
	RerunOf int64               `json:"rerun_of,omitempty"`
	Cancel  string              `json:"cancel_asked_by,omitempty"`
	Message string              `json:"message,omitempty"`
	Queued  time.Time           `json:"queued"`
	Started time.Time           `json:"started,omitzero"`
	Ended   time.Time           `json:"ended,omitzero"`
	Updates []report.UpdateJSON `json:"updates"`
	Lanes   []laneRecord        `json:"lanes,omitempty"`
	Events  []string            `json:"events,omitempty"`
}

type laneRecord struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Attempt int    `json:"attempt"`
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
	Plugin  string `json:"plugin"`
	Digest  string `json:"plugin_digest,omitempty"`
	Image   string `json:"image,omitempty"`
	Millis  int64  `json:"millis"`
	Log     string `json:"log,omitempty"`
}

func runsJSON(runs []store.Run) []runRecord {
	all := []runRecord{}
	for _, r := range runs {
		all = append(all, recordOf(r))
	}
	return all
}

func recordOf(r store.Run) runRecord {
	rec := runRecord{Run: r.Number, State: string(r.State), Gate: r.Gate, Remote: r.Remote, Pusher: r.Pusher,
		Exit: r.Exit, Skip: r.Skip, RerunOf: r.RerunOf, Cancel: r.CancelBy, Message: r.Message, Queued: r.Queued.UTC(),
		Started: r.Started.UTC(), Ended: r.Ended.UTC(), Updates: []report.UpdateJSON{}}
	for _, u := range r.Updates {
		rec.Updates = append(rec.Updates, report.UpdateJSON{Ref: printable.Clean(u.Ref), Old: u.Old, New: u.New,
			Base: u.Base})
	}
	for _, l := range r.Lanes {
		rec.Lanes = append(rec.Lanes, laneRecord{ID: l.Lane, State: string(l.State), Attempt: l.Attempt, Reason: l.Reason,
			Message: l.Message, Plugin: l.Plugin, Digest: l.Digest, Image: l.Image,
			Millis: max(0, l.Ended.Sub(l.Started).Milliseconds()), Log: l.Log.Path})
	}
	return rec
}

// ShowRun prints one run in full: its lanes, their findings, every decision.
func (h *Host) ShowRun(ctx context.Context, call gate.Call, which string, asJSON bool, w io.Writer) error {
	st, run, _, err := h.findRun(ctx, call, which)
	if err != nil {
		return err
	}
	events, err := st.Events(ctx, run.ID)
	if err != nil {
		return err
	}
	if asJSON {
		rec := recordOf(run)
		for _, e := range events {
			rec.Events = append(rec.Events, eventLine(e))
		}
		return report.Indented(w, rec)
	}
	findings, err := st.Findings(ctx, run.ID)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, runLine(run))
	for _, l := range run.Lanes {
		fmt.Fprintf(w, "  %-9s  %s  %s  %s\n", l.State, l.Lane, printable.Elapsed(max(0, l.Ended.Sub(l.Started))),
			printable.FirstLine(l.Message))
		for _, f := range findings {
			if f.LaneRun == l.ID {
				fmt.Fprintf(w, "    %s\n", report.FindingLine(wireFinding(f)))
			}
		}
	}
	fmt.Fprintln(w, "decisions:")
	for _, e := range events {
		fmt.Fprintln(w, "  "+eventLine(e))
	}
	return nil
}

func eventLine(e store.Event) string {
	line := e.At.UTC().Format("15:04:05.000")
	if e.Lane != "" {
		line += " " + e.Lane
	}
	line += " " + e.Kind
	if e.Message != "" {
		line += ": " + printable.Clean(e.Message)
	}
	return line
}

// findRun reads an address, "last" or a number, with or without a lane.
func (h *Host) findRun(ctx context.Context, call gate.Call,
	which string) (*store.Store, store.Run, store.Address, error) {
	at, err := store.ParseAddress(which)
	if err != nil {
		return nil, store.Run{}, at, problem.Usage(err)
	}
	st, repo, err := h.history(ctx, call)
	if err != nil {
		return nil, store.Run{}, at, err
	}
	whole := at
	whole.Lane = "" // a lane that the run has not is the caller's to say
	run, err := st.Find(ctx, repo, whole)
	if errors.Is(err, store.ErrNoRun) {
		return nil, run, at, problem.Usage(problem.WithHint(fmt.Errorf("cannot show run %s: %w", which, store.ErrNoRun),
			"see them with: pushlane runs"))
	}
	if errors.As(err, new(*store.AmbiguousError)) {
		err = problem.Usage(err)
	}
	return st, run, at, err
}

func wireFinding(f store.Finding) sdk.Finding {
	return sdk.Finding{Path: f.Path, Line: f.Line, Col: f.Col, Level: f.Level, Rule: f.Rule, Message: f.Message}
}

// StoredLog names one lane's log of a past run.
type StoredLog struct {
	Lane, State, Message, Path string
}

// Logs finds the logs that an address names, in lane order.
func (h *Host) Logs(ctx context.Context, call gate.Call, which string) ([]StoredLog, error) {
	_, run, at, err := h.findRun(ctx, call, which)
	if err != nil {
		return nil, err
	}
	var all []StoredLog
	for _, l := range run.Lanes {
		if at.Lane == "" || at.Lane == l.Lane {
			log := StoredLog{Lane: l.Lane, State: string(l.State), Message: printable.FirstLine(l.Message), Path: l.Log.Path}
			if _, err := os.Stat(log.Path); err != nil && l.Log.SHA256 == "" {
				log.Path = "" // a host that was killed before the lane's first line
			}
			all = append(all, log)
		}
	}
	if len(all) == 0 {
		return nil, problem.Usage(problem.WithHint(fmt.Errorf("cannot show log %s: run #%d has no such lane", which,
			run.Number), fmt.Sprintf("see them with: pushlane runs %d", run.Number)))
	}
	return all, nil
}
