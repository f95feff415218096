package lanerun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/sarif"
	"github.com/pushlane/pushlane/sdk"
)

// Result is the output of one call of a plugin.
type Result struct {
	Findings   []sdk.Finding
	Containers []sdk.Container
	artifacts  []string // names below /out
	progress   []string
	Verdict    string // pass, fail, skip; empty: the exit status alone
	Reason     string
	Talk       []byte // lines of standard output that are not findings: for the log
	total      int    // findings, those included that are above the limit
	errors     int    // of the total, those of level error
	places     bool   // the output is of a kind that names places
}

// shown is how many findings there are, where some were left out.
func (a Result) shown() string {
	if a.total <= len(a.Findings) {
		return ""
	}
	return fmt.Sprintf("%d findings, the first %d are shown", a.total, len(a.Findings))
}

// ReadResult reads standard output as the manifest says it is written: jsonl,
// sarif, gnu or text. Garbage is an error, never an empty answer.
func ReadResult(output string, stdout []byte, limit int) (Result, error) {
	var a Result
	var err error
	switch output {
	case "jsonl":
		err = a.readRecords(stdout)
	case "sarif":
		a.places = true
		err = a.readSARIF(stdout)
	case "gnu":
		a.places = true
		a.readGNU(stdout)
	case "text":
		a.Talk = stdout
	default:
		err = fmt.Errorf("cannot read output: unknown output %q", output)
	}
	a.count(limit)
	for i := range a.Findings {
		if err == nil {
			err = checkFinding(&a.Findings[i])
		}
	}
	return a, err
}

// count notes how many findings there are and cuts them at the limit.
func (a *Result) count(limit int) {
	a.total, a.errors = len(a.Findings), 0
	for _, f := range a.Findings {
		if f.Level == "error" {
			a.errors++
		}
	}
	a.Findings = a.Findings[:min(len(a.Findings), limit)]
}

func (a *Result) readRecords(stdout []byte) error {
	for n := 1; len(stdout) > 0; n++ {
		var line []byte
		line, stdout, _ = bytes.Cut(stdout, []byte("\n"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if len(line) > config.MaxRecord {
			return fmt.Errorf("cannot read output: line %d of standard output is longer than %d bytes", n, config.MaxRecord)
		}
		record, err := sdk.ParseRecord(line)
		if err != nil {
			return problem.WithHint(fmt.Errorf("cannot read output: line %d of standard output is not a record: %w: %s", n, err,
				printable.Clean(string(line[:min(len(line), 80)]))),
				"print messages for people to standard error")
		}
		if err := a.add(record); err != nil {
			return fmt.Errorf("cannot read output: line %d of standard output: %w", n, err)
		}
	}
	return nil
}

func (a *Result) add(r sdk.Record) error {
	switch {
	case r.Type == "finding" && r.Finding != nil:
		a.Findings = append(a.Findings, *r.Finding)
	case r.Type == "container" && r.Container != nil:
		a.Containers = append(a.Containers, *r.Container)
	case r.Type == "artifact" && r.Path != "":
		a.artifacts = append(a.artifacts, r.Path)
	case r.Type == "progress":
		a.progress = append(a.progress, r.Message)
	case r.Type == "verdict" && (r.Verdict == "pass" || r.Verdict == "fail" || r.Verdict == "skip"):
		if a.Verdict != "" {
			return fmt.Errorf("a second verdict")
		}
		a.Verdict, a.Reason = r.Verdict, printable.CleanText(r.Message)
	case !slices.Contains([]string{"finding", "container", "artifact", "verdict"}, r.Type):
		return fmt.Errorf("unknown record type %q", printable.Clean(r.Type))
	default:
		return fmt.Errorf("a record of type %q without its value", printable.Clean(r.Type))
	}
	return nil
}

// checkFinding cleans a finding's text; its path must be one a tree can hold.
func checkFinding(f *sdk.Finding) error {
	switch f.Level {
	case "error", "warning", "note":
	default:
		return fmt.Errorf("cannot use output: a finding of level %q, want error, warning or note", printable.Clean(f.Level))
	}
	if f.Path != "" && (path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == ".." ||
		strings.HasPrefix(f.Path, "../")) {
		return fmt.Errorf("cannot use output: a finding at %q, want a path below the tree's top", f.Path)
	}
	if f.Line < 0 || f.Col < 0 {
		return fmt.Errorf("cannot use output: a finding at line %d, column %d", f.Line, f.Col)
	}
	f.Message, f.Rule = printable.CleanText(f.Message), printable.Clean(f.Rule)
	return nil
}

var gnuLine = regexp.MustCompile(`^([^:\n]+):(\d+):(?:(\d+):)?\s*(?:(error|warning|note|info)\s*:)?\s*(.+)$`)

// readGNU takes "file:line:col: level: message" lines; other lines are talk.
func (a *Result) readGNU(stdout []byte) {
	for line := range strings.Lines(string(stdout)) {
		m := gnuLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			a.Talk = append(a.Talk, line...)
			continue
		}
		n, _ := strconv.Atoi(m[2])
		col, _ := strconv.Atoi(m[3])
		level := map[string]string{"": "error", "info": "note"}[m[4]]
		if level == "" {
			level = m[4]
		}
		file := path.Clean(strings.TrimPrefix(m[1], "/src/"))
		a.Findings = append(a.Findings, sdk.Finding{Path: file, Line: n, Col: col, Level: level, Message: m[5]})
	}
}

func (a *Result) readSARIF(stdout []byte) error {
	var log sarif.Log
	if err := json.Unmarshal(stdout, &log); err != nil {
		return fmt.Errorf("cannot read output: standard output is not SARIF: %w", err)
	}
	for _, run := range log.Runs {
		for _, r := range run.Results {
			a.Findings = append(a.Findings, fromSARIF(r))
		}
	}
	return nil
}

func fromSARIF(r sarif.Result) sdk.Finding {
	f := sdk.Finding{Rule: r.RuleID, Level: r.Level, Message: r.Message.Text}
	switch f.Level {
	case "":
		f.Level = "warning" // SARIF's default
	case "none":
		f.Level = "note"
	}
	if len(r.Locations) == 0 {
		return f
	}
	at := r.Locations[0].Physical
	f.Path = strings.TrimPrefix(at.Artifact.URI, "file://")
	if plain, err := url.PathUnescape(f.Path); err == nil {
		f.Path = plain
	}
	f.Path = path.Clean(strings.TrimPrefix(f.Path, "/src/"))
	if at.Region != nil {
		f.Line, f.Col = at.Region.StartLine, at.Region.StartColumn
	}
	return f
}

// refusal is the reason of a no that came without one.
func (a Result) refusal() string {
	switch {
	case a.errors > 0:
		return printable.Count(a.errors, "error")
	case a.places && a.total == 0:
		return "exit status 1 without a finding: it failed or could not run; its output is in the log"
	}
	return "the plugin refused"
}

func (a *Result) merge(b Result) {
	a.Findings = append(a.Findings, b.Findings...)
	a.artifacts = append(a.artifacts, b.artifacts...)
	a.total, a.errors, a.places = a.total+b.total, a.errors+b.errors, b.places
	a.Verdict, a.Reason = b.Verdict, b.Reason
}

// Contradiction: a plugin whose words and exit status differ is not believed.
func Contradiction(said Result, exit int) error {
	if said.Verdict == "" || (said.Verdict == "fail") == (exit == 1) {
		return nil
	}
	return fmt.Errorf("the plugin contradicts itself: it says %q and exits with status %d", said.Verdict, exit)
}
