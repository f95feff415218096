package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/sarif"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/sdk"
)

// writeSARIF prints one SARIF run per lane run. Each has the category of its
// lane, so that a service compares it with the one of the push before.
func writeSARIF(w io.Writer, version string, j gate.Run) error {
	log := sarif.Log{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarif.Run{}}
	for _, o := range j.LaneRuns {
		log.Runs = append(log.Runs, sarifRun(version, j, o))
	}
	return Indented(w, log)
}

func sarifRun(version string, j gate.Run, o gate.LaneRun) sarif.Run {
	run := sarif.Run{Results: []sarif.Result{}}
	run.Tool.Driver = sarif.Driver{Name: "pushlane/" + o.Lane().ID, Version: version,
		URI: "https://github.com/pushlane/pushlane", Rules: []sarif.Rule{}}
	run.AutomationDetails.ID = category(j, o)
	s := &sarifWriter{run: &run, lane: o, home: homeOf(j.Updates[o.Update], o), seen: map[string]int{}}
	for _, f := range o.Findings {
		s.add(f)
	}
	call := sarif.Invocation{Successful: true, Start: sarif.Time(o.Started), End: sarif.Time(o.Ended)}
	switch {
	case o.State == store.Broken || o.State == store.Cancelled:
		call.Successful = false
		call.Notifications = []sarif.Notification{{Level: "error",
			Message: sarif.Message{Text: printable.CleanText(cmp.Or(o.Message, gate.StateWord(o.State)))}}}
	case o.State == store.Failed && len(o.Findings) == 0:
		s.add(sdk.Finding{Level: "error", Message: cmp.Or(o.Message, "the lane failed")})
	}
	run.Invocations = []sarif.Invocation{call}
	return run
}

// category names what is compared from push to push. All before the last slash
// is the category; a run of several refs has one for each.
func category(j gate.Run, o gate.LaneRun) string {
	id := "pushlane/" + o.Lane().ID + "/"
	if len(j.Updates) > 1 {
		id += printable.Clean(j.Updates[o.Update].Ref) + "/"
	}
	return id
}

// homeOf is where a finding that is about no file is shown, as services refuse a
// result without a place: at the lane in the lanes file, else at the path that
// picked it.
func homeOf(u gate.Update, o gate.LaneRun) sdk.Finding {
	if u.Rev != "" && u.Set != nil && o.Lane().Line > 0 {
		return sdk.Finding{Path: u.Set.Source, Line: o.Lane().Line}
	}
	return sdk.Finding{Path: cmp.Or(o.Picked.Path, "."), Line: 1}
}

// sarifWriter adds the findings of one lane run.
type sarifWriter struct {
	run  *sarif.Run
	lane gate.LaneRun
	home sdk.Finding
	seen map[string]int // fingerprint to how many results have it
}

func (s *sarifWriter) add(f sdk.Finding) {
	f.Rule = cmp.Or(f.Rule, s.lane.Lane().ID)
	r := sarif.Result{RuleID: f.Rule, RuleIndex: s.rule(f), Level: f.Level,
		Message:      sarif.Message{Text: printable.CleanText(f.Message)},
		Fingerprints: map[string]string{"pushlane/v1": s.fingerprint(f)}}
	at := f
	if at.Path == "" {
		at = s.home
	}
	var place sarif.Location
	place.Physical.Artifact.URI = printable.URIPath(at.Path)
	place.Physical.Region = &sarif.Region{StartLine: max(1, at.Line), StartColumn: at.Col}
	r.Locations = []sarif.Location{place}
	s.run.Results = append(s.run.Results, r)
}

// rule is the index of the finding's rule.
func (s *sarifWriter) rule(f sdk.Finding) int {
	rules := &s.run.Tool.Driver.Rules
	i := slices.IndexFunc(*rules, func(r sarif.Rule) bool { return r.ID == f.Rule })
	if i < 0 {
		i = len(*rules)
		*rules = append(*rules, sarif.Rule{ID: f.Rule, Short: sarif.Message{Text: f.Rule}})
	}
	return i
}

// fingerprint stays the same while lines are moved: it is of the lane, the rule,
// the path and the message, and counts those that are alike.
func (s *sarifWriter) fingerprint(f sdk.Finding) string {
	text := strings.Join([]string{s.lane.Lane().ID, f.Rule, f.Path, f.Message}, "\x00")
	s.seen[text]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", text, s.seen[text]))
	return hex.EncodeToString(sum[:16])
}
