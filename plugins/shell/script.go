package main

import (
	"path"
	"strings"
)

// starter runs a script with the shell that reports most of its failures: bash,
// or a sh that has pipefail, or sh. Arguments: the script, what bash and what sh
// run before it on its first line, and "pipe" where a sh without pipefail needs a
// warning.
const starter = `if command -v bash >/dev/null 2>&1; then exec bash -Eeuo pipefail -c "$2$1" bash; fi
said=
` + plainStarter

const plainStarter = `if (set -o pipefail) 2>/dev/null; then
	[ -n "${said-no}" ] || echo "` + noteMark + `, the script runs with sh -eu -o pipefail" >&2
	exec /bin/sh -eu -o pipefail -c "$3$1" sh
fi
[ -n "${said-no}" ] || echo "` + noteMark + `, the script runs with sh -eu" >&2
if [ "$4" = pipe ]; then
	echo "pushlane: sh has no pipefail: only the last command of a pipe fails the script" >&2
fi
exec /bin/sh -eu -c "$3$1" sh`

const bashStarter = `if ! command -v bash >/dev/null 2>&1; then echo "pushlane: bash: not found" >&2; exit 127; fi
exec bash -Eeuo pipefail -c "$2$1" bash`

// fileStarter runs a script that begins with #!, as a file. Arguments: the
// script, its interpreter.
const fileStarter = `if ! [ -x "$2" ]; then echo "pushlane: $2: not found" >&2; exit 127; fi
file=$(mktemp) && printf '%s\n' "$1" >"$file" && chmod 700 "$file" && exec "$file"`

// noteMark begins the line that names the shell in the log.
const noteMark = "pushlane: the image has no bash"

// scriptCommand makes argv of a script and the lane's shell: "" for the best
// that the image has, "bash", "sh", or a program and arguments such as
// "python3 -c".
func scriptCommand(script, shell string) []string {
	pipe := ""
	if strings.Contains(strings.ReplaceAll(script, "||", ""), "|") {
		pipe = "pipe"
	}
	interpreter, hashbang := interpreterOf(script)
	switch {
	case shell == "bash":
		return []string{"/bin/sh", "-c", bashStarter, "pushlane", script, bashTrap}
	case shell == "sh":
		return []string{"/bin/sh", "-c", plainStarter, "pushlane", script, "", shTrap, ""}
	case shell != "":
		return append(strings.Fields(shell), script)
	case hashbang:
		return []string{"/bin/sh", "-c", fileStarter, "pushlane", script, interpreter}
	}
	return []string{"/bin/sh", "-c", starter, "pushlane", script, bashTrap, shTrap, pipe}
}

// interpreterOf reads the #! line of a script.
func interpreterOf(script string) (string, bool) {
	rest, ok := strings.CutPrefix(script, "#!")
	if !ok {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "\n")
	words := strings.Fields(rest)
	if len(words) == 0 || !path.IsAbs(words[0]) {
		return "", false
	}
	return words[0], true
}

// onlyCommand is the one line of a script that does something, or "" where
// there are more.
func onlyCommand(lines []string) string {
	only := ""
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "set ") {
			continue
		}
		if only != "" {
			return ""
		}
		only = line
	}
	return clip(only, 60)
}

// missingProgram is the name of a program that a shell or env did not find, in
// the last such line of a command's output.
func missingProgram(tail string) string {
	found := ""
	for line := range strings.Lines(tail) {
		line = strings.TrimSpace(line)
		for _, end := range []string{": command not found", ": not found", ": No such file or directory"} {
			if rest, ok := strings.CutSuffix(line, end); ok {
				name := strings.Trim(rest[strings.LastIndex(rest, ": ")+1:], " '`\"‘’")
				if name != "" && !strings.ContainsAny(name, " \t") {
					found = name
				}
			}
		}
	}
	return found
}
