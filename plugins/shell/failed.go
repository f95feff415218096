package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// lineMark begins the line in which a shell reports the command that failed:
// "pushlane: line 4 exited 1 0: npm test", with a status for each command of a
// pipe. exitMark begins the one that reports an exit the script called itself.
const (
	lineMark = "pushlane: line "
	exitMark = "pushlane: the script called: "
)

// bashTrap and shTrap report the failed command. bash does it when the command
// fails the script; a command that fails after set +e is remembered, and reported
// if the script exits with its status. sh knows the line only, and some do not
// know that. A sh may count lines from 0.
const (
	bashTrap = `trap 'pushlane_at="$? $LINENO ${PIPESTATUS[*]}: ${BASH_COMMAND%%[[:cntrl:]]*}"; case $- in *e*) ` +
		sayAt + `pushlane_said=1 ;; esac' ERR; ` +
		`trap 'pushlane_is="$? ${BASH_COMMAND%%[[:cntrl:]]*}"; ` +
		`if [ "${pushlane_is%% *}" = 0 ] || [ -n "${pushlane_said-}" ]; then :; ` +
		`elif pushlane_at=${pushlane_at-}; [ "${pushlane_at%% *}" = "${pushlane_is%% *}" ]; then ` + sayAt +
		`else case "${pushlane_is#* }" in exit | "exit "*) echo "` + exitMark + `${pushlane_is#* }" >&2 ;; esac; fi' EXIT; `
	sayAt  = `pushlane_at=${pushlane_at#* }; echo "` + lineMark + `${pushlane_at%% *} exited ${pushlane_at#* }" >&2; `
	shTrap = `pushlane_first=${LINENO-}; trap 'pushlane_is=$?; [ "$pushlane_is" = 0 ] || [ -z "$pushlane_first" ] || ` +
		`echo "` + lineMark + `$((LINENO - pushlane_first + 1)) exited $pushlane_is" >&2' EXIT; `
)

// report is what a shell reported of the end of a script.
type report struct {
	line     int      // from 1
	statuses []string // of the commands of a pipe, in order
	command  string   // the last simple command; "" if the shell does not know it
	exit     string   // the exit that the script called itself
	syntax   bool     // the shell could not read the line
}

var (
	markForm = regexp.MustCompile(`^` + lineMark + `([0-9]{1,6}) exited ([0-9]{1,3}(?: [0-9]{1,3})*)(?:: (.*))?$`)
	ownForm  = regexp.MustCompile(`^(?:bash|sh): (?:-c: )?(?:line )?([0-9]{1,6}): (.*)$`)
)

// reported finds the last report in the output. Without one, the shell's own
// message with a line is one.
func reported(tail string) (r report, ok bool) {
	own := report{}
	for line := range strings.Lines(tail) {
		line = strings.TrimSpace(line)
		for _, mark := range []string{lineMark, exitMark} { // after output without a line break
			line = line[max(0, strings.LastIndex(line, mark)):]
		}
		if m := markForm.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			r, ok = report{line: n, statuses: strings.Fields(m[2]), command: m[3]}, true
		} else if rest, cut := strings.CutPrefix(line, exitMark); cut {
			r, ok = report{exit: rest}, true
		} else if m := ownForm.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			own = report{line: n, syntax: strings.HasPrefix(strings.ToLower(m[2]), "syntax error") ||
				strings.HasPrefix(m[2], "unexpected EOF")}
		}
	}
	if !ok {
		return own, own.line > 0
	}
	return r, true
}

// failedCommand says which command of a script ended with a status, and how:
// "`npm test` exited 1 (line 4)".
func failedCommand(script, tail string, exit int) string {
	lines := strings.Split(script, "\n")
	r, ok := reported(tail)
	switch {
	case ok && r.exit != "":
		return "the script ended with `" + clip(r.exit, maxNamed) + "`: exit status " + strconv.Itoa(exit)
	case !ok || r.line < 1 || r.line > len(lines):
		return exited(onlyCommand(lines), exit)
	case r.syntax:
		return "the script has a syntax error in line " + strconv.Itoa(r.line)
	}
	where := strconv.Itoa(r.line)
	part := failedPart(statement(lines, r.line-1), r)
	if part == "exit" || strings.HasPrefix(part, "exit ") {
		return "the script ended with `" + clip(part, maxNamed) + "`: exit status " + strconv.Itoa(exit)
	}
	if next, n := pipeAfter(lines, r.line); r.command == "" && n > 0 {
		part, where = clip(part, 40)+"` or `"+clip(next, 40), where+" or "+strconv.Itoa(n)
	}
	text := exited(part, exit)
	if onlyCommand(lines) != "" {
		return text
	}
	return text + " (line " + where + ")"
}

// pipeAfter is the next command after a line and its number, if it is a pipe or
// begins with a parenthesis: a sh does not count the lines of these, so that
// either may have failed.
func pipeAfter(lines []string, line int) (string, int) {
	for at := line; at < len(lines); at++ {
		text := strings.TrimSpace(lines[at])
		if text == "" || strings.HasPrefix(text, "#") || at > 0 && continues(lines[at-1]) {
			continue
		}
		text = statement(lines, at)
		if strings.HasPrefix(text, "(") || len(pipeline(text)) > 1 {
			return text, at + 1
		}
		break
	}
	return "", 0
}

// maxNamed is how much of a command a reason shows, in characters.
const maxNamed = 85

// exited says how a command ended; without a command only the status.
func exited(command string, exit int) string {
	if command == "" {
		return "exit status " + strconv.Itoa(exit)
	}
	text := "`" + clip(command, maxNamed) + "` exited " + strconv.Itoa(exit)
	if exit > 128 && exit < 128+65 {
		text += ", signal " + strconv.Itoa(exit-128)
	}
	return text
}

// statement joins the line at an index with those that it continues and that
// continue it.
func statement(lines []string, at int) string {
	first, last := at, at
	for first > 0 && continues(lines[first-1]) {
		first--
	}
	for last < len(lines)-1 && continues(lines[last]) {
		last++
	}
	var words []string
	for _, line := range lines[first : last+1] {
		words = append(words, strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), `\`)))
	}
	return strings.Join(words, " ")
}

// continues reports whether the next line belongs to the same command.
func continues(line string) bool {
	line = strings.TrimSpace(line)
	return !strings.HasPrefix(line, "#") && (strings.HasSuffix(line, `\`) || strings.HasSuffix(line, "|") ||
		strings.HasSuffix(line, "&&"))
}

// failedPart is the command of a statement that failed: the simple command that
// the shell named, the first one that failed of a pipe, or all of the statement.
func failedPart(statement string, r report) string {
	if len(r.statuses) < 2 {
		return first(r.command, statement)
	}
	parts := pipeline(statement)
	if len(parts) < len(r.statuses) {
		return statement
	}
	parts = parts[len(parts)-len(r.statuses):]
	k := slices.IndexFunc(r.statuses, func(s string) bool { return s != "0" && s != "141" }) // 141: its reader ended first
	if k < 0 {
		k = slices.IndexFunc(r.statuses, func(s string) bool { return s != "0" })
	}
	if k < 0 {
		return statement
	}
	return parts[k]
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// pipeline cuts a statement into the commands of its last pipe, as far as that
// can be seen without being a shell: quotes and backslashes count.
func pipeline(statement string) []string {
	var parts []string
	var part strings.Builder
	end := func(sep bool) {
		if text := strings.TrimSpace(part.String()); text != "" {
			parts = append(parts, text)
		}
		if !sep {
			parts = nil
		}
		part.Reset()
	}
	quote := byte(0)
	for i := 0; i < len(statement); i++ {
		c := statement[i]
		double := i+1 < len(statement) && statement[i+1] == c
		switch {
		case quote == 0 && c == '|' && !double:
			end(true)
			if strings.HasPrefix(statement[i+1:], "&") {
				i++
			}
			continue
		case quote == 0 && (c == ';' || double && (c == '|' || c == '&')):
			if double {
				i++
			}
			end(false)
			continue
		case quote != '\'' && c == '\\' && i+1 < len(statement):
			part.WriteByte(c)
			i++
			c = statement[i]
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		}
		part.WriteByte(c)
	}
	end(true)
	return parts
}
