// Package report writes the result of a run: lines for people, live if the terminal
// supports it, and JSON, JUnit and SARIF for programs.
package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/sdk"
)

// Output is where the text of a call is written. Its rules: whole lines, one
// writer, only cleaned text; errors start with "pushlane: error:" and are followed
// by a hint that fixes them; colour only if the terminal supports it; failures
// come before the summary. Out receives only formats for programs (json, junit,
// sarif).
type Output struct {
	Out, Err io.Writer
	Version  string // of pushlane, for machines
	gate     string
	format   string // "": text
	term     gate.Terminal
}

// For is the output of an answer to a call: in the format that it asks for, as its
// terminal can show it.
func (o Output) For(call gate.Call) Output {
	o.gate, o.format, o.term = call.Gate, call.Format, call.Term
	return o
}

// WantsJSON reports whether the record of the run is asked for, which the host has.
func (o Output) WantsJSON() bool { return o.format == "json" }

// Fail prints an error that ended the call.
func (o Output) Fail(err error) {
	var b bytes.Buffer
	problem.Write(&b, err)
	if o.gate != "manual" && gate.ExitOf(err, config.Policy{}) != gate.ExitUsage {
		fmt.Fprintf(&b, "pushlane: cannot decide: the %s is refused\n", noun(o.gate))
	}
	o.Err.Write(b.Bytes())
}

// noun is what a gate lets through.
func noun(gate string) string {
	switch gate {
	case "pre-commit", "commit-msg":
		return "commit"
	case "manual":
		return "run"
	}
	return "push"
}

// Write prints the end of a run in the format asked for.
func (o Output) Write(j gate.Run) error {
	switch o.format {
	case "junit":
		return writeJUnit(o.Out, j)
	case "sarif":
		return writeSARIF(o.Out, o.Version, j)
	}
	var b bytes.Buffer
	if j.Gate == "post-receive" {
		writeQueued(&b, j)
		_, err := o.Err.Write(b.Bytes())
		return err
	}
	paint := painter(o.term.Color)
	for _, out := range worstFirst(j) {
		writeOutcome(&b, paint, j, out)
	}
	if !j.Receives() {
		writeArtifacts(&b, j)
	}
	for _, text := range j.Bypasses {
		fmt.Fprintf(&b, "pushlane: note: %s; it is recorded\n", text)
	}
	if j.Unconfined != "" {
		fmt.Fprintf(&b, "pushlane: warning: %s\npushlane: hint: %s\n", j.Unconfined, SealHint)
	}
	if j.Receives() && len(j.Updates) > 1 {
		writeRefs(&b, j)
	}
	writeSummary(&b, paint, j)
	_, err := o.Err.Write(b.Bytes())
	return err
}

// header says what is judged, a line per update.
func header(j *gate.Run) string {
	var b strings.Builder
	for i, p := range j.Updates {
		n := 0
		for _, o := range j.LaneRuns {
			if o.Update == i {
				n++
			}
		}
		if p.Delete {
			fmt.Fprintf(&b, "pushlane: %s\n", RangeWord(p))
			continue
		}
		free := ""
		if !p.Protected {
			free = ", not protected"
		}
		fmt.Fprintf(&b, "pushlane: %s: %d of %s%s\n", RangeWord(p), n, printable.Count(len(p.Picked), "lane"), free)
		for _, note := range p.Notes {
			fmt.Fprintf(&b, "pushlane: note: %s\n", note)
		}
	}
	return b.String()
}

// RangeWord names an update: "main 1a2b3c4..5d6e7f8", "v1 (new) 5d6e7f8".
func RangeWord(p gate.Update) string {
	name := printable.Ref(p.Ref)
	if p.Alias != "" {
		name = printable.Ref(p.Alias) + " -> " + name
	}
	if name != "" {
		name += " "
	}
	switch {
	case p.Delete:
		return name + "(deleted) " + printable.Short(p.Old)
	case hooks.IsZero(p.Base):
		return name + "(all of) " + printable.Short(p.New)
	case p.Forced:
		return name + "(forced) " + printable.Short(p.Base) + ".." + printable.Short(p.New)
	}
	return name + printable.Short(p.Base) + ".." + printable.Short(p.New)
}

// resultLine is one lane's line: state, lane, time and the reason.
func resultLine(paint painter, o gate.LaneRun, width int) string {
	line := fmt.Sprintf("  %s  %-*s", paint.state(o.State), width, laneTitle(&o))
	if !o.Started.IsZero() {
		line += "  " + printable.Elapsed(o.Ended.Sub(o.Started))
	}
	if o.Message != "" {
		line += "  " + printable.FirstLine(o.Message)
	}
	return strings.TrimRight(line, " ") + "\n"
}

func laneTitle(o *gate.LaneRun) string {
	if t := printable.Clean(o.Lane().Title); t != "" && t != o.Lane().ID {
		return o.Lane().ID + " (" + t + ")"
	}
	return o.Lane().ID
}

func titleWidth(titles []string) int {
	width := 0
	for _, t := range titles {
		width = max(width, len([]rune(t)))
	}
	return width
}

// worstFirst sorts lanes that refuse before the others, each in lane order.
func worstFirst(j gate.Run) []gate.LaneRun {
	all := slices.Clone(j.LaneRuns)
	slices.SortStableFunc(all, func(a, b gate.LaneRun) int { return rank(j, a) - rank(j, b) })
	return all
}

func rank(j gate.Run, o gate.LaneRun) int {
	binding := j.Updates[o.Update].Protected
	switch {
	case binding && o.Refuses():
		return 0
	case binding && o.Undecided():
		return 1
	}
	return 2
}

// onRef names the ref where a run has several.
func onRef(j gate.Run, o gate.LaneRun) string {
	if len(j.Updates) < 2 {
		return ""
	}
	return " on " + printable.Ref(j.Updates[o.Update].Ref)
}

// writeArtifacts says which lanes stored files, and how to get them.
func writeArtifacts(b *bytes.Buffer, j gate.Run) {
	for _, o := range j.LaneRuns {
		size := int64(0)
		for _, f := range o.Artifacts {
			size += f.Size
		}
		if n := len(o.Artifacts); n > 0 && o.CachedFrom == 0 {
			fmt.Fprintf(b, "pushlane: lane %q stored %s (%s): pushlane artifact ls %d %s\n", o.Lane().ID,
				printable.Count(n, "artifact"), printable.Bytes(size), j.Number, o.Lane().ID)
		}
	}
}

// writeRefs prints for every ref why it is refused, or that it is accepted.
func writeRefs(b *bytes.Buffer, j gate.Run) {
	v := j.Verdicts()
	for i, p := range j.Updates {
		against := v.Against(i)
		word := "accepted"
		switch {
		case v.ExitOf(i) != gate.ExitAccept:
			word = "refused: " + strings.Join(against, ", ")
		case len(against) > 0:
			word = "not protected; " + strings.Join(against, ", ")
		}
		fmt.Fprintf(b, "pushlane: %s: %s\n", printable.Ref(p.Ref), word)
	}
}

// writeOutcome prints what a person needs of a lane that did not pass: its
// findings, or else the end of its log; for one that passed its warnings.
func writeOutcome(b *bytes.Buffer, paint painter, j gate.Run, o gate.LaneRun) {
	bad := o.State == store.Failed || o.State == store.Broken || o.State == store.Cancelled
	if !bad && len(o.Findings) == 0 {
		return
	}
	what, rest, _ := strings.Cut(o.Message, "\n")
	if o.State != store.Broken { // else it is the plugin's last words, and where it was
		rest = ""
	}
	if bad {
		fmt.Fprintf(b, "pushlane: %s\n", paint.bad(fmt.Sprintf("lane %q %s%s: %s", o.Lane().ID,
			gate.StateWord(o.State),
			onRef(j, o), what)))
		for line := range strings.Lines(rest) { // indented: no plugin writes a line of ours
			fmt.Fprintf(b, "  %s\n", strings.TrimSpace(line))
		}
	} else {
		fmt.Fprintf(b, "pushlane: lane %q says:\n", o.Lane().ID)
	}
	writeFindings(b, o.Findings)
	if bad && rest == "" && len(o.Findings) == 0 {
		for _, line := range o.Tail {
			fmt.Fprintf(b, "  | %s\n", line)
		}
	}
	if hint := problem.Hint(o.Err); o.Err != nil && hint != "" {
		fmt.Fprintf(b, "pushlane: hint: %s\n", printable.Indent(printable.CleanText(hint)))
	}
	if bad {
		writeNext(b, j, o)
	}
}

const shownFindings = 50

func writeFindings(b *bytes.Buffer, all []sdk.Finding) {
	for _, f := range all[:min(shownFindings, len(all))] {
		fmt.Fprintf(b, "  %s\n", FindingLine(f))
	}
	if more := len(all) - shownFindings; more > 0 {
		fmt.Fprintf(b, "  and %s\n", printable.Count(more, "more finding"))
	}
}

// FindingLine is the form every editor can jump by: path:line:col: level: …
func FindingLine(f sdk.Finding) string {
	var b strings.Builder
	if f.Path != "" {
		b.WriteString(printable.Clean(printable.QuotePath(f.Path)))
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
			if f.Col > 0 {
				fmt.Fprintf(&b, ":%d", f.Col)
			}
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s: %s", f.Level, printable.Clean(f.Message))
	if f.Rule != "" {
		fmt.Fprintf(&b, " [%s]", printable.Clean(f.Rule))
	}
	return b.String()
}

// writeNext says where the whole log is and how to try the lane again.
func writeNext(b *bytes.Buffer, j gate.Run, o gate.LaneRun) {
	p := j.Updates[o.Update]
	server := j.Pushed != nil
	if o.Log != "" && !server {
		fmt.Fprintf(b, "pushlane: log: pushlane log %d:%s\n", j.Number, o.Lane().ID)
	}
	if server && j.Address != "" {
		fmt.Fprintf(b, "pushlane: page: %s\n", runjson.Page(j.Policy.URL, j.Address, j.Number, o.Lane().ID))
	}
	if j.Gate != "pre-commit" && j.Gate != "commit-msg" && j.Asked.Config == "" {
		fmt.Fprintf(b, "pushlane: again: pushlane run --lane %s --range %s\n", o.Lane().ID, againRange(p))
	}
}

func againRange(p gate.Update) string {
	if hooks.IsZero(p.Base) {
		return emptyTree + ".." + printable.Short(p.New)
	}
	return printable.Short(p.Base) + ".." + printable.Short(p.New)
}

// emptyTree is the tree without entries, which git knows in every repository.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// leftUndone says what a cancelled run means for what was judged.
func leftUndone(gate string) string {
	switch gate {
	case "pre-push":
		return "nothing was pushed"
	case "pre-commit", "commit-msg":
		return "nothing was committed"
	case "manual":
		return "no verdict"
	}
	return noun(gate) + " refused"
}

// writeSummary is the last word of a run.
func writeSummary(b *bytes.Buffer, paint painter, j gate.Run) {
	switch {
	case len(j.Updates) == 0 && j.Gate == "manual":
		fmt.Fprintf(b, "pushlane: nothing to push: the remote already has it; judge a range with --range A..B\n")
		return
	case len(j.Updates) == 0:
		fmt.Fprintf(b, "pushlane: nothing to judge\n")
		return
	}
	exit := j.Exit()
	names := strings.Join(refusing(j), ", ")
	switch {
	case exit != gate.ExitAccept && j.Partly:
		fmt.Fprintf(b, "pushlane: %s: %s (the other refs are accepted, run #%d)\n", paint.bad("refused"), names, j.Number)
	case exit == gate.ExitRefuse:
		fmt.Fprintf(b, "pushlane: %s: %s (%s refused, run #%d)\n", paint.bad("refused"), names, noun(j.Gate),
			j.Number)
	case exit == gate.ExitUndecided && j.State() == store.Cancelled:
		fmt.Fprintf(b, "pushlane: %s: %s (%s, run #%d)\n", paint.bad("cancelled"), names, leftUndone(j.Gate), j.Number)
	case exit == gate.ExitUndecided:
		fmt.Fprintf(b, "pushlane: %s: %s (%s refused, run #%d)\n", paint.bad("cannot decide"), names,
			noun(j.Gate), j.Number)
	case names != "":
		fmt.Fprintf(b, "pushlane: %s: %s (%s accepted by on_undecided = \"accept\", run #%d)\n",
			paint.bad("cannot decide"), names, noun(j.Gate), j.Number)
	case len(j.LaneRuns) == 0:
		fmt.Fprintf(b, "pushlane: %s: no lane matches these paths (run #%d)\n", paint.good("accepted"), j.Number)
	default:
		fmt.Fprintf(b, "pushlane: %s: %s in %s (run #%d)\n", paint.good("accepted"), tally(j),
			printable.Elapsed(j.Ended.Sub(j.Started)), j.Number)
	}
}

// refusing lists what refuses a run, ref by ref.
func refusing(j gate.Run) []string {
	var names []string
	v := j.Verdicts()
	for i, p := range j.Updates {
		if !p.Protected && p.Refusal == "" {
			continue
		}
		for _, word := range v.Against(i) {
			if len(j.Updates) > 1 && p.Refusal == "" {
				word = printable.Ref(p.Ref) + ": " + word
			}
			if !slices.Contains(names, word) {
				names = append(names, word)
			}
		}
	}
	return names
}

// tally counts an accepted run: "3 lanes passed, 1 skipped, 1 failed but is
// not required".
func tally(j gate.Run) string {
	var passed, skipped, optional, free int
	for _, o := range j.LaneRuns {
		switch {
		case o.State == store.Passed:
			passed++
		case o.State == store.Skipped:
			skipped++
		case o.Lane().Required && !j.Updates[o.Update].Protected:
			free++
		default:
			optional++
		}
	}
	text := printable.Count(passed, "lane") + " passed"
	if skipped > 0 {
		text += fmt.Sprintf(", %d skipped", skipped)
	}
	if optional > 0 {
		text += fmt.Sprintf(", %d optional failed", optional)
	}
	if free > 0 {
		text += fmt.Sprintf(", %d failed on an unprotected ref", free)
	}
	return text
}

// SealHint helps where plugins run less confined than they could.
const SealHint = "boot a Linux kernel of 5.13 or later that has both (6.12 where users may not make namespaces), " +
	"or run only plugins that you trust"
