// Command go is a lane plugin that runs go vet, go build and go test in
// throw-away containers and reads their output.
package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	s, err := readSettings(run)
	if err != nil {
		return err
	}
	var jobs []*sdk.Job
	for _, c := range s.containers() {
		jobs = append(jobs, run.Start(c))
	}
	r := newReport(run, s)
	for i, job := range jobs {
		result, err := job.Wait()
		if err != nil {
			return err
		}
		for _, name := range s.groups()[i] {
			if err := r.check(name, result); err != nil {
				return err
			}
		}
	}
	return r.verdict()
}

// report collects the output of the checks.
type report struct {
	run    *sdk.Run
	tree   tree
	found  []sdk.Finding
	failed []string // a sentence for each check that failed
	passed []string
}

func newReport(run *sdk.Run, s settings) *report {
	return &report{run: run, tree: newTree(run, s.dir)}
}

// add reports a finding once: vet, build and test meet the same errors.
func (r *report) add(f sdk.Finding) {
	if !slices.Contains(r.found, f) {
		r.found = append(r.found, f)
		r.run.Report(f)
	}
}

// check reads the output of one check.
func (r *report) check(name string, result sdk.Result) error {
	text, status, err := r.output(name, result)
	switch {
	case err != nil:
		return err
	case status == 127:
		return errors.New("cannot run go " + name + ": the image has no go: name an image that has it with the setting image")
	case name == "test":
		r.tests(text, status, result.TimedOut)
		return nil
	}
	before := len(r.found)
	objects, rest := vetObjects(text)
	for _, f := range append(r.tree.vet(objects), r.tree.compiler(rest)...) {
		r.add(f)
	}
	n := len(r.found) - before
	switch {
	case result.TimedOut:
		r.failed = append(r.failed, "go "+name+" ran out of time")
	case status != 0 && n == 0 && len(objects) == 0:
		r.failed = append(r.failed, "go "+name+" failed with status "+strconv.Itoa(status)+hint(text)+lastLines(text))
	case status != 0 || n > 0:
		r.failed = append(r.failed, "go "+name+" failed: "+count(n, "new finding"))
	default:
		r.passed = append(r.passed, "go "+name)
	}
	return nil
}

// output is what a check printed, and its exit status. A container that was
// stopped leaves no file: then it is the end of its output. One that ended
// well must have left it, or findings would be lost.
func (r *report) output(name string, result sdk.Result) (string, int, error) {
	text, err := r.run.ReadResult(result.ID, kept(name, ".out"))
	if err != nil && result.Exit == 0 {
		return "", 0, errors.New("cannot read the output of go " + name + ": " + err.Error())
	}
	if err != nil {
		return result.Tail, result.Exit, nil
	}
	status := result.Exit
	if said, err := r.run.ReadResult(result.ID, kept(name, ".status")); err == nil {
		if status, err = strconv.Atoi(strings.TrimSpace(string(said))); err != nil {
			return "", 0, errors.New("cannot read the exit status of go " + name + ": " + err.Error())
		}
	}
	return string(text), status, nil
}

// kept is the name of a check's file among the artifacts: its path without the
// slash in front.
func kept(name, kind string) string { return said[1:] + "/" + name + kind }

func (r *report) tests(text string, status int, late bool) {
	t := readTests(text)
	for _, f := range append(r.tree.compiler(t.other), t.findings(r.tree)...) {
		r.add(f)
	}
	switch {
	case late:
		r.failed = append(r.failed, "go test ran out of time; not ended or failed: "+or(list(t.failed), "none"))
	case len(t.failed) > 0:
		r.failed = append(r.failed, "go test: "+strconv.Itoa(len(t.failed))+" of "+count(t.ran, "test")+" failed: "+
			list(t.failed))
	case len(t.badPackages) > 0:
		r.failed = append(r.failed, "go test: failed: "+list(t.badPackages)+hint(text))
	case status != 0:
		r.failed = append(r.failed, "go test failed with status "+strconv.Itoa(status)+hint(text)+lastLines(t.other))
	default:
		r.passed = append(r.passed, "go test ("+count(t.ran, "test")+" of "+count(t.goodPackages, "package")+")")
	}
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// hint says what fixes modules that are not there.
func hint(text string) string {
	for _, words := range []string{"module lookup disabled by GOPROXY=off", "dial tcp", "missing go.sum entry"} {
		if strings.Contains(text, words) {
			return " (modules are missing: commit what go mod vendor writes, or set network = true)"
		}
	}
	return ""
}

func (r *report) verdict() error {
	if len(r.failed) > 0 {
		return r.run.Fail(reason(r.failed))
	}
	return r.run.Pass(strings.Join(r.passed, ", ") + " passed")
}

// reason puts what failed into the first line, which is always shown, and the
// lines of output below.
func reason(failed []string) string {
	var first, tails []string
	for _, text := range failed {
		line, tail, _ := strings.Cut(text, "\n")
		first = append(first, line)
		if tail != "" {
			tails = append(tails, tail)
		}
	}
	return strings.Join(append([]string{strings.Join(first, "; ")}, tails...), "\n")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// list names the first ten.
func list(names []string) string {
	if len(names) > 10 {
		return strings.Join(names[:10], ", ") + " and " + strconv.Itoa(len(names)-10) + " more"
	}
	return strings.Join(names, ", ")
}

// lastLines are the last lines of output that say something.
func lastLines(text string) string {
	var last []string
	lines := strings.Split(text, "\n")
	for i := len(lines) - 1; i >= 0 && len(last) < 5; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" {
			last = append(last, clip(line))
		}
	}
	slices.Reverse(last)
	if len(last) == 0 {
		return ""
	}
	return "\n" + strings.Join(last, "\n")
}

// clip cuts a line that is too long to be read.
func clip(line string) string {
	n := 0
	for i := range line {
		if n++; n > 300 {
			return line[:i] + "…"
		}
	}
	return line
}
