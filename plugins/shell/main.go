// Command shell is a lane plugin that runs a script or a command in a
// throw-away container. The lane passes if it exits with status 0.
package main

import (
	"path"
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
	result, err := run.Container(s.container)
	if err != nil {
		return err
	}
	if result.TimedOut {
		return run.Fail(withTail(strings.TrimSuffix("timed out: "+s.short, ": "), result.Tail))
	}
	tests, err := s.readReports(run, result)
	for _, f := range tests.findings {
		run.Report(f)
	}
	if result.Exit == 0 {
		return passed(run, tests, err)
	}
	if err != nil {
		run.Note("", 0, err.Error())
	}
	for _, f := range s.findings(run, result.Tail) {
		run.Report(f)
	}
	if why := serviceTrouble(result.Tail); result.Exit == serviceExit && why != "" {
		return run.Fail(withTail(why, result.Tail))
	}
	reason := s.failure(result)
	if text := tests.String(); text != "" {
		reason += ": " + text
	}
	return run.Fail(withTail(reason, result.Tail))
}

// passed is the verdict on a command that ended with status 0. Reports that cannot
// be read, or that say that tests failed, do not pass.
func passed(run *sdk.Run, t tests, err error) error {
	switch {
	case err != nil:
		return run.Fail(err.Error())
	case t.failed > 0:
		return run.Fail("the command exited 0, but " + t.String())
	case t.errors > 0:
		return run.Fail("the command exited 0, but its reports have " + count(t.errors, "error"))
	}
	return run.Pass(t.String())
}

// failure says which command failed, and how.
func (s settings) failure(result sdk.Result) string {
	reason := exited(s.short, result.Exit)
	if s.script != "" {
		reason = failedCommand(s.script, result.Tail, result.Exit)
	}
	if name := missingProgram(result.Tail); result.Exit == 127 && name != "" {
		reason += ": the image has no program " + strconv.Quote(clip(name, 60))
	}
	return reason
}

// tailLines is how many lines of output follow the reason in a verdict.
const tailLines = 5

// withTail adds the last lines of output that say something.
func withTail(reason, tail string) string {
	lines := strings.Split(tail, "\n")
	var last []string
	for i := len(lines) - 1; i >= 0 && len(last) < tailLines; i-- {
		line, _, _ := strings.Cut(lines[i], lineMark)
		if line = strings.TrimRight(line, " \t\r"); strings.Trim(line, " \t-=*#+~_") != "" &&
			!ownLine(line) {
			last = append([]string{clip(line, 200)}, last...)
		}
	}
	return strings.Join(append([]string{reason}, last...), "\n")
}

// ownLine reports whether a line is one that the verdict says in its own words.
func ownLine(line string) bool {
	return strings.HasPrefix(line, exitMark) || strings.HasPrefix(line, noteMark)
}

// clip cuts a text to n characters.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for i := range text {
		if n--; n == 0 {
			return text[:i] + "…"
		}
	}
	return text
}

// source is where the pushed tree lies in a container.
const source = "/work/src"

// inTree turns a path that a command in dir printed into one from the tree's
// top; "" where it lies elsewhere.
func inTree(dir, name string) string {
	if !path.IsAbs(name) {
		name = path.Join(dir, name)
	}
	if rest, ok := strings.CutPrefix(path.Clean(name), source+"/"); ok {
		return rest
	}
	return ""
}
