package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/sdk"
)

// Output is where a call's words go. Rules of all of them: whole lines, one
// writer, nothing but cleaned text; errors start with "pushlane: error:" and
// are followed by the hint that mends them; colour only where the terminal
// has it; the failing part comes before the summary. Out carries only what a
// machine asked for (json, junit, sarif).
type Output struct {
	Out, Err io.Writer
}

// fail prints an error that ended the call.
func (o Output) fail(call Call, err error) {
	var b bytes.Buffer
	WriteError(&b, err)
	if hookGate(call.Gate) && exitOf(err, Policy{}) != ExitUsage {
		fmt.Fprintf(&b, "pushlane: cannot decide: the %s is refused\n", noun(call.Gate))
	}
	o.Err.Write(b.Bytes())
}

// WriteError prints an error, all of a joined one, and every hint it carries.
func WriteError(w io.Writer, err error) {
	for _, one := range unjoin(err) {
		fmt.Fprintf(w, "pushlane: error: %s\n", indent(CleanText(one.Error())))
		if hint := hintOf(one); hint != "" {
			fmt.Fprintf(w, "pushlane: hint: %s\n", indent(CleanText(hint)))
		}
	}
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, unjoin(e)...)
		}
		return all
	}
	return []error{err}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

func hookGate(gate string) bool { return gate != "manual" }

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

// report prints the end of a run in the format asked for.
func (o Output) report(call Call, j Judgement) error {
	switch call.Format {
	case "json":
		return writeJSON(o.Out, j)
	case "junit":
		return writeJUnit(o.Out, j)
	case "sarif":
		return writeSARIF(o.Out, j)
	}
	var b bytes.Buffer
	paint := painter(call.Term.Color)
	for _, out := range j.Outcomes {
		writeOutcome(&b, paint, j, out)
	}
	for _, text := range j.Bypasses {
		fmt.Fprintf(&b, "pushlane: note: %s; it is recorded\n", text)
	}
	writeSummary(&b, paint, call, j)
	_, err := o.Err.Write(b.Bytes())
	return err
}

// header says what is judged, a line per update.
func header(j *Judgement) string {
	var b strings.Builder
	for i, p := range j.Updates {
		n := 0
		for _, o := range j.Outcomes {
			if o.Update == i {
				n++
			}
		}
		fmt.Fprintf(&b, "pushlane: %s: %d of %s\n", rangeWord(p), n, count(len(p.Picked), "lane"))
	}
	return b.String()
}

// rangeWord names an update: "main 1a2b3c4..5d6e7f8", "v1 (new) 5d6e7f8".
func rangeWord(p pushed) string {
	name := strings.TrimPrefix(strings.TrimPrefix(Clean(p.Ref), "refs/heads/"), "refs/")
	if name != "" {
		name += " "
	}
	switch {
	case zeros(p.Base):
		return name + "(all of) " + short(p.New)
	case p.Forced:
		return name + "(forced) " + short(p.Base) + ".." + short(p.New)
	}
	return name + short(p.Base) + ".." + short(p.New)
}

func zeros(id string) bool { return strings.Trim(id, "0") == "" }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// resultLine is one lane's line: state, lane, time and the reason.
func resultLine(paint painter, o Outcome, width int) string {
	line := fmt.Sprintf("  %s  %-*s", paint.state(o.State), width, laneTitle(&o))
	if !o.Started.IsZero() {
		line += "  " + elapsed(o.Ended.Sub(o.Started))
	}
	if o.Message != "" {
		line += "  " + firstLine(o.Message)
	}
	return strings.TrimRight(line, " ") + "\n"
}

func laneTitle(o *Outcome) string {
	if t := Clean(o.lane().Title); t != "" && t != o.lane().ID {
		return o.lane().ID + " (" + t + ")"
	}
	return o.lane().ID
}

func titleWidth(titles []string) int {
	width := 0
	for _, t := range titles {
		width = max(width, len([]rune(t)))
	}
	return width
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

func elapsed(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// writeOutcome prints what a person needs of a lane that did not pass: its
// findings, or else the end of its log; for one that passed its warnings.
func writeOutcome(b *bytes.Buffer, paint painter, j Judgement, o Outcome) {
	bad := o.State == store.Failed || o.State == store.Broken || o.State == store.Cancelled
	if !bad && len(o.Findings) == 0 {
		return
	}
	if bad {
		fmt.Fprintf(b, "pushlane: %s\n", paint.bad(fmt.Sprintf("lane %q %s: %s", o.lane().ID, stateWord(o.State), firstLine(o.Message))))
	} else {
		fmt.Fprintf(b, "pushlane: lane %q says:\n", o.lane().ID)
	}
	writeFindings(b, o.Findings)
	if bad && len(o.Findings) == 0 {
		for _, line := range o.Tail {
			fmt.Fprintf(b, "  | %s\n", line)
		}
	}
	if hint := hintOf(o.Err); o.Err != nil && hint != "" {
		fmt.Fprintf(b, "pushlane: hint: %s\n", indent(CleanText(hint)))
	}
	if bad {
		writeNext(b, j, o)
	}
}

const shownFindings = 50

func writeFindings(b *bytes.Buffer, all []sdk.Finding) {
	for _, f := range all[:min(shownFindings, len(all))] {
		fmt.Fprintf(b, "  %s\n", findingLine(f))
	}
	if more := len(all) - shownFindings; more > 0 {
		fmt.Fprintf(b, "  and %s\n", count(more, "more finding"))
	}
}

// findingLine is the form every editor can jump by: path:line:col: level: …
func findingLine(f sdk.Finding) string {
	var b strings.Builder
	if f.Path != "" {
		b.WriteString(Clean(quotePath(f.Path)))
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
			if f.Col > 0 {
				fmt.Fprintf(&b, ":%d", f.Col)
			}
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s: %s", f.Level, Clean(f.Message))
	if f.Rule != "" {
		fmt.Fprintf(&b, " [%s]", Clean(f.Rule))
	}
	return b.String()
}

// writeNext says where the whole log is and how to try the lane again.
func writeNext(b *bytes.Buffer, j Judgement, o Outcome) {
	p := j.Updates[o.Update]
	if o.Log != "" {
		fmt.Fprintf(b, "pushlane: log: pushlane log %d:%s\n", j.Number, o.lane().ID)
	}
	if j.Gate != "pre-commit" && j.Gate != "commit-msg" {
		fmt.Fprintf(b, "pushlane: again: pushlane run --lane %s --range %s\n", o.lane().ID, againRange(p))
	}
}

func againRange(p pushed) string {
	if zeros(p.Base) {
		return emptyTree + ".." + short(p.New)
	}
	return short(p.Base) + ".." + short(p.New)
}

// emptyTree is the tree without entries, which git knows in every repository.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// writeSummary is the last word of a run.
func writeSummary(b *bytes.Buffer, paint painter, call Call, j Judgement) {
	if len(j.Updates) == 0 {
		fmt.Fprintf(b, "pushlane: nothing to judge\n")
		return
	}
	exit := j.Exit()
	names := refusing(j)
	switch {
	case exit == ExitRefuse:
		fmt.Fprintf(b, "pushlane: %s: %s (%s refused, run #%d)\n", paint.bad("refused"), strings.Join(names, ", "), noun(call.Gate), j.Number)
	case exit == ExitUndecided:
		fmt.Fprintf(b, "pushlane: %s: %s (%s refused, run #%d)\n", paint.bad("cannot decide"), strings.Join(names, ", "), noun(call.Gate), j.Number)
	case len(names) > 0:
		fmt.Fprintf(b, "pushlane: %s: %s (%s let through by on_undecided = \"accept\", run #%d)\n",
			paint.bad("cannot decide"), strings.Join(names, ", "), noun(call.Gate), j.Number)
	case len(j.Outcomes) == 0:
		fmt.Fprintf(b, "pushlane: %s: no lane asks for these paths (run #%d)\n", paint.good("accepted"), j.Number)
	default:
		fmt.Fprintf(b, "pushlane: %s: %s in %s (run #%d)\n", paint.good("accepted"), tally(j), elapsed(j.Ended.Sub(j.Started)), j.Number)
	}
}

// refusing lists what stands in the way of a run, in lane order.
func refusing(j Judgement) []string {
	var names []string
	for _, o := range j.Outcomes {
		if o.refuses() || o.undecided() {
			names = append(names, fmt.Sprintf("lane %q %s", o.lane().ID, verdictWord(o)))
		}
	}
	return names
}

func verdictWord(o Outcome) string {
	if o.Blocked != "" {
		return o.Message
	}
	return stateWord(o.State)
}

// tally counts an accepted run: "3 lanes passed, 1 skipped, 1 failed but is
// not required".
func tally(j Judgement) string {
	var passed, skipped, optional int
	for _, o := range j.Outcomes {
		switch o.State {
		case store.Passed:
			passed++
		case store.Skipped:
			skipped++
		default:
			optional++
		}
	}
	text := count(passed, "lane") + " passed"
	if skipped > 0 {
		text += fmt.Sprintf(", %d skipped", skipped)
	}
	if optional > 0 {
		text += fmt.Sprintf(", %d not required did not", optional)
	}
	return text
}
