package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/sarif"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// RunJSON is a run as --json prints it.
type RunJSON struct {
	Run        int64        `json:"run"` // number in its repository
	Repository string       `json:"repository"`
	Gate       string       `json:"gate"`
	Exit       int          `json:"exit"`
	Updates    []UpdateJSON `json:"updates"`
	Lanes      []LaneJSON   `json:"lanes"`
}

// UpdateJSON is one judged ref line.
type UpdateJSON struct {
	Ref  string `json:"ref"`
	Old  string `json:"old"`
	New  string `json:"new"`
	Base string `json:"base"`
}

// LaneJSON is one lane run.
type LaneJSON struct {
	ID         string        `json:"id"`
	Address    string        `json:"address"`
	Update     int           `json:"update"` // index into updates
	State      string        `json:"state"`
	Required   bool          `json:"required"`
	Reason     string        `json:"reason"` // why it was picked
	Path       string        `json:"path,omitempty"`
	Glob       string        `json:"glob,omitempty"`
	Message    string        `json:"message,omitempty"`
	Remembered int64         `json:"remembered,omitempty"` // number of the run whose verdict it is
	Millis     int64         `json:"millis"`
	Findings   []sdk.Finding `json:"findings"`
	Log        string        `json:"log,omitempty"`
	Plugin     string        `json:"plugin_digest,omitempty"`
	Image      string        `json:"image,omitempty"`
}

func writeJSON(w io.Writer, j gate.Run) error {
	run := RunJSON{Run: j.Number, Repository: j.Repo, Gate: j.Gate, Exit: j.Exit(), Updates: []UpdateJSON{},
		Lanes: []LaneJSON{}}
	for _, p := range j.Updates {
		run.Updates = append(run.Updates, UpdateJSON{Ref: printable.Clean(p.Ref), Old: p.Old, New: p.New, Base: p.Base})
	}
	for _, o := range j.Outcomes {
		run.Lanes = append(run.Lanes, LaneJSON{
			ID: o.Lane().ID, Address: o.Address, Update: o.Update, State: string(o.State), Required: o.Lane().Required,
			Reason: o.Picked.Reason, Path: o.Picked.Path, Glob: o.Picked.Glob, Message: o.Message,
			Millis: o.Ended.Sub(o.Started).Milliseconds(), Findings: append([]sdk.Finding{}, o.Findings...),
			Log: o.Log, Plugin: o.Digest, Image: o.Image, Remembered: o.Remembered,
		})
	}
	return Indented(w, run)
}

// Indented writes a value as JSON for people.
func Indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// ExplainJSON is what `pushlane lanes --explain --json` prints.
type ExplainJSON struct {
	Range   ExplainRange  `json:"range"`
	Lanes   []ExplainLane `json:"lanes"`             // in file order
	Nothing string        `json:"nothing,omitempty"` // why a push would change nothing; "" where it would
}

// ExplainRange names the two trees that were compared, as full object ids.
type ExplainRange struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// ExplainLane says whether a lane was picked and by what.
type ExplainLane struct {
	ID     string `json:"id"`
	Picked bool   `json:"picked"`
	Path   string `json:"path"`
	Glob   string `json:"glob"`
	Reason string `json:"reason"`
	Memory string `json:"memory,omitempty"` // of a picked lane: whether an earlier verdict would be used again, and why
}

// Explain turns a picking into its JSON form.
func Explain(old, new string, picked []lanes.Picked) ExplainJSON {
	e := ExplainJSON{Range: ExplainRange{Old: old, New: new}, Lanes: []ExplainLane{}}
	for _, p := range picked {
		e.Lanes = append(e.Lanes, ExplainLane{ID: p.Lane.ID, Picked: p.Picked, Path: p.Path, Glob: p.Glob, Reason: p.Reason})
	}
	return e
}

// The JUnit XML that CI systems read: one suite per run, one case per lane.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"` // seconds
	Stamp    string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Time    string     `xml:"time,attr"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
	Skipped *junitText `xml:"skipped"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, j gate.Run) error {
	suite := junitSuite{Name: "pushlane " + j.Repo, Tests: len(j.Outcomes), Time: seconds(j.Ended.Sub(j.Started)),
		Stamp: j.Started.UTC().Format(time.RFC3339)}
	for _, o := range j.Outcomes {
		c := junitCase{Name: o.Lane().ID, Class: o.Address, Time: seconds(o.Ended.Sub(o.Started))}
		text := &junitText{Message: o.Message, Text: strings.Join(findingLines(o), "\n")}
		switch o.State {
		case store.Failed:
			c.Failure = text
			suite.Failures++
		case store.Skipped:
			c.Skipped = text
			suite.Skipped++
		case store.Broken, store.Cancelled:
			c.Error = text
			suite.Errors++
		}
		suite.Cases = append(suite.Cases, c)
	}
	io.WriteString(w, xml.Header)
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", max(0, d).Seconds()) }

func findingLines(o gate.LaneRun) []string {
	var lines []string
	for _, f := range o.Findings {
		lines = append(lines, FindingLine(f))
	}
	if len(lines) == 0 {
		return o.Tail
	}
	return lines
}

// writeSARIF prints one SARIF run per lane, so that each keeps its own name.
func writeSARIF(w io.Writer, j gate.Run) error {
	log := sarif.Log{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarif.Run{}}
	for _, o := range j.Outcomes {
		run := sarif.Run{Results: []sarif.Result{}}
		run.Tool.Driver.Name = "pushlane/" + o.Lane().ID
		run.Tool.Driver.URI = "https://github.com/pushlane/pushlane"
		run.AutomationDetails.ID = o.Address
		for _, f := range o.Findings {
			run.Results = append(run.Results, sarifOf(o, f))
		}
		if len(o.Findings) == 0 && (o.State == store.Failed || o.State == store.Broken) {
			run.Results = append(run.Results, sarif.Result{RuleID: o.Lane().ID, Level: "error",
				Message: sarif.Message{Text: o.Message}})
		}
		log.Runs = append(log.Runs, run)
	}
	return Indented(w, log)
}

func sarifOf(o gate.LaneRun, f sdk.Finding) sarif.Result {
	r := sarif.Result{RuleID: f.Rule, Level: f.Level, Message: sarif.Message{Text: printable.Clean(f.Message)}}
	if r.RuleID == "" {
		r.RuleID = o.Lane().ID
	}
	if f.Path == "" {
		return r
	}
	var at sarif.Location
	at.Physical.Artifact.URI = printable.URIPath(f.Path)
	if f.Line > 0 {
		at.Physical.Region = &sarif.Region{StartLine: f.Line, StartColumn: f.Col}
	}
	r.Locations = []sarif.Location{at}
	return r
}
