// Package runjson is the one JSON form of a run: the command line prints it, the
// HTTP API answers with it and webhooks carry it. run.schema.json describes it.
package runjson

import (
	_ "embed"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Version is the value of "schema". It grows when a property changes its meaning
// or goes; a property may be added at any time.
const Version = 1

// Schema is the JSON Schema (draft 2020-12) of a run.
//
//go:embed run.schema.json
var Schema []byte

// Run is one run with everything that was recorded about it. Times are RFC 3339
// in UTC; one that has not come is left out.
type Run struct {
	Schema     int       `json:"schema"`
	ID         int64     `json:"id"`  // unique in its store
	Number     int64     `json:"run"` // in its repository; 0: nothing was judged, and no run recorded
	Repository string    `json:"repository"`
	Gate       string    `json:"gate"`
	State      string    `json:"state"`
	Exit       int       `json:"exit"`
	Message    string    `json:"message,omitempty"`
	Pusher     string    `json:"pusher,omitempty"`
	Remote     string    `json:"remote,omitempty"`
	Skip       string    `json:"skip_reason,omitempty"`
	RerunOf    int64     `json:"rerun_of,omitempty"`
	CancelBy   string    `json:"cancel_requested_by,omitempty"`
	Queued     time.Time `json:"queued,omitzero"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	QueuedMS   *int64    `json:"queued_ms,omitempty"`
	DurationMS *int64    `json:"duration_ms,omitempty"`
	Counts     Counts    `json:"counts"`
	Updates    []Update  `json:"updates"`
	LaneRuns   []LaneRun `json:"lane_runs"`
	Events     []Event   `json:"events"`

	URL        string `json:"url,omitempty"`        // of its page
	Event      string `json:"event,omitempty"`      // of a webhook
	Rerunnable bool   `json:"rerunnable,omitempty"` // for a client that may rerun it
}

// Counts are of all that was recorded, also of what a list leaves out.
type Counts struct {
	Updates  int `json:"updates"`
	Lanes    int `json:"lanes"`  // of each, its newest attempt
	Passed   int `json:"passed"` // of these
	LaneRuns int `json:"lane_runs"`
	Findings int `json:"findings"`
	Events   int `json:"events"`
}

// Update is one ref that the run judged.
type Update struct {
	Ref       string `json:"ref"`
	Old       string `json:"old"`
	New       string `json:"new"`
	Base      string `json:"base"`
	Forced    bool   `json:"forced"`
	Protected bool   `json:"protected"`
	LanesRev  string `json:"lanes_rev"`
}

// LaneRun is one attempt of one lane.
type LaneRun struct {
	Lane       string    `json:"lane"`
	Title      string    `json:"title"`
	Address    string    `json:"address"`
	Update     int       `json:"update"`
	Attempt    int       `json:"attempt"`
	State      string    `json:"state"`
	Required   bool      `json:"required"`
	Reason     string    `json:"reason"`
	Path       string    `json:"path,omitempty"`
	Glob       string    `json:"glob,omitempty"`
	Plugin     string    `json:"plugin"`
	Digest     string    `json:"plugin_digest,omitempty"`
	Image      string    `json:"image,omitempty"`
	Group      string    `json:"group,omitempty"`
	Message    string    `json:"message,omitempty"`
	CachedFrom int64     `json:"cached_from,omitempty"`
	Queued     time.Time `json:"queued,omitzero"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	DurationMS *int64    `json:"duration_ms,omitempty"`
	Log        *File     `json:"log,omitempty"`
	Artifacts  []File    `json:"artifacts"`
	Findings   []Finding `json:"findings"`
}

// File is a log or an artifact.
type File struct {
	Name   string `json:"name,omitempty"` // of an artifact
	Path   string `json:"path,omitempty"` // on the machine of the command line
	Size   int64  `json:"size"`           // bytes
	SHA256 string `json:"sha256,omitempty"`
}

// Finding is a message about a place in the tree.
type Finding struct {
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Col     int    `json:"col,omitempty"`
	Level   string `json:"level"`
	Rule    string `json:"rule,omitempty"`
	Message string `json:"message"`
}

// Event is one step of the run's history.
type Event struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Lane    string    `json:"lane,omitempty"`
	Kind    string    `json:"kind"`
	Message string    `json:"message,omitempty"`
}

// Page is where the page of a host shows a run, or one lane of it. Base is the
// policy's url; "" gives the path alone.
func Page(base, repository string, number int64, lane string) string {
	at := fmt.Sprintf("%s/r/%s/runs/%d", strings.TrimSuffix(base, "/"), url.PathEscape(repository), number)
	if lane != "" {
		at += "/" + url.PathEscape(lane)
	}
	return at
}

// Nothing is the form of a call that had nothing to judge and recorded no run.
func Nothing(repository, gate string) Run {
	return Run{Schema: Version, Repository: repository, Gate: gate, State: string(store.Passed), Updates: []Update{},
		LaneRuns: []LaneRun{}, Events: []Event{}}
}

// Of is the JSON form of a stored run.
func Of(d store.Detail) Run {
	r := d.Run
	run := Run{Schema: Version, ID: r.ID, Number: r.Number, Repository: r.RepoName, Gate: r.Gate, State: string(r.State),
		Exit: r.Exit, Message: r.Message, Pusher: r.Pusher, Remote: r.Remote, Skip: r.Skip, RerunOf: r.RerunOf,
		CancelBy: r.CancelBy, Queued: UTC(r.Queued), Started: UTC(r.Started), Ended: UTC(r.Ended),
		QueuedMS: between(r.Queued, r.Started), DurationMS: between(r.Started, r.Ended),
		Counts: Counts{Updates: len(r.Updates), Lanes: r.Total, Passed: r.Passed, LaneRuns: len(r.Lanes), Findings: d.Found,
			Events: d.Happened},
		Updates: []Update{}, LaneRuns: []LaneRun{}, Events: []Event{}}
	for _, u := range r.Updates {
		run.Updates = append(run.Updates, Update{u.Ref, u.Old, u.New, u.Base, u.Forced, r.ProtectedLanes(u), u.LanesRev})
	}
	at := map[int64]int{}
	for i, l := range r.Lanes {
		at[l.ID] = i
		run.LaneRuns = append(run.LaneRuns, laneRun(r, l))
	}
	for _, f := range d.Findings {
		l := &run.LaneRuns[at[f.LaneRun]]
		l.Findings = append(l.Findings, Finding{f.Path, f.Line, f.Col, f.Level, f.Rule, f.Message})
	}
	for _, a := range d.Artifacts {
		l := &run.LaneRuns[at[a.LaneRun]]
		l.Artifacts = append(l.Artifacts, File{Name: a.Name, Size: a.Size, SHA256: a.SHA256})
	}
	for _, e := range d.Events {
		run.Events = append(run.Events, Event{e.Seq, UTC(e.At), e.Lane, strings.ReplaceAll(e.Kind, " ", "_"), e.Message})
	}
	return run
}

func laneRun(r store.Run, l store.LaneRun) LaneRun {
	update := max(0, l.Update)
	address := store.Address{Repo: r.RepoName, Lane: l.Lane}
	if update < len(r.Updates) {
		address.Commit = r.Updates[update].New[:min(7, len(r.Updates[update].New))]
	}
	lane := LaneRun{Lane: l.Lane, Title: l.Title, Address: address.String(), Update: update, Attempt: l.Attempt,
		State: string(l.State), Required: l.Required, Reason: l.Reason, Path: l.Path, Glob: l.Glob, Plugin: l.Plugin,
		Digest: l.Digest, Image: l.Image, Group: l.Group, Message: l.Message, CachedFrom: l.CachedFrom,
		Queued: UTC(l.Queued), Started: UTC(l.Started), Ended: UTC(l.Ended), DurationMS: between(l.Started, l.Ended),
		Artifacts: []File{}, Findings: []Finding{}}
	if l.Log.SHA256 != "" {
		lane.Log = &File{Size: l.Log.Size, SHA256: l.Log.SHA256}
	}
	return lane
}

// WithPaths adds where the logs and artifacts are on this machine.
func (r Run) WithPaths(d store.Detail) Run {
	at := map[int64]int{}
	for i, l := range d.Run.Lanes {
		at[l.ID] = i
		if r.LaneRuns[i].Log != nil {
			r.LaneRuns[i].Log.Path = l.Log.Path
		}
	}
	next := map[int]int{}
	for _, a := range d.Artifacts {
		i := at[a.LaneRun]
		r.LaneRuns[i].Artifacts[next[i]].Path = a.Path
		next[i]++
	}
	return r
}

// UTC keeps the zero time zero.
func UTC(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return at.UTC()
}

// between is in milliseconds; nil where one of the times has not come.
func between(from, to time.Time) *int64 {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	ms := max(0, to.Sub(from).Milliseconds())
	return &ms
}
