package wasm

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// tailSize is how much of the end of standard error is stored for errors, in bytes.
const tailSize = 8 << 10

// guestLog is an instance's standard error: its first bytes go to the log of
// the run, its last ones are stored for error messages.
type guestLog struct {
	to    io.Writer // may be nil
	limit int64
	seen  int64 // bytes written by the guest
	cut   bool
	tail  []byte
}

func (l *guestLog) write(p []byte) error {
	l.keep(p)
	room := l.limit - l.seen
	l.seen += int64(len(p))
	if l.to == nil || l.cut {
		return nil
	}
	if int64(len(p)) <= room {
		_, err := l.to.Write(p)
		return err
	}
	l.cut = true
	if _, err := l.to.Write(p[:room]); err != nil {
		return err
	}
	_, err := fmt.Fprintf(l.to, "\nlog cut at %s\n", amount(l.limit, "bytes"))
	return err
}

func (l *guestLog) keep(p []byte) {
	if len(p) > tailSize {
		p = p[len(p)-tailSize:]
	}
	if len(l.tail)+len(p) > 2*tailSize {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-tailSize:]...)
	}
	l.tail = append(l.tail, p...)
}

// lines gives the last n lines.
func (l *guestLog) lines(n int) []string {
	text := bytes.TrimRight(l.tail, "\n\r \t")
	if len(text) == 0 {
		return nil
	}
	all := strings.Split(string(text), "\n")
	if len(all) > n {
		all = all[len(all)-n:]
	}
	return all
}
