package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

// functions are what templates may call.
func functions() template.FuncMap {
	return template.FuncMap{
		"short":   func(id string) string { return id[:min(7, len(id))] },
		"ref":     refName,
		"took":    took,
		"when":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"stamp":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"verdict": verdict,
		"plural":  plural,
		"esc":     url.PathEscape,
		"path":    escapePath,
		"zero":    func(t time.Time) bool { return t.IsZero() },
		"clean":   func(text string) string { return strings.Map(keepLines, text) },
		"marker":  func() template.HTML { return streamed },
		"line":    func(text string) template.HTML { return colored(text) },
	}
}

// escapePath escapes the parts of a path, as of an artifact or a branch. In an
// unescaped one html/template leaves %, ? and # as they are.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// keepLines is printable with line ends.
func keepLines(r rune) rune {
	if r == '\n' {
		return r
	}
	return printable(r)
}

func refName(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/")
}

// verdict is the run in a few words next to its state: "refused", "accepted".
func verdict(r store.Run) string {
	switch {
	case !r.State.Final() || r.Gate != "pre-receive" && r.Gate != "pre-push":
		return ""
	case r.Exit == 0:
		return "accepted"
	}
	return "refused"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// took is a time that people read: "800ms", "12.4s", "2m 37s", "1h 5m".
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "0ms"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
}

// page is what every template gets.
type page struct {
	Title   string
	Visitor visitor
	Live    bool // the page is loaded again when something changed
	Data    any
}

// Form is the text that a form of this page brings back.
func (p page) Form() string { return p.Visitor.form }

// MayRun tells whether the visitor may cancel and rerun.
func (p page) MayRun() bool { return p.Visitor.Scope >= scopeRun }

// runView is one run in a list or on its page.
type runView struct {
	store.Run
	Slug string // of its repository
}

// Link is the page of the run.
func (r runView) Link() string { return runjson.Page("", r.Slug, r.Number, "") }

// Head is the commit that the run is about.
func (r runView) Head() string {
	if len(r.Updates) == 0 {
		return ""
	}
	return r.Updates[0].New
}

// Waited is how long the run was queued, Ran how long it has been running.
func (r runView) Waited() time.Duration {
	if r.Started.IsZero() {
		if r.State.Final() {
			return r.Ended.Sub(r.Queued)
		}
		return time.Since(r.Queued)
	}
	return r.Started.Sub(r.Queued)
}

func (r runView) Ran() time.Duration {
	switch {
	case r.Started.IsZero():
		return 0
	case r.Ended.IsZero():
		return time.Since(r.Started)
	}
	return r.Ended.Sub(r.Started)
}

// Headline is the run in one line, as in "run #102 passed · 10 passed ·
// queued 1m 36s · ran 2m 37s".
func (r runView) Headline() string {
	return fmt.Sprintf("run #%d %s · %d passed · queued %s · ran %s", r.Number, r.State, r.Passed,
		took(r.Waited()), took(r.Ran()))
}

// laneView is one lane run, its newest attempt first.
type laneView struct {
	store.LaneRun
	Earlier   []store.LaneRun
	Findings  []store.Finding
	Artifacts []store.File
	Link      string
	Waiting   string // why it has not begun
}

func (l laneView) Ran() time.Duration {
	switch {
	case l.Started.IsZero():
		return 0
	case l.Ended.IsZero():
		return time.Since(l.Started)
	}
	return l.Ended.Sub(l.Started)
}

// streamed is where the lines go that are written as they are read. No text
// that a template escapes can hold it.
const streamed template.HTML = "\x00the lines\x00"
