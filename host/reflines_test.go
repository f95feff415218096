package host

import (
	"bytes"
	"sync"
	"testing"
)

// TestFramesOfALongOutput: whatever is written, no frame is longer than the
// client takes, and nothing is lost.
func TestFramesOfALongOutput(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, maxReplyFrame, maxReplyFrame + 1, 3*maxReplyFrame + 7} {
		var wire bytes.Buffer
		text := bytes.Repeat([]byte("x"), n)
		if wrote, err := (frameWriter{&sync.Mutex{}, &wire, 'o'}).Write(text); wrote != n || err != nil {
			t.Fatalf("%d bytes: wrote %d, %v", n, wrote, err)
		}
		got, frames := 0, 0
		for wire.Len() > 0 {
			head := wire.Next(5)
			size := int(head[1])<<24 | int(head[2])<<16 | int(head[3])<<8 | int(head[4])
			if size > maxReplyFrame || head[0] != 'o' {
				t.Fatalf("%d bytes: a frame %q of %d", n, head[0], size)
			}
			got, frames = got+len(wire.Next(size)), frames+1
		}
		if got != n || frames == 0 {
			t.Errorf("%d bytes: %d arrive in %d frames", n, got, frames)
		}
	}
}
