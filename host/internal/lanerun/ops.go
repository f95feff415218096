package lanerun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// The operations of sdk/ABI.md section 9 that this host offers.
const (
	OpStart  = "container.start@1"
	OpResult = "container.result@1"
	OpLog    = "container.log@1"
	OpInfo   = "host.info@1"

	OpRequest  = "http.request@1"
	OpResponse = "http.response@1"
	OpChanges  = "changes.list@1"
	OpGet      = "kv.get@1"
	OpSet      = "kv.set@1"
)

// offered are the operations a lane run has: those of the capabilities that
// were granted.
func (l *Lane) offered() []string { return OfferedTo(l.can) }

// OfferedTo lists the operations that a plugin with some capabilities may call.
func OfferedTo(can func(capability string) bool) []string {
	ops := []string{}
	if can("repo.read") {
		ops = append(ops, OpChanges, OpBlobs)
	}
	if can("repo.read") && can("repo.history") {
		ops = append(ops, OpHistory)
	}
	if can("container") {
		ops = append(ops, OpStart, OpResult, OpLog)
	}
	if can("http") {
		ops = append(ops, OpRequest, OpResponse)
	}
	if can("kv") {
		ops = append(ops, OpGet, OpSet)
	}
	return append(ops, OpInfo)
}

// operations answers the lane1 calls of one instance.
type operations struct {
	run     *Lane
	request sdk.Request
	jobs    sync.WaitGroup
	toil    Toil  // of this host, for the instance
	charged int64 // of it, so far

	requests atomic.Int64 // sent over http
	replies  atomic.Int64 // bytes of answers whose handles are open

	mu     sync.Mutex
	broken error // of the first container that could not be run
}

// cause is why a plugin could not decide, where that was ours.
func (o *operations) cause() error {
	o.jobs.Wait() // containers of an instance that ended are being stopped
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

// Call carries out one operation; see wasm.Ops.
func (o *operations) Call(ctx context.Context, handles *wasm.Handles, op string, req []byte) ([]byte, error) {
	switch op {
	case OpStart:
		return o.start(ctx, handles, req)
	case OpResult:
		return WithHandle(handles, req, "container", (*Job).Answer)
	case OpLog:
		return WithHandle(handles, req, "container", func(j *Job) ([]byte,
			error) {
			return AddHandle(handles, &JobLog{Job: j})
		})
	case OpRequest:
		return o.send(ctx, handles, req)
	case OpResponse:
		return WithHandle(handles, req, "request", (*PendingRequest).Response)
	case OpChanges:
		if !o.run.can("repo.read") {
			return nil, o.run.refuse(ctx, o.run.denied("repo.read"))
		}
		return o.run.listChanges(req, &o.toil)
	case OpHistory, OpBlobs:
		return o.past(ctx, handles, op, req)
	case OpGet, OpSet:
		return o.keep(ctx, op, req)
	case OpInfo:
		return json.Marshal(map[string]any{"abi": sdk.ABI, "ops": o.request.Ops, "granted": o.request.Granted,
			"limits": o.request.Limits})
	}
	return nil, &wasm.OpError{Code: wasm.Unsupported, Message: "no such operation: " + printable.Clean(op)}
}

// Work is what this host has worked for the instance since the last call, in
// units of fuel.
func (o *operations) Work() int64 {
	units := o.toil.spent - o.charged
	o.charged = o.toil.spent
	return units
}

// start launches a container and comes back at once.
func (o *operations) start(ctx context.Context, handles *wasm.Handles, req []byte) ([]byte, error) {
	c, err := sdk.ParseContainer(req)
	if err != nil {
		return nil, &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
	}
	err = ContainerFault(c, o.run.policy().ContainerLimits(), o.run.Zone())
	if err == nil {
		err = o.run.allowContainers([]sdk.Container{c})
	}
	if err != nil {
		o.note(sdk.Result{}, err)
		var wrong *wasm.OpError
		if errors.As(err, &wrong) {
			return nil, wrong
		}
		return nil, o.run.refuse(ctx, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	j := &Job{Cancel: cancel, Changed: make(chan struct{})}
	answer, err := AddHandle(handles, j)
	if err != nil {
		cancel()
		return nil, err
	}
	o.jobs.Go(func() {
		defer cancel()
		result, err := o.run.runContainer(ctx, c, j)
		o.note(result, err)
		j.End(result, err)
	})
	return answer, nil
}

// note keeps a result for the calls that may follow, and the first breakage.
func (o *operations) note(r sdk.Result, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.run.results = append(o.run.results, r)
	} else if o.broken == nil {
		o.broken = err
	}
}

// AddHandle gives a plugin a handle, and is the answer that names it.
func AddHandle(handles *wasm.Handles, h wasm.Handle) ([]byte, error) {
	n, err := handles.Add(h)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"handle":%d}`, n), nil
}

// WithHandle finds what a request names by its handle.
func WithHandle[T wasm.Handle](handles *wasm.Handles, req []byte, what string,
	do func(T) ([]byte, error)) ([]byte, error) {
	var r struct {
		Handle uint32 `json:"handle"`
	}
	if err := json.Unmarshal(req, &r); err != nil {
		return nil, &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
	}
	h, _ := handles.Get(r.Handle)
	one, ok := h.(T)
	if !ok {
		return nil, &wasm.OpError{Code: wasm.BadHandle, Message: fmt.Sprintf("handle %d is not a %s", r.Handle, what)}
	}
	return do(one)
}

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
