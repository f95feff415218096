// Command matrix is a lane plugin that runs one command under several images
// or versions: once for each combination of the values of its axes.
package main

import (
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
	containers := make([]sdk.Container, len(s.cells))
	for i, c := range s.cells {
		if containers[i], err = s.container(i, c); err != nil {
			return err
		}
	}
	failed, ran, err := s.runAll(run, containers)
	if err != nil {
		return err
	}
	if len(failed) == 0 {
		return run.Pass(count(ran, "cell") + " passed")
	}
	reason := strconv.Itoa(len(failed)) + " of " + count(len(s.cells), "cell") + " failed: " + list(failed)
	if left := len(s.cells) - ran; left > 0 {
		reason += "; " + strconv.Itoa(left) + " not run to the end"
	}
	return run.Fail(reason)
}

// runAll runs the cells in their order, so many in parallel: the next
// one starts when the first of those that run has ended. What it does depends
// on the results alone, for it may be called again with them.
func (s settings) runAll(run *sdk.Run, containers []sdk.Container) (failed []string, ran int, err error) {
	var jobs []*sdk.Job
	for i := range containers {
		for len(jobs) < min(i+s.parallel, len(containers)) {
			jobs = append(jobs, run.Start(containers[len(jobs)]))
		}
		result, err := jobs[i].Wait()
		if err != nil {
			return nil, 0, err
		}
		ran++
		if why := trouble(result); why != "" {
			failed = append(failed, s.cells[i].title())
			run.Report(sdk.Finding{Rule: "matrix", Message: s.cells[i].title() + ": " + why})
			if s.failFast {
				return failed, ran, nil
			}
		}
	}
	return failed, ran, nil
}

// trouble says how a cell failed, with its last lines; "" where it did not.
func trouble(result sdk.Result) string {
	switch {
	case result.TimedOut:
		return withTail("timed out", result.Tail)
	case result.Exit != 0:
		return withTail("exit status "+strconv.Itoa(result.Exit), result.Tail)
	}
	return ""
}

// tailLines is how many lines of output a finding has.
const tailLines = 5

// withTail adds the last lines of output that say something.
func withTail(reason, tail string) string {
	lines := strings.Split(tail, "\n")
	var last []string
	for i := len(lines) - 1; i >= 0 && len(last) < tailLines; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" {
			last = append(last, clip(line))
		}
	}
	slices.Reverse(last)
	return strings.Join(append([]string{reason}, last...), "\n")
}

// clip cuts a line that is too long to be read.
func clip(line string) string {
	n := 0
	for i := range line {
		if n++; n > 200 {
			return line[:i] + "…"
		}
	}
	return line
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
		return strings.Join(names[:10], "; ") + " and " + strconv.Itoa(len(names)-10) + " more"
	}
	return strings.Join(names, "; ")
}
