package wasm

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// session is one instance and all that its host functions work on. It begins
// without a call: what needs none (arguments, clocks, random numbers) works at
// once, everything else waits in await until bind. So an instance can be
// started ahead of its request.
//
// After bind everything but the channels belongs to the instance's goroutine
// until done is closed.
type session struct {
	module *Module
	bound  chan struct{} // closed by bind
	quit   chan struct{} // closed by abandon
	done   chan struct{} // closed when the instance has ended
	err    error         // how _start ended; valid after done

	isBound bool // the goroutine has seen bound
	ctx     context.Context
	call    *Call

	stopped error  // why the host ended the run; nil: it did not
	last    string // host function called last
	calls   int64
	ticks   int64 // before bind
	fuel    int64 // units spent
	clock   int64 // nanoseconds that this instance believes to have lived
	random  *rand.ChaCha8
	used    int64 // bytes of memory at the end
	ended   bool  // the instance has ended

	memory *memory
	files  files
	stdin  []byte // not yet read
	stdout bytes.Buffer
	log    guestLog
	parked []byte // lane1 answer that waits for take; nil: none
}

// errStop unwinds the instance; session.stopped says why.
var errStop = errors.New("stopped by the host")

// errAbandoned ends an instance that never got a call.
var errAbandoned = errors.New("not needed")

func newSession(m *Module) *session {
	s := &session{module: m, bound: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{}),
		random: rand.NewChaCha8(randomSeed)}
	s.memory = &memory{session: s}
	return s
}

// sessionKey finds the session in the context that wazero hands through.
type sessionKey struct{}

func (s *session) context() context.Context {
	ctx := context.WithValue(context.Background(), sessionKey{}, s)
	return experimental.WithMemoryAllocator(ctx, s.memory)
}

func sessionOf(ctx context.Context) *session { return ctx.Value(sessionKey{}).(*session) }

// bind gives the instance its call and lets it go on.
func (s *session) bind(ctx context.Context, call *Call) {
	s.ctx, s.call = ctx, call
	s.stdin = call.Stdin
	s.log = guestLog{to: call.Stderr, limit: call.MaxStderr}
	s.files = newFiles(s)
	close(s.bound)
}

// abandon ends an instance that was never bound.
func (s *session) abandon() { close(s.quit) }

// await returns when there is a call.
func (s *session) await() {
	if s.isBound {
		return
	}
	select {
	case <-s.bound:
		s.isBound = true
		s.checkTime()
	case <-s.quit:
		s.stop(errAbandoned)
	}
}

func (s *session) wait() error {
	<-s.done
	return s.err
}

// stop ends the run; it does not return.
func (s *session) stop(why error) {
	if s.stopped == nil {
		s.stopped = why
	}
	panic(errStop)
}

func (s *session) limit(what string, limit int64, unit string) {
	s.stop(&LimitError{What: what, Limit: limit, Unit: unit})
}

func (s *session) checkTime() {
	if s.ctx.Err() != nil {
		s.stop(context.Cause(s.ctx))
	}
}

// enter begins every host function.
func (s *session) enter(name string, early bool) {
	s.last = name
	s.calls++
	if !early {
		s.await()
	}
	if s.hasCall() {
		s.checkTime()
		// Each call is cheap for the plugin and may be dear for the host.
		if s.calls > s.call.MaxCalls {
			s.limit("host functions", s.call.MaxCalls, "calls")
		}
	}
}

// hasCall looks whether bind has been called, without waiting for it.
func (s *session) hasCall() bool {
	if !s.isBound {
		select {
		case <-s.bound:
			s.isBound = true
		default:
		}
	}
	return s.isBound
}

// earlyTicks is how much an instance may work ahead of its request, in slices
// of fuel: a good Go program's start takes about 5.
const earlyTicks = 500

// onTick is called by the module itself each time a slice of fuel is spent.
func onTick(ctx context.Context, _ api.Module, _ api.FunctionDefinition, params []uint64,
	_ experimental.StackIterator) {
	s := sessionOf(ctx)
	s.fuel += fuelSlice - int64(params[0])
	if !s.hasCall() {
		if s.ticks++; s.ticks < earlyTicks {
			return
		}
		s.await()
	}
	s.checkTime()
	s.spend(0)
}

// spend takes what the host worked for the run, and looks whether there is fuel
// left.
func (s *session) spend(units int64) {
	s.fuel += max(units, 0)
	if s.call.Fuel > 0 && s.fuel > s.call.Fuel {
		s.limit("fuel", s.call.Fuel, "units")
	}
}

// sleep waits in real time and moves the instance's clock on by as much.
func (s *session) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	s.clock += int64(d)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
		s.checkTime()
	}
}

// close gives back what the instance held of the world.
func (s *session) close() {
	if s.isBound { // else it asked for nothing, and bind may be under way
		s.call.World.Close()
	}
	s.ended = true
}

// ask puts a question to the world outside.
func (s *session) ask(q Question) (Answer, error) {
	a, err := s.call.World.Ask(s.ctx, q)
	s.checkTime()
	return a, err
}

// over: nothing can be asked any more.
func (s *session) over() bool { return s.ended || s.stopped != nil || s.ctx.Err() != nil }

func (s *session) usage(took time.Duration) Usage {
	u := Usage{Time: took, Fuel: s.fuel, Memory: s.used, Stdout: int64(s.stdout.Len()), Stderr: s.log.seen, Calls: s.calls}
	if s.call.Out != nil {
		u.Out = s.call.Out.size()
	}
	return u
}
