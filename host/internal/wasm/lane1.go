package wasm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// lane1Module is the import module of the host's own seven functions.
const lane1Module = "lane1"

// Code is a negative answer of a lane1 function.
type Code int32

// The codes of ABI 1.
const (
	Failed      Code = -5
	BadHandle   Code = -9
	WouldBlock  Code = -11
	Denied      Code = -13
	fault       Code = -14
	Invalid     Code = -22
	TooMany     Code = -24
	Unsupported Code = -38
	nothing     Code = -61
	tooLarge    Code = -75
)

const (
	maxRequest = 1 << 20 // bytes of one lane1.call request
	maxOp      = 128     // bytes of an operation's name
	maxLine    = 64 << 10
	maxHandles = 64
)

// Ops is what lane1.call does. Call carries out one operation,
// "container.start@1", with its JSON request and gives its JSON response. It
// must come back at once; what takes long is a Handle. ctx is the run's.
//
// An *OpError is the plugin's answer; any other error is the code Failed with
// the error's text.
type Ops interface {
	Call(ctx context.Context, handles *Handles, op string, req []byte) ([]byte, error)
}

// OpError is an operation that was refused or went wrong.
type OpError struct {
	Code    Code
	Message string
	Hint    string // may be empty
}

func (e *OpError) Error() string { return e.Message }

// lane1Func is one function of lane1, found by name.
type lane1Func struct {
	name    string
	params  string
	results string
	f       func(s *session, g guest, p []uint64) int64
}

func lane1Funcs() []lane1Func {
	return []lane1Func{
		{"call", "iiiiii", "I", laneCall},
		{"take", "ii", "I", laneTake},
		{"read", "iii", "I", laneRead},
		{"write", "iii", "I", laneWrite},
		{"wait", "iiiI", "i", laneWait},
		{"close", "i", "i", laneClose},
		{"log", "iii", "", laneLog},
	}
}

func (l lane1Func) function() api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		s := sessionOf(ctx)
		s.enter(lane1Module+"."+l.name, false)
		answer := int64(fault)
		if mem := mod.Memory(); mem != nil {
			answer = l.f(s, guest{mem}, stack)
		}
		switch l.results {
		case "I":
			stack[0] = uint64(answer)
		case "i":
			stack[0] = uint64(uint32(int32(answer)))
		}
	}
}

// laneCall: op, op_len, req, req_len, resp, resp_cap.
func laneCall(s *session, g guest, p []uint64) int64 {
	s.parked = nil
	op, okOp := g.area(p[0], p[1])
	req, okReq := g.area(p[2], p[3])
	if _, okResp := g.area(p[4], p[5]); !okOp || !okReq || !okResp {
		return s.park(&OpError{Code: fault, Message: "memory outside the module's"})
	}
	switch {
	case len(op) > maxOp:
		return s.park(&OpError{Code: Unsupported, Message: "an operation's name is at most 128 bytes long"})
	case len(req) > maxRequest:
		return s.park(&OpError{Code: tooLarge, Message: fmt.Sprintf("a request is at most %s long", amount(maxRequest, "bytes"))})
	}
	name := string(op)
	s.last = "lane1.call " + clip(name)
	if s.call.Ops == nil {
		return s.park(&OpError{Code: Unsupported, Message: "this host offers no operations here"})
	}
	if !json.Valid(req) {
		return s.park(&OpError{Code: Invalid, Message: "the request is not JSON"})
	}
	resp, err := s.call.Ops.Call(s.ctx, s.handles, name, slices.Clone(req))
	s.checkTime()
	if err != nil {
		return s.park(err)
	}
	return s.answer(g, p[4], p[5], resp)
}

// clip shortens a guest's word for a message.
func clip(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// answer writes a response or parks it.
func (s *session) answer(g guest, ptr, room uint64, resp []byte) int64 {
	b, inside := g.area(ptr, room)
	if inside && len(resp) <= len(b) {
		copy(b, resp)
	} else {
		s.parked = append([]byte{}, resp...)
	}
	return int64(len(resp))
}

// park keeps an error's JSON for take.
func (s *session) park(err error) int64 {
	var op *OpError
	if !errors.As(err, &op) {
		op = &OpError{Code: Failed, Message: err.Error()}
		var h interface{ Hint() string }
		if errors.As(err, &h) {
			op.Hint = h.Hint()
		}
	}
	if op.Code >= 0 {
		op = &OpError{Code: Failed, Message: op.Message, Hint: op.Hint}
	}
	s.parked, _ = json.Marshal(struct {
		Code    Code   `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	}{op.Code, op.Message, op.Hint})
	return int64(op.Code)
}

func laneTake(s *session, g guest, p []uint64) int64 {
	b, inside := g.area(p[0], p[1])
	switch {
	case !inside:
		return int64(fault)
	case s.parked == nil:
		return int64(nothing)
	}
	n := len(s.parked)
	if n <= len(b) {
		copy(b, s.parked)
		s.parked = nil
	}
	return int64(n)
}

func laneRead(s *session, g guest, p []uint64) int64 {
	h, found := s.handles.Get(uint32(p[0]))
	r, can := h.(Reader)
	if !found || !can {
		return int64(BadHandle)
	}
	b, inside := g.area(p[1], p[2])
	if !inside {
		return int64(fault)
	}
	n, err := r.Read(b)
	switch {
	case n > 0:
		return int64(n)
	case errors.Is(err, io.EOF):
		return 0
	case err == nil, errors.Is(err, ErrWouldBlock):
		return int64(WouldBlock)
	}
	return s.park(err)
}

func laneWrite(s *session, g guest, p []uint64) int64 {
	h, found := s.handles.Get(uint32(p[0]))
	w, can := h.(io.Writer)
	if !found || !can {
		return int64(BadHandle)
	}
	b, inside := g.area(p[1], p[2])
	if !inside {
		return int64(fault)
	}
	n, err := w.Write(slices.Clone(b))
	switch {
	case n > 0:
		return int64(n)
	case err == nil, errors.Is(err, ErrWouldBlock):
		return int64(WouldBlock)
	}
	return s.park(err)
}

// laneWait: handles, n, ready, timeout_ms.
func laneWait(s *session, g guest, p []uint64) int64 {
	n, timeout := p[1]&0xffffffff, int64(p[3])
	if n > maxHandles || n == 0 && timeout < 0 {
		return int64(Invalid)
	}
	list, okList := g.area(p[0], 4*n)
	ready, okReady := g.area(p[2], n)
	if !okList || !okReady {
		return int64(fault)
	}
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = le.Uint32(list[4*i:])
	}
	states := s.waitAny(ids, timeout)
	count := int64(0)
	for i, st := range states {
		ready[i] = byte(st)
		if st != 0 {
			count++
		}
	}
	return count
}

// waitAny blocks until a handle is ready, the time is over or the run ends.
func (s *session) waitAny(ids []uint32, millis int64) []Ready {
	var timeout <-chan time.Time
	if millis > 0 {
		t := time.NewTimer(time.Duration(min(millis, 1<<40)) * time.Millisecond)
		defer t.Stop()
		timeout = t.C
	}
	for {
		states, any, changed := s.handles.poll(ids)
		if any || millis == 0 {
			return states
		}
		select {
		case <-changed:
		case <-timeout:
			s.clock += min(millis, 1<<40) * int64(time.Millisecond)
			states, _, _ = s.handles.poll(ids)
			return states
		case <-s.ctx.Done():
			s.checkTime()
		}
	}
}

func laneClose(s *session, _ guest, p []uint64) int64 {
	if !s.handles.drop(uint32(p[0])) {
		return int64(BadHandle)
	}
	return 0
}

// levels are the words before a log line of lane1.log.
var levels = map[uint32]string{1: "error: ", 2: "warning: ", 4: "debug: "}

// laneLog: level, ptr, len. One line, whatever is in it.
func laneLog(s *session, g guest, p []uint64) int64 {
	b, inside := g.area(p[1], p[2])
	if !inside {
		return 0
	}
	line := append([]byte(levels[uint32(p[0])]), b[:min(len(b), maxLine)]...)
	for i, c := range line {
		if c == '\n' || c == '\r' {
			line[i] = ' '
		}
	}
	s.writeLog(append(line, '\n'))
	return 0
}
