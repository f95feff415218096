package wasm

import (
	"context"
	"encoding/binary"
	"errors"
)

// World is all that a run can reach outside its instance: the trees it reads
// and the operations of lane1. Standard input is its input; output, log and /out
// are its result; everything else that a run learns is the answer to a Question. So
// a run with the same input and answers has the same result: traces and cached
// verdicts depend on this.
type World interface {
	// Ask answers one question; a run asks one at a time. It may block (only
	// AskWait does) and ends then with ctx. An error is a breakage of the
	// host's side, and ends the run.
	Ask(ctx context.Context, q Question) (Answer, error)
	// Close is called once, when the instance has ended.
	Close()
}

// Kind is what a question is about.
type Kind byte

// The questions. What is not named in a line is zero.
const (
	AskStat Kind = 1 + iota // Tree, Name -> Code, Type, Size
	AskList                 // Tree, Name -> Code, Data: entries
	AskLink                 // Tree, Name -> Code, Data: the link's target
	// Tree, Name -> Code, Type, Size, Data: the file's first bytes; Handle: for the rest, 0 where there is none
	AskOpen
	AskRead   // Handle, Offset, Count -> Data; short at the end only
	AskClosed // Handle of a file is not needed any more
	// Name: operation, Data: request -> Code below 0: Data is the error's JSON; else Data. Size: units
	// of fuel that the host spent
	AskCall
	AskTake // Handle of lane1, Count -> Code, Data: bytes read; Size as of AskCall
	AskGive // Handle, Data -> Code: bytes taken
	AskWait // Data: handles, Count: milliseconds -> Data: states, Code 1: the time was over
	AskDrop // Handle -> Code
)

// Trees by number, as in Question.Tree.
const (
	TreeSrc = iota
	TreeBase
	TreeResults
)

// Question is one request of an instance to its host.
type Question struct {
	Kind   Kind
	Tree   byte
	Name   string // path in the tree, clean and raw bytes; or operation
	Handle uint32
	Offset int64
	Count  int64
	Data   []byte
}

// Answer is what the world says.
type Answer struct {
	Code   int64 // of files one of the fs… codes, of lane1 what its function returns
	Type   byte  // of files: directory, regular or link
	Handle uint32
	Size   int64
	Data   []byte
}

var errWire = errors.New("not a whole message")

// MarshalBinary is the question in bytes, as traces and pipes carry it.
func (q Question) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 32+len(q.Name)+len(q.Data))
	b = append(b, byte(q.Kind), q.Tree)
	b = appendBytes(b, []byte(q.Name))
	b = binary.AppendUvarint(b, uint64(q.Handle))
	b = binary.AppendVarint(b, q.Offset)
	b = binary.AppendVarint(b, q.Count)
	return appendBytes(b, q.Data), nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (q *Question) UnmarshalBinary(b []byte) error {
	r := wire{b: b}
	*q = Question{Kind: Kind(r.byte()), Tree: r.byte(), Name: string(r.bytes()), Handle: uint32(r.uint()), Offset: r.int(),
		Count: r.int(), Data: r.bytes()}
	return r.end()
}

// MarshalBinary is the answer in bytes.
func (a Answer) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 32+len(a.Data))
	b = binary.AppendVarint(b, a.Code)
	b = append(b, a.Type)
	b = binary.AppendUvarint(b, uint64(a.Handle))
	b = binary.AppendVarint(b, a.Size)
	return appendBytes(b, a.Data), nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (a *Answer) UnmarshalBinary(b []byte) error {
	r := wire{b: b}
	*a = Answer{Code: r.int(), Type: r.byte(), Handle: uint32(r.uint()), Size: r.int(), Data: r.bytes()}
	return r.end()
}

func appendBytes(b, data []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...)
}

// wire reads a message; the first fault makes all that follows empty.
type wire struct {
	b      []byte
	broken bool
}

func (w *wire) fail() { w.broken, w.b = true, nil }

func (w *wire) byte() byte {
	if len(w.b) == 0 {
		w.fail()
		return 0
	}
	c := w.b[0]
	w.b = w.b[1:]
	return c
}

func (w *wire) uint() uint64 {
	v, n := binary.Uvarint(w.b)
	if n <= 0 {
		w.fail()
		return 0
	}
	w.b = w.b[n:]
	return v
}

func (w *wire) int() int64 {
	v, n := binary.Varint(w.b)
	if n <= 0 {
		w.fail()
		return 0
	}
	w.b = w.b[n:]
	return v
}

func (w *wire) bytes() []byte {
	n := w.uint()
	if n > uint64(len(w.b)) {
		w.fail()
		return nil
	}
	out := w.b[:n:n]
	w.b = w.b[n:]
	return out
}

func (w *wire) end() error {
	if w.broken || len(w.b) > 0 {
		return errWire
	}
	return nil
}

var kindNames = [...]string{AskStat: "stat", AskList: "list", AskLink: "readlink", AskOpen: "open", AskRead: "read",
	AskClosed: "close",
	AskCall:   "call", AskTake: "read handle", AskGive: "write handle", AskWait: "wait", AskDrop: "close handle"}

// String is the question's kind in a word.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}
