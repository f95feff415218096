package hookclient

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// waits are how long the hook waits for the resident.
type waits struct {
	take time.Duration // for the call to be taken
	beat time.Duration // for a frame after that
}

// usualWaits: a resident takes a call in milliseconds, and sends a frame every
// five seconds.
func usualWaits() waits { return waits{take: 10 * time.Second, beat: 30 * time.Second} }

// errSilent is a resident that took the call, or may have, and went silent.
var errSilent = errors.New("the resident does not answer")

// bound limits the connect, each write and each read of a socket: a resident
// that is stopped takes connections and never answers.
func bound(fd int, wait time.Duration) {
	limit := syscall.NsecToTimeval(int64(wait))
	for _, of := range []int{syscall.SO_SNDTIMEO, syscall.SO_RCVTIMEO} {
		_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, of, &limit)
	}
}

// host reads what the resident sends. Before the first frame the wait ends
// with the error of a read that had to wait: nothing was judged. Later it ends
// with errSilent.
type host struct {
	conn  *os.File
	fd    int
	beat  time.Duration
	taken bool
}

func (h *host) Read(p []byte) (int, error) {
	n, err := h.conn.Read(p)
	switch {
	case n > 0 && !h.taken:
		h.taken = true
		bound(h.fd, h.beat)
	case errors.Is(err, syscall.EAGAIN) && (h.taken || h.late()):
		err = errSilent
	}
	return n, err
}

// late closes the way back, so that the resident can take the call no more,
// and tells whether it did so at the last moment.
func (h *host) late() bool {
	_ = syscall.Shutdown(h.fd, syscall.SHUT_RD)
	n, _, err := syscall.Recvfrom(h.fd, make([]byte, 1), syscall.MSG_DONTWAIT|syscall.MSG_PEEK)
	return err == nil && n > 0
}

// silent ends a call that the resident took and does not finish. What it would
// say later counts for nothing: the connection is closed.
func silent(gate string) (code int, served bool) {
	if gate == "post-receive" { // the push is in already: what comes after it is handed over again
		return 0, false
	}
	return fail("cannot decide: the resident pushlane took the push and no longer answers (push refused)",
		"push again; see: pushlane doctor"), true
}
