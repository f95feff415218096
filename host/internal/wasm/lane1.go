package wasm

import (
	"context"
	"fmt"
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

// Worker is Ops that work for the plugin, and say how much.
type Worker interface {
	// Work is what the operations carried out since the last call took, in
	// units of fuel: the run pays for it.
	Work() int64
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
		return s.park(&OpError{Code: tooLarge, Message: fmt.Sprintf("a request is at most %s long",
			amount(maxRequest, "bytes"))})
	}
	name := string(op)
	s.last = "lane1.call " + clip(name)
	a, err := s.ask(Question{Kind: AskCall, Name: name, Data: slices.Clone(req)})
	if err != nil {
		s.stop(err)
	}
	s.spend(a.Size)
	if a.Code < 0 {
		s.parked = a.Data
		return a.Code
	}
	return s.answer(g, p[4], p[5], a.Data)
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
func (s *session) park(err *OpError) int64 {
	a := refusal(err)
	s.parked = a.Data
	return a.Code
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
	b, inside := g.area(p[1], p[2])
	if !inside {
		return int64(fault)
	}
	a := s.onHandle(Question{Kind: AskTake, Handle: uint32(p[0]), Count: int64(len(b))})
	s.spend(a.Size)
	if a.Code > 0 {
		return int64(copy(b, a.Data))
	}
	return a.Code
}

func laneWrite(s *session, g guest, p []uint64) int64 {
	b, inside := g.area(p[1], p[2])
	if !inside {
		return int64(fault)
	}
	return s.onHandle(Question{Kind: AskGive, Handle: uint32(p[0]), Data: slices.Clone(b[:min(len(b), maxRequest)])}).Code
}

// onHandle asks about a handle. What an error says is parked.
func (s *session) onHandle(q Question) Answer {
	a, err := s.ask(q)
	if err != nil {
		s.stop(err)
	}
	if len(a.Data) > 0 && a.Code < 0 {
		s.parked = a.Data
	}
	return a
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
	a, err := s.ask(Question{Kind: AskWait, Data: slices.Clone(list), Count: timeout})
	if err != nil {
		s.stop(err)
	}
	if a.Code == 1 {
		s.clock += min(timeout, maxWait) * int64(time.Millisecond)
	}
	if len(a.Data) != len(ready) {
		s.stop(errWire)
	}
	count := int64(0)
	for i, st := range a.Data {
		ready[i] = st
		if st != 0 {
			count++
		}
	}
	return count
}

func laneClose(s *session, _ guest, p []uint64) int64 {
	return s.onHandle(Question{Kind: AskDrop, Handle: uint32(p[0])}).Code
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
