package incus

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"sync"
)

// Incus 6.0.4 loses what a command printed last, or all of it, when the command
// ends on a busy machine: 1 of 150 runs of `incus exec` printing three lines.
// So a command does not end before its output is here. A shell around it
// prints a mark to both streams when it is done and waits; when both marks have
// arrived, its standard input is closed, and it ends with the command's status.

// ackScript runs a command and waits for the word that its output arrived. $1:
// the mark; then the command. The letter after the mark: e the command ran, n
// there is no such command, x it may not be run. When the host dies Incus kills
// the shell alone, and the standard input ends while the command runs: then the
// rest of the process group follows.
const ackScript = `mark=$1; shift
how=e
case $1 in
*/*) [ -e "$1" ] || how=n; [ $how = n ] || { [ -x "$1" ] && [ ! -d "$1" ]; } || how=x ;;
*) command -v "$1" >/dev/null 2>&1 || how=n ;;
esac
case $how in
n) rc=127 ;;
x) rc=126 ;;
*)
	exec 3<&0
	(read -r mark <&3; kill -9 0) >/dev/null 2>&1 & dog=$!
	"$@" </dev/null 3<&-
	rc=$?
	kill $dog
	wait $dog 2>/dev/null
	;;
esac
printf '%s%s' "$mark" $how
printf '%s%s' "$mark" $how >&2
read -r mark
exit $rc`

// findScript puts the path of the program in place of its name, as busybox's
// shell would take its own program of that name.
const findScript = `mark=$1 name=$2; shift 2
case $name in
*/*) ;;
*)
	IFS=:
	for dir in $PATH; do
		[ -f "$dir/$name" ] && [ -x "$dir/$name" ] && { name=$dir/$name; break; }
	done
	unset IFS
	case $name in */*) ;; *) name=/nonexistent/$name ;; esac
	;;
esac
set -- "$mark" "$name" "$@"
`

// ack is one command's handshake.
type ack struct {
	mark []byte

	mu   sync.Mutex
	left int           // streams whose mark has not come
	how  byte          // the letter after the mark
	all  chan struct{} // closed when both marks have come, or no one waits any more
}

func newAck() *ack {
	return &ack{mark: []byte("\x01\x02" + rand.Text() + "\x02\x01"), left: 2, all: make(chan struct{})}
}

func (a *ack) wrap(g guest, argv []string) []string {
	script := ackScript
	if g.own {
		script = findScript + ackScript
	}
	return append([]string{g.shell, "-c", script, "pushlane", string(a.mark)}, argv...)
}

// arrived notes one stream's mark.
func (a *ack) arrived(how byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.how = how
	if a.left--; a.left == 0 {
		close(a.all)
	}
}

// complete reports whether all output is here.
func (a *ack) complete() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.left == 0
}

// abandon lets go of a command whose marks will not come.
func (a *ack) abandon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left > 0 {
		a.left = -1
		close(a.all)
	}
}

// Read is the command's standard input: nothing, and its end when all output
// has arrived.
func (a *ack) Read([]byte) (int, error) {
	<-a.all
	return 0, io.EOF
}

// outcome is what the letter after the mark means.
func (a *ack) outcome(exit int, err error) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ran := unstartable{}
	switch {
	case a.left == 0 && a.how == 'e' && errors.As(err, &ran):
		// Incus takes the statuses 126 and 127 of a command that ran for its start.
		return ran.exit, nil
	case err != nil || a.left != 0:
		return exit, err
	case a.how == 'n':
		return 0, unstartable{127, "no such command"}
	case a.how == 'x':
		return 0, unstartable{126, "it is not a program, or may not be run"}
	}
	return exit, nil
}

// until passes a stream on up to the mark. What might be the mark's beginning
// is held back; it begins as no text does, so that output stays live.
func (a *ack) until(w io.Writer) io.Writer { return &marked{ack: a, w: w} }

type marked struct {
	ack  *ack
	w    io.Writer
	held []byte
	done bool
}

func (m *marked) Write(p []byte) (int, error) {
	if m.done {
		return len(p), nil // from what the command left in the background
	}
	m.held = append(m.held, p...)
	at := bytes.Index(m.held, m.ack.mark)
	if at >= 0 && at+len(m.ack.mark) < len(m.held) {
		m.done = true
		_, err := m.w.Write(m.held[:at])
		m.ack.arrived(m.held[at+len(m.ack.mark)])
		return len(p), err
	}
	if at < 0 {
		at = len(m.held) - m.possible()
	}
	_, err := m.w.Write(m.held[:at])
	m.held = append(m.held[:0], m.held[at:]...)
	return len(p), err
}

// possible is how many bytes at the end of held may be the mark's beginning.
func (m *marked) possible() int {
	for n := min(len(m.ack.mark), len(m.held)); n > 0; n-- {
		if bytes.HasSuffix(m.held, m.ack.mark[:n]) {
			return n
		}
	}
	return 0
}
