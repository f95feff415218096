package lanerun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// maxUnread is how much of a container's output waits for a plugin that does
// not read it, in bytes. The lane's log has all of it.
const maxUnread = 1 << 20

// Job is a container that a plugin started, and its handle.
type Job struct {
	Cancel context.CancelFunc

	mu      sync.Mutex
	Changed chan struct{} // closed and made anew at every change
	ended   bool
	result  sdk.Result
	err     error
	output  bytes.Buffer
	lost    int64 // bytes of output dropped since the last read
}

func (j *Job) note() {
	close(j.Changed)
	j.Changed = make(chan struct{})
}

// End notes what became of the container.
func (j *Job) End(r sdk.Result, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended, j.result, j.err = true, r, err
	j.note()
}

// Ready says whether the container has ended, and how.
func (j *Job) Ready() (wasm.Ready, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.ended && j.err != nil:
		return wasm.Broken | wasm.Done, j.Changed
	case j.ended:
		return wasm.Done, j.Changed
	}
	return 0, j.Changed
}

// Close stops a container that still runs.
func (j *Job) Close() error { j.Cancel(); return nil }

// Answer is the result as container.result@1 gives it.
func (j *Job) Answer() ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case !j.ended:
		return nil, &wasm.OpError{Code: wasm.WouldBlock, Message: "the container has not ended"}
	case j.err != nil:
		return nil, &wasm.OpError{Code: wasm.Failed, Message: j.err.Error(), Hint: problem.Hint(j.err)}
	}
	return json.Marshal(j.result)
}

// Line takes one cleaned line of the container's output.
func (j *Job) Line(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.output.Len()+len(text) > maxUnread {
		j.lost += int64(j.output.Len())
		j.output.Reset()
	}
	j.output.WriteString(text + "\n")
	j.note()
}

// JobLog is a container's output as a handle to read.
type JobLog struct{ Job *Job }

// Ready: there is output, or there will be none any more.
func (l *JobLog) Ready() (wasm.Ready, <-chan struct{}) {
	l.Job.mu.Lock()
	defer l.Job.mu.Unlock()
	if l.Job.output.Len() > 0 || l.Job.ended {
		return wasm.Readable, l.Job.Changed
	}
	return 0, l.Job.Changed
}

// Close leaves the container as it is.
func (l *JobLog) Close() error { return nil }

// Read gives what came since the last read; a line says what was dropped.
func (l *JobLog) Read(p []byte) (int, error) {
	j := l.Job
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lost > 0 {
		rest := j.output.String()
		j.output.Reset()
		fmt.Fprintf(&j.output, "(%d bytes are missing here)\n%s", j.lost, rest)
		j.lost = 0
	}
	n, err := j.output.Read(p)
	if errors.Is(err, io.EOF) && !j.ended {
		err = wasm.ErrWouldBlock
	}
	return n, err
}
