package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// testOps is a host that knows a few operations.
type testOps struct {
	mu     sync.Mutex
	closed int
}

func (o *testOps) Call(ctx context.Context, handles *Handles, op string, req []byte) ([]byte, error) {
	switch op {
	case "echo@1":
		return req, nil
	case "refuse@1":
		return nil, &OpError{Code: Denied, Message: "not with me", Hint: "ask someone else"}
	case "break@1":
		return nil, errors.New("the disk is full")
	case "slow@1", "never@1":
		h := &slow{ops: o, changed: make(chan struct{}), text: "done\n"}
		if op == "slow@1" {
			time.AfterFunc(20*time.Millisecond, h.finish)
		}
		n, err := handles.Add(h)
		return fmt.Appendf(nil, `{"handle":%d}`, n), err
	}
	return nil, &OpError{Code: Unsupported, Message: "no operation " + op}
}

// slow is a handle that can be read after a while.
type slow struct {
	ops     *testOps
	changed chan struct{}
	text    string
}

func (s *slow) finish() { close(s.changed) }

func (s *slow) Ready() (Ready, <-chan struct{}) {
	select {
	case <-s.changed:
		return Readable | Done, nil
	default:
		return 0, s.changed
	}
}

func (s *slow) Read(p []byte) (int, error) {
	if st, _ := s.Ready(); st == 0 {
		return 0, ErrWouldBlock
	}
	if s.text == "" {
		return 0, io.EOF
	}
	n := copy(p, s.text)
	s.text = s.text[n:]
	return n, nil
}

func (s *slow) Close() error {
	s.ops.mu.Lock()
	defer s.ops.mu.Unlock()
	s.ops.closed++
	return nil
}

func TestLane1(t *testing.T) {
	ops := &testOps{}
	var log bytes.Buffer
	r, err := load(t, open(t, Options{}), "calls").Run(t.Context(), Call{World: &Local{Ops: ops}, Stderr: &log})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, string(r.Stdout), []string{
		`echo 7 {"a":1}`,
		`echo, no room 7 7 {"a":1} -61`,
		`unknown -38 {"code":-38,"message":"no operation rocket.launch@9"}`,
		`no JSON -22 {"code":-22,"message":"the request is not JSON"}`,
		`refused -13 {"code":-13,"message":"not with me","hint":"ask someone else"}`,
		`broke -5 {"code":-5,"message":"the disk is full"}`,
		`too large -75 {"code":-75,"message":"a request is at most 1 MiB long"}`,
		`outside -14 -14 -14 -14 {"code":-14,"message":"memory outside the module's"}`,
		`bad handles -9 -9 -9 -9 -9 -14`,
		`wait for none 1 4`,
		`wait wrongly -22 -22 -14 -14 0`,
		`slow 12 {"handle":1}`,
		`not yet 0 0 -11`,
		`now 1 3`,
		`read 5 done`,
		` 0 -14`,
		`write -9`,
		`close 0 -9`,
		`handles 64 -24 {"code":-24,"message":"at most 64 handles can be open at once"}`,
	})
	if got, want := log.String(), "error: went wrong\nso so\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	if ops.closed != 65 {
		t.Errorf("%d of 65 handles were closed", ops.closed)
	}
}

func TestNoOps(t *testing.T) {
	r, _ := load(t, open(t, Options{}), "calls").Run(t.Context(), Call{})
	if !bytes.HasPrefix(r.Stdout, []byte("echo -38 ")) {
		t.Errorf("got %.100q", r.Stdout)
	}
}

// TestWaitEndsWithTheRun: a plugin that waits for what never comes is ended
// when its context is, and its handles are closed.
func TestWaitEndsWithTheRun(t *testing.T) {
	ops := &testOps{}
	m := load(t, open(t, Options{}), "waits")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(2*time.Second, func() { cancel(errors.New("the push was called off")) }) // by then it waits
	_, err := m.Run(ctx, Call{World: &Local{Ops: ops}})
	wantError(t, err, []string{`plugin "waits" was stopped: the push was called off (`})
	var stopped *StoppedError
	if !errors.As(err, &stopped) || stopped.Last != "lane1.wait" || ops.closed != 1 {
		t.Errorf("got %+v, %d closed", stopped, ops.closed)
	}
}
