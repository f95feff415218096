package incus

import (
	"io"
	"sync"
)

// tailSize is how much of a command's output Ended.Tail keeps, in bytes.
const tailSize = 64 << 10

// tailBuffer keeps the end of what is written to it, from any goroutine.
type tailBuffer struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 4*tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[max(0, len(t.buf)-tailSize):])
}

// stream passes one output on and keeps its end. What arrives after close is
// dropped: a process left in the background may hold the pipe for longer than
// the caller keeps its writers.
type stream struct {
	mu   sync.Mutex
	out  io.Writer // nil once closed
	tail *tailBuffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out != nil {
		s.tail.Write(p)
		s.out.Write(p) // one that fails must not stop the command
	}
	return len(p), nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = nil
}
