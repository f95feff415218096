package lanerun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

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
		return o.run.keep(ctx, op, req)
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
	err = ContainerFault(c, o.run.limits(), o.run.Zone())
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

// past carries out an operation on what the push adds.
func (o *operations) past(ctx context.Context, handles *wasm.Handles, op string, req []byte) ([]byte, error) {
	for _, name := range []string{"repo.read", "repo.history"} {
		if !o.run.can(name) && (op == OpHistory || name == "repo.read") {
			return nil, o.run.refuse(ctx, o.run.denied(name))
		}
	}
	if op == OpHistory {
		return o.run.listPast(req, &o.toil)
	}
	return o.run.readBlobs(handles, req, &o.toil)
}

// send starts a request and returns at once.
func (o *operations) send(ctx context.Context, handles *wasm.Handles, data []byte) ([]byte, error) {
	var a HTTPRequest
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
	}
	o.run.dependsOutside("it sends requests")
	out := outgoing{o.run.access}
	req, err := out.prepareRequest(a)
	var wrong *wasm.OpError
	switch {
	case errors.As(err, &wrong):
		return nil, wrong
	case err != nil:
		return nil, o.run.refuse(ctx, err)
	case o.requests.Add(1) > maxRequests:
		return nil, &wasm.OpError{Code: wasm.TooMany, Message: fmt.Sprintf("a lane run sends at most %d requests",
			maxRequests)}
	}
	limit := min(requestTime, time.Duration(a.Millis)*time.Millisecond)
	if a.Millis == 0 {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	e := &PendingRequest{Cancel: cancel, Done: make(chan struct{}), Held: &o.replies}
	answer, err := AddHandle(handles, e)
	if err != nil {
		cancel()
		return nil, err
	}
	o.run.log.line('h', fmt.Sprintf("request: %s %s", req.Method, printable.Clean(req.URL.Redacted())))
	o.jobs.Go(func() {
		defer cancel()
		e.End(out.send(req.WithContext(ctx), a.Max))
	})
	return answer, nil
}
