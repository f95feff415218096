package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// service is a process that runs next to the command, in the same container.
type service struct {
	name    string
	run     string // script for sh -eu
	ready   string // script that succeeds once the service may be used; may be empty
	timeout int64  // seconds to become ready
}

// serviceExit is the wrapper's exit status when a service did not come up.
const serviceExit = 125

// trouble begins the wrapper's own words about a service.
const trouble = "pushlane: service "

func readServices(run *sdk.Run) ([]service, error) {
	var all []service
	seen := map[string]bool{}
	for _, v := range run.With("services").Items() {
		s := service{name: v.Get("name").String(), run: v.Get("run").String(), ready: v.Get("ready").String()}
		if !plainName(s.name) || seen[s.name] {
			return nil, errors.New("setting services: " + strconv.Quote(s.name) +
				" is not a name ([a-z0-9][a-z0-9-]*), or comes twice")
		}
		seen[s.name] = true
		var err error
		if s.timeout, err = seconds(v.Get("ready_timeout").StringOr("30s")); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func plainName(name string) bool {
	for i, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || i > 0 && c == '-') {
			return false
		}
	}
	return 0 < len(name) && len(name) <= 32
}

// seconds reads "30s" or "2m".
func seconds(text string) (int64, error) {
	number, factor := text, int64(0)
	if cut, ok := strings.CutSuffix(text, "s"); ok {
		number, factor = cut, 1
	} else if cut, ok := strings.CutSuffix(text, "m"); ok {
		number, factor = cut, 60
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 || factor == 0 {
		return 0, errors.New("setting services: ready_timeout: want a time such as \"30s\" or \"2m\", found " +
			strconv.Quote(text))
	}
	return n * factor, nil
}

// serviceTrouble finds the wrapper's last word about a service.
func serviceTrouble(tail string) string {
	found := ""
	for line := range strings.Lines(tail) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), trouble); ok {
			found = "service " + rest
		}
	}
	return found
}

// withServices is a script for sh that starts the services, waits until they
// are ready, runs its arguments, and stops the services whatever happened. A
// service has its own session, so that all it started is stopped with it, and
// its output comes line by line through a pipe with the service's name in
// front. Nothing may keep the script's own output open at the end: the caller
// waits for that.
func withServices(services []service) string {
	var b strings.Builder
	b.WriteString(prologue)
	for _, s := range services {
		b.WriteString("start " + quote(s.name) + " " + quote(s.run) + "\n")
		if s.ready != "" {
			b.WriteString("ready " + quote(s.name) + " " + strconv.FormatInt(s.timeout, 10) + " " + quote(s.ready) + "\n")
		}
	}
	b.WriteString(epilogue)
	return b.String()
}

// quote makes one word of the shell of any text.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

const prologue = `set -u
dir=$(mktemp -d) || exit 125
groups= readers= own=
if command -v setsid >/dev/null 2>&1; then own=setsid; fi
name() { while IFS= read -r line || [ -n "$line" ]; do printf '%s: %s\n' "$1" "$line"; done; }
signal() {
	for g in $groups; do
		if [ -n "$own" ]; then kill -s "$1" -- "-$g" 2>/dev/null || :; fi
		kill -s "$1" "$g" 2>/dev/null || : # one that has no session yet
	done
}
alive() { for p in $1; do if kill -0 "$p" 2>/dev/null; then return 0; fi; done; return 1; }
gone() { n=0; while alive "$1" && [ "$n" -lt "$2" ]; do sleep 0.1; n=$((n+1)); done; }
stop() {
	trap '' TERM INT HUP
	signal TERM
	gone "$groups" 30
	signal KILL
	gone "$readers" 10
	for r in $readers; do kill -s KILL "$r" 2>/dev/null || :; done
	rm -rf "$dir"
}
start() {
	mkfifo "$dir/$1" || exit 125
	name "$1" <"$dir/$1" &
	readers="$readers $!"
	$own /bin/sh -eu -c "$2" "$1" >"$dir/$1" 2>&1 </dev/null &
	last=$!
	groups="$groups $last"
}
trouble() {
	if [ -s "$dir/said" ]; then name "$1 ready" <"$dir/said"; fi
	echo "pushlane: service $2"
	exit 125
}
ready() {
	end=$(($(date +%s) + $2))
	until /bin/sh -eu -c "$3" >"$dir/said" 2>&1 </dev/null; do
		if ! kill -0 "$last" 2>/dev/null; then
			wait "$last"
			trouble "$1" "$1 ended with status $? before it was ready"
		fi
		if [ "$(date +%s)" -ge "$end" ]; then trouble "$1" "$1 was not ready after $2s"; fi
		sleep 0.1
	done
}
trap stop EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
trap 'exit 129' HUP
`

const epilogue = `status=0
"$@" || status=$?
exit "$status"
`
