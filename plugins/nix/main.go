// Command nix is a lane plugin that evaluates a flake and builds its checks in
// a throw-away container, with a cache of earlier builds.
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
	c, err := container(run)
	if err != nil {
		return err
	}
	result, err := run.Container(c)
	if err != nil {
		return err
	}
	if result.Exit == 127 {
		return errors.New("cannot run nix: the image has no nix: name an image that has it with the setting image")
	}
	output, results, err := read(run, result)
	if err != nil {
		return err
	}
	for _, f := range findings(run, output, artifact(run, result, "metadata")) {
		run.Report(f)
	}
	return verdict(run, result, output, results)
}

// artifact is one file that the script left; "" where it did not.
func artifact(run *sdk.Run, result sdk.Result, name string) string {
	text, err := run.ReadResult(result.ID, said[1:]+"/"+name)
	if err != nil {
		return ""
	}
	return string(text)
}

// read returns what nix printed and how the steps ended. Where the script came
// to its end, both must be there.
func read(run *sdk.Run, result sdk.Result) (string, []step, error) {
	output := artifact(run, result, "out")
	if output == "" {
		output = result.Tail
	}
	steps := readSteps(artifact(run, result, "results"))
	if result.Exit == 0 && !result.TimedOut && slices.ContainsFunc(steps, func(s step) bool { return s.status != 0 }) {
		return "", nil, errors.New("cannot judge: the script reports success, but its results do not")
	}
	return output, steps, nil
}

// step is one part of the script, and how it ended.
type step struct {
	name   string
	status int
}

func readSteps(text string) []step {
	var all []step
	for line := range strings.Lines(text) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if status, err := strconv.Atoi(number); err == nil && name != "" {
			all = append(all, step{name, status})
		}
	}
	return all
}

// verdict names the steps that failed.
func verdict(run *sdk.Run, result sdk.Result, output string, steps []step) error {
	var failed []string
	for _, s := range steps {
		if s.status != 0 {
			failed = append(failed, s.name)
		}
	}
	done := strconv.Itoa(len(steps))
	switch {
	case result.TimedOut:
		return run.Fail("nix ran out of time; finished steps: " + done + also(failed))
	case len(failed) > 0:
		return run.Fail(strconv.Itoa(len(failed)) + " of " + done + " failed: " + list(failed))
	case result.Exit != 0:
		return run.Fail("nix ended with status " + strconv.Itoa(result.Exit) + lastLines(output))
	case len(steps) == 0:
		return run.Fail("the flake has no checks for this system: name them with checks, or leave evaluate on")
	}
	return run.Pass(done + " passed: " + list(names(steps)))
}

func names(steps []step) []string {
	var all []string
	for _, s := range steps {
		all = append(all, s.name)
	}
	return all
}

func also(failed []string) string {
	if len(failed) == 0 {
		return ""
	}
	return "; failed: " + list(failed)
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
	if len(last) == 0 {
		return ""
	}
	slices.Reverse(last)
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
