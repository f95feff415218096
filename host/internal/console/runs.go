// Package console is what the command line asks of a host beside judging: its past
// runs and their logs, why lanes are picked, and how a plugin does in a real
// repository.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/sdk"
)

// ListRuns prints the newest runs of the call's repository.
func ListRuns(ctx context.Context, h *host.Host, call gate.Call, limit int, asJSON bool, w io.Writer) error {
	runs, err := RecentRuns(ctx, h, call, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return writeRuns(ctx, h, runs, w)
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
func RecentRuns(ctx context.Context, h *host.Host, call gate.Call, limit int) ([]store.Run, error) {
	st, repo, err := history(ctx, h, call)
	if err != nil {
		return nil, err
	}
	return st.Runs(ctx, store.Filter{RepoKey: repo, Limit: limit})
}

// history opens the store and names the call's repository in it.
func history(ctx context.Context, h *host.Host, call gate.Call) (*store.Store, string, error) {
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

// writeRuns prints stored runs as JSON, bounded where many are listed.
func writeRuns(ctx context.Context, h *host.Host, runs []store.Run, w io.Writer) error {
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	details, err := st.Details(ctx, runs, runjson.MaxListed)
	if err != nil {
		return err
	}
	all := []runjson.Run{}
	for _, d := range details {
		all = append(all, runjson.Of(d).WithPaths(d).Bounded())
	}
	return report.Indented(w, all)
}

// ShowRun prints one run in full: its lanes, their findings, every decision.
func ShowRun(ctx context.Context, h *host.Host, call gate.Call, which string, asJSON bool, w io.Writer) error {
	st, run, _, err := findRun(ctx, h, call, which)
	if err != nil {
		return err
	}
	if asJSON {
		return report.RunJSON(ctx, st, run, w)
	}
	events, err := st.Events(ctx, run.ID)
	if err != nil {
		return err
	}
	findings, err := st.Findings(ctx, run.ID)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, runLine(run))
	for _, l := range run.Lanes {
		files, err := st.Artifacts(ctx, l.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %-9s  %s  %s  %s\n", l.State, l.Lane, printable.Elapsed(max(0, l.Ended.Sub(l.Started))),
			printable.FirstLine(l.Message))
		for _, f := range findings {
			if f.LaneRun == l.ID {
				fmt.Fprintf(w, "    %s\n", report.FindingLine(wireFinding(f)))
			}
		}
		for _, f := range files {
			fmt.Fprintf(w, "    artifact %s  %s\n", printable.Clean(runjson.Shown(f.Name)), printable.Bytes(f.Size))
		}
	}
	fmt.Fprintln(w, "decisions:")
	for _, e := range events {
		fmt.Fprintln(w, "  "+eventLine(e))
	}
	return nil
}

// WholeRun is a run in its JSON form, with the paths of its files.
func WholeRun(ctx context.Context, h *host.Host, call gate.Call, which string) (runjson.Run, error) {
	st, run, _, err := findRun(ctx, h, call, which)
	if err != nil {
		return runjson.Run{}, err
	}
	details, err := st.Details(ctx, []store.Run{run}, 0)
	if err != nil {
		return runjson.Run{}, err
	}
	return runjson.Of(details[0]).WithPaths(details[0]), nil
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
func findRun(ctx context.Context, h *host.Host, call gate.Call,
	which string) (*store.Store, store.Run, store.Address, error) {
	at, err := store.ParseAddress(which)
	if err != nil {
		return nil, store.Run{}, at, problem.Usage(err)
	}
	st, repo, err := history(ctx, h, call)
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
func Logs(ctx context.Context, h *host.Host, call gate.Call, which string) ([]StoredLog, error) {
	_, run, at, err := findRun(ctx, h, call, which)
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

// CancelRun and RerunRun are Cancel and Rerun of a run named on the command
// line; they say what was done.
func CancelRun(ctx context.Context, h *host.Host, call gate.Call, which string) (store.Run, error) {
	_, run, _, err := findRun(ctx, h, call, which)
	if err != nil {
		return run, err
	}
	if err := h.Cancel(ctx, run.ID, call.Who()); err != nil {
		return run, err
	}
	st, err := h.Store(ctx)
	if err != nil {
		return run, err
	}
	return st.RunByID(ctx, run.ID)
}

// RerunRun is Rerun of a run named on the command line.
func RerunRun(ctx context.Context, h *host.Host, call gate.Call, which string, failedOnly bool) (int64, error) {
	_, run, _, err := findRun(ctx, h, call, which)
	if err != nil {
		return 0, err
	}
	return h.Rerun(ctx, run.ID, failedOnly, call.Who())
}
