package sandbox

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// A frame is a message between the host and a worker, either way: a header of nine
// bytes (length of the data, number of the run, kind), then the data.
type frame struct {
	run  uint32
	kind byte
	data []byte
}

const (
	// host to worker
	frameSetup  = 'S' // setup as JSON; the module's bytes follow
	frameModule = 'M'
	frameStart  = 'R' // order as JSON; standard input follows
	frameStdin  = 'I'
	frameAnswer = 'A' // wasm.Answer
	frameBroken = 'B' // in place of an answer: what broke on the host's side
	frameCancel = 'C'
	// worker to host
	frameReady    = 'r' // readiness as JSON
	frameQuestion = 'q' // wasm.Question
	frameLog      = 'l'
	frameOut      = 'o' // a file below /out: name, NUL, content
	frameStdout   = 's'
	frameEnd      = 'e' // ending as JSON, the last of a run
)

// maxFrame is what either side takes at once: a module, or a file of /out.
const maxFrame = 80 << 20

type pipe struct {
	r  *bufio.Reader
	w  io.Writer
	mu sync.Mutex
	b  []byte
}

func newPipe(rw io.ReadWriter) *pipe {
	return &pipe{r: bufio.NewReaderSize(rw, 64<<10), w: rw}
}

// send writes a frame. It is safe for concurrent use.
func (p *pipe) send(run uint32, kind byte, data []byte) error {
	if len(data) > maxFrame {
		return fmt.Errorf("a message of %d bytes", len(data))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.b = binary.LittleEndian.AppendUint32(p.b[:0], uint32(len(data)))
	p.b = binary.LittleEndian.AppendUint32(p.b, run)
	p.b = append(p.b, kind)
	if len(data) <= joined {
		_, err := p.w.Write(append(p.b, data...))
		return err
	}
	_, err := p.w.Write(p.b)
	if err == nil {
		_, err = p.w.Write(data)
	}
	return err
}

// joined is up to how many bytes data is copied behind its header: one write
// is cheaper than two, and copying much is dearer.
const joined = 16 << 10

func (p *pipe) receive() (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return frame{}, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxFrame {
		return frame{}, fmt.Errorf("a message of %d bytes", n)
	}
	f := frame{run: binary.LittleEndian.Uint32(head[4:]), kind: head[8], data: make([]byte, n)}
	_, err := io.ReadFull(p.r, f.data)
	return f, err
}
