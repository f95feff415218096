package main

import (
	"fmt"
	"sync"
	"time"
)

// pullProgress shows how far a pull is, on one line of a terminal. Elsewhere it
// shows what is done, a line each.
type pullProgress struct {
	p *program

	mu    sync.Mutex
	shown time.Time
	drawn bool
}

// said shows what is being done.
func (b *pullProgress) said(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	fmt.Fprintf(b.p.err, "pushlane: %s\n", line)
}

// moved shows how many bytes there are, ten times a second at most.
func (b *pullProgress) moved(layers, of int, bytes, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.p.terminal.Live {
		return
	}
	if bytes == total {
		b.clear()
		return
	}
	if time.Since(b.shown) < 100*time.Millisecond {
		return
	}
	b.clear()
	b.shown, b.drawn = time.Now(), true
	fmt.Fprintf(b.p.err, "  %d of %d MB, %d of %d layers", bytes/1_000_000, total/1_000_000, layers, of)
}

func (b *pullProgress) clear() {
	if b.drawn {
		fmt.Fprint(b.p.err, "\r\x1b[K")
	}
	b.drawn = false
}
