// Command shell is a lane plugin that runs a script or a command in a
// throw-away container. The lane passes when it exits with status 0.
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
	switch {
	case result.TimedOut:
		return run.Fail(withTail("timed out: "+s.short, result.Tail))
	case result.Exit == 0:
		return run.Pass("")
	}
	for _, f := range s.findings(run, result.Tail) {
		run.Report(f)
	}
	if why := serviceTrouble(result.Tail); result.Exit == serviceExit && why != "" {
		return run.Fail(withTail(why, result.Tail))
	}
	return run.Fail(withTail("exit status "+strconv.Itoa(result.Exit)+": "+s.short, result.Tail))
}

// tailLines is how many lines of output follow the reason in a verdict.
const tailLines = 5

// withTail adds the last lines of output that say something.
func withTail(reason, tail string) string {
	lines := strings.Split(tail, "\n")
	var last []string
	for i := len(lines) - 1; i >= 0 && len(last) < tailLines; i-- {
		if line := strings.TrimRight(lines[i], " \t\r"); strings.Trim(line, " \t-=*#+~_") != "" {
			last = append([]string{clip(line, 200)}, last...)
		}
	}
	return strings.Join(append([]string{reason}, last...), "\n")
}

// shortened is a command as one line of at most 60 characters: a script by its
// first line that does something.
func shortened(script string) string {
	lines := strings.Split(script, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "set ") {
			continue
		}
		if strings.TrimSpace(strings.Join(lines[i+1:], "")) != "" && len(line) <= 58 {
			line += " …"
		}
		return clip(line, 60)
	}
	return "an empty script"
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
