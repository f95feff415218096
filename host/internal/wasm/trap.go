package wasm

import (
	"fmt"
	"slices"
	"strings"
)

const (
	saidLines  = 12
	traceLines = 12
)

// trap makes one readable error of all that is known about a breakage.
func (m *Module) trap(s *session, used Usage, err error) error {
	cause, trace := m.splitTrap(err.Error())
	if s.memory.refused {
		cause += fmt.Sprintf(", after it was refused more than %s of memory", amount(s.call.Memory, "bytes"))
	}
	return &TrapError{Plugin: m.name, Cause: cause, Said: s.lastWords(), Trace: trace, Last: s.last, Used: used}
}

// exited makes an error of an exit status that says the plugin broke.
func (m *Module) exited(s *session, used Usage, cause string) error {
	said := s.lastWords()
	if word := lastWord(said); word != "" {
		cause += ": " + word
	}
	return &TrapError{Plugin: m.name, Cause: cause, Said: said, Last: s.last, Used: used}
}

// lastWord is the line that says why a plugin broke: the last one it wrote, or
// the first of a traceback.
func lastWord(said []string) string {
	if len(said) > 0 && beginsTraceback(said[0]) {
		return said[0]
	}
	for _, line := range slices.Backward(said) {
		if strings.TrimSpace(line) != "" {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func beginsTraceback(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") ||
		strings.HasPrefix(line, "runtime: ") || strings.HasPrefix(line, "thread '")
}

// lastWords is the end of what the plugin wrote to standard error: from the
// start of a traceback, where there is one.
func (s *session) lastWords() []string {
	all := s.log.lines(200)
	if i := slices.IndexFunc(all, beginsTraceback); i >= 0 {
		all = all[i:]
		return all[:min(len(all), saidLines)]
	}
	return all[max(0, len(all)-saidLines):]
}

// splitTrap takes wazero's text apart: the cause, and the functions, innermost
// first, with their source lines where the module has them.
func (m *Module) splitTrap(text string) (cause string, trace []string) {
	cause, stack, _ := strings.Cut(text, "\nwasm stack trace:\n")
	cause = strings.ReplaceAll(strings.TrimSuffix(cause, " (recovered by wazero)"), "wasm error: ", "")
	stack, _, _ = strings.Cut(stack, "\n\n")
	var offsets, frames []int
	for line := range strings.SplitSeq(stack, "\n") {
		line = strings.TrimSpace(line)
		if offset, is := frameLine(line); is {
			if len(trace) > 0 {
				offsets, frames = append(offsets, offset), append(frames, len(trace)-1)
			}
			continue
		}
		if line == "" || strings.Contains(line, tickName) {
			continue
		}
		if len(trace) == traceLines {
			trace = append(trace, "…")
			break
		}
		trace = append(trace, strings.TrimPrefix(line, "."))
	}
	if len(offsets) > 0 && m.original != nil {
		for i, at := range m.places(offsets) {
			if at != "" {
				trace[frames[i]] += ", " + at
			}
		}
	}
	return cause, trace
}
