package sdk

import (
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// Job is a container that was requested.
type Job struct {
	run       *Run
	container Container
	handle    int32 // of module lane1; 0 without

	// Guarded by run.mu.
	have   bool // result is there
	waited bool
	result Result
	err    error
}

// Container runs one command in a throw-away container and returns its result. A
// command that fails is not an error: see Result.Exit. An error means that it could
// not be run; check should return it. Needs the capability "container".
//
// The host may end this call of the plugin and make another one that has the result.
// Check then runs again from its start, and every Container call that has a result
// returns at once. Check must therefore make the same calls each time it receives
// the same request; its other effects before are not repeated.
func (r *Run) Container(c Container) (Result, error) {
	return r.Start(c).Wait()
}

// Start requests a container and does not wait for it: containers that were started
// before the first Wait run in parallel. Wait for every Job, unless the run fails.
func (r *Run) Start(c Container) *Job {
	j := &Job{run: r, container: c}
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.err = r.mayStart(c); j.err != nil {
		return j
	}
	r.jobs = append(r.jobs, j)
	for _, result := range r.Results {
		if result.ID == c.ID {
			r.replay--
			j.result, j.have = result, true
			return j
		}
	}
	if r.offers(opStart) {
		j.handle, j.err = r.host.start(&c)
	}
	return j
}

// offers reports whether the host has an operation of module lane1.
func (r *Run) offers(op string) bool { return r.session.WithImports && slices.Contains(r.Ops, op) }

func (r *Run) mayStart(c Container) error {
	switch {
	case !validID(c.ID):
		return errors.New("cannot start container " + strconv.Quote(c.ID) +
			": an id is [a-z0-9][a-z0-9_-]*, at most 40 bytes")
	case len(c.Command) == 0:
		return errors.New("cannot start container " + c.ID + ": no command")
	case slices.ContainsFunc(r.jobs, func(j *Job) bool { return j.container.ID == c.ID }):
		return errors.New("cannot start container " + c.ID + ": the id is used twice")
	}
	return r.faults.err()
}

func validID(id string) bool {
	for i, c := range []byte(id) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || i > 0 && (c == '-' || c == '_')) {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 40
}

// Wait waits for the container and returns its result.
func (j *Job) Wait() (Result, error) {
	r := j.run
	r.mu.Lock()
	j.waited = true
	if j.have || j.err != nil {
		defer r.mu.Unlock()
		return j.result, j.err
	}
	r.mu.Unlock()
	if j.handle == 0 {
		// The result comes with a later call of the plugin; this one ends.
		select {
		case r.waiting <- struct{}{}:
		default:
		}
		select {}
	}
	r.pump.wait(j.handle)
	result, err := r.host.result(j.handle)
	r.mu.Lock()
	defer r.mu.Unlock()
	j.result, j.err, j.have = result, err, err == nil
	return j.result, j.err
}

// hostCalls carries out the operations of the host.
type hostCalls struct{ mu sync.Mutex } // held during an operation

// Operations of module lane1.
const (
	opStart  = "container.start@1"
	opResult = "container.result@1"
)

// OpError is an operation that the host refused or could not perform.
type OpError struct {
	Op      string
	Code    int // see ABI.md: -5 failed, -13 denied, -22 invalid, -24 too many, -38 unsupported
	Message string
	Advice  string // how to fix it; may be empty
}

func (e *OpError) Error() string {
	text := "cannot " + e.Op + ": " + e.Message
	if e.Message == "" {
		text += "error " + strconv.Itoa(e.Code)
	}
	if e.Advice != "" {
		text += " (" + e.Advice + ")"
	}
	return text
}

// start asks for a container through module lane1.
func (h *hostCalls) start(c *Container) (int32, error) {
	answer, err := h.call(opStart, c.AppendJSON(nil))
	if err != nil {
		return 0, err
	}
	return handleOf(opStart, answer)
}

// handleOf reads an answer that is a handle.
func handleOf(op string, answer []byte) (int32, error) {
	v, err := ParseValue(answer)
	if err != nil {
		return 0, errors.New("cannot " + op + ": the host's response: " + err.Error())
	}
	var wrong faults
	n := v.at("", &wrong).Get("handle").Int()
	if wrong.err() != nil || n < 1 || n > 1<<31-1 {
		return 0, errors.New("cannot " + op + ": the host gave no handle")
	}
	return int32(n), nil
}

// result fetches the result of a container that has ended.
func (h *hostCalls) result(handle int32) (Result, error) {
	m := object(nil)
	m.int("handle", int64(handle))
	answer, err := h.call(opResult, m.end())
	closeHandle(handle)
	if err != nil {
		return Result{}, err
	}
	return ParseResult(answer)
}

// call carries out one operation, one at a time: the host keeps a single
// parked answer, and a goroutine may lose its turn before it has taken it,
// since making room for the answer can start a garbage collection.
func (h *hostCalls) call(op string, req []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return callHost(op, req)
}

// read reads from a handle of the host.
func (h *hostCalls) read(handle int32, p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return readHandle(handle, p)
}

// opFault reads the error object that the host parked.
func opFault(op string, code int64, text []byte) error {
	v, _ := ParseValue(text)
	return &OpError{Op: op, Code: int(code), Message: v.Get("message").String(), Advice: v.Get("hint").String()}
}

// pumpSlice is how long one wait in the host lasts at most, in milliseconds:
// the guest has one thread, and its own timers do not run meanwhile.
const pumpSlice = 250

// pump waits in the host on behalf of all goroutines that wait for a handle.
// A guest has one thread: a goroutine that waited in the host itself would
// stop all others. Guarded by nothing, for the same reason.
type pump struct {
	running bool
	waiters []waiter
}

type waiter struct {
	handle int32
	done   chan struct{}
}

// wait returns when the handle is ready.
func (p *pump) wait(handle int32) {
	w := waiter{handle, make(chan struct{})}
	p.waiters = append(p.waiters, w)
	if !p.running {
		p.running = true
		go p.work()
	}
	<-w.done
}

func (p *pump) work() {
	for len(p.waiters) > 0 {
		runtime.Gosched() // run other goroutines before asking the host
		handles := make([]int32, 0, maxHandles)
		for _, w := range p.waiters[:min(len(p.waiters), maxHandles)] {
			handles = append(handles, w.handle)
		}
		ready := waitHandles(handles, pumpSlice)
		kept := p.waiters[:0:0]
		for i, w := range p.waiters {
			if i < len(ready) && ready[i]&(flagDone|flagErr) != 0 {
				close(w.done)
				continue
			}
			kept = append(kept, w)
		}
		p.waiters = kept
	}
	p.running = false
}

const (
	maxHandles = 64
	flagDone   = 2
	flagErr    = 4
)
