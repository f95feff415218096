package wasm

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Local is the world of the machine it is in: file systems and operations.
// File systems may have names that are not UTF-8 and implement fs.ReadLinkFS.
// The zero value has nothing. It is for one run.
type Local struct {
	Src, Base, Results fs.FS // nil: empty
	Ops                Ops   // nil: every operation is unsupported

	handles *Handles
	open    map[uint32]*treeFile
	next    uint32
}

// Codes of answers about files. What else goes wrong is a breakage.
const (
	fsOK int64 = iota
	fsNotExist
	fsNotDir
	fsLink
	fsPermission
	fsInvalid
	fsNoSpace
)

var fsErrors = [...]error{fsNotExist: fs.ErrNotExist, fsNotDir: errNotDir, fsLink: errLink,
	fsPermission: fs.ErrPermission, fsInvalid: fs.ErrInvalid, fsNoSpace: errNoSpace}

// inline is how much of a file comes with the answer that opens it, bytes:
// most source files are read whole with one question.
const inline = 64 << 10

const (
	maxRead  = 1 << 20 // bytes of one AskRead
	maxFiles = 4096    // open at once in one run, whatever Call.MaxFiles says
)

// noSpace is an error of a file system that ran out of what this run may take
// of the host. A disk that is full is a breakage.
type noSpace interface{ NoSpace() bool }

// fileAnswer converts the result of a file system to a response.
func fileAnswer(a Answer, err error) (Answer, error) {
	if err == nil {
		return a, nil
	}
	for code, known := range fsErrors {
		if known != nil && errors.Is(err, known) {
			return Answer{Code: int64(code)}, nil
		}
	}
	return readAnswer(Answer{}, err)
}

// readAnswer makes an answer of what reading came to. Nothing that goes wrong
// there means that there is no such file.
func readAnswer(a Answer, err error) (Answer, error) {
	if quota := (noSpace)(nil); errors.As(err, &quota) && quota.NoSpace() {
		return Answer{Code: fsNoSpace}, nil
	}
	return a, err
}

// Ask answers a question; see World.
func (l *Local) Ask(ctx context.Context, q Question) (Answer, error) {
	switch q.Kind {
	case AskStat, AskList, AskLink, AskOpen:
		return l.askTree(q)
	case AskRead:
		return l.read(q)
	case AskClosed:
		l.forget(q.Handle)
		return Answer{}, nil
	case AskCall:
		return l.call(ctx, q)
	case AskTake, AskGive, AskDrop:
		return l.handle(q)
	case AskWait:
		return l.wait(ctx, q)
	}
	return Answer{}, fmt.Errorf("no such question: %d", q.Kind)
}

func (l *Local) askTree(q Question) (Answer, error) {
	trees := [...]fs.FS{TreeSrc: l.Src, TreeBase: l.Base, TreeResults: l.Results}
	if int(q.Tree) >= len(trees) || q.Name != "." && !validName(q.Name) {
		return fileAnswer(Answer{}, fs.ErrInvalid)
	}
	t := source{trees[q.Tree]}
	switch q.Kind {
	case AskStat:
		st, err := t.stat(q.Name)
		return fileAnswer(Answer{Type: st.kind, Size: st.size}, err)
	case AskList:
		all, err := t.list(q.Name)
		return fileAnswer(Answer{Data: encodeEntries(all)}, err)
	case AskLink:
		target, err := t.readlink(q.Name)
		return fileAnswer(Answer{Data: []byte(target)}, err)
	}
	return l.openFile(t, q.Name)
}

func encodeEntries(all []entry) []byte {
	var b []byte
	for _, e := range all {
		b = append(b, e.kind)
		b = appendBytes(b, []byte(e.name))
	}
	return b
}

func decodeEntries(b []byte) ([]entry, error) {
	w := wire{b: b}
	var all []entry
	for len(w.b) > 0 {
		all = append(all, entry{kind: w.byte(), name: string(w.bytes())})
	}
	return all, w.end()
}

// openFile says what a path is and, of a file, how it begins.
func (l *Local) openFile(t source, path string) (Answer, error) {
	st, err := t.stat(path)
	if err != nil || st.kind != typeRegular {
		return fileAnswer(Answer{Type: st.kind, Size: st.size}, err)
	}
	file, err := t.open(path, st)
	if err != nil {
		return fileAnswer(Answer{}, err)
	}
	a := Answer{Type: st.kind, Size: st.size, Data: make([]byte, min(st.size, inline))}
	n, err := file.readAt(a.Data, 0)
	if err != nil && err != io.EOF || int64(n) < min(st.size, inline) {
		file.close()
		return readAnswer(Answer{}, fmt.Errorf("%s ends early: %w", path, orEOF(err)))
	}
	if st.size <= inline {
		file.close()
		return a, nil
	}
	if len(l.open) >= maxFiles {
		file.close()
		return Answer{}, fmt.Errorf("more than %d files are open", maxFiles)
	}
	if l.open == nil {
		l.open = map[uint32]*treeFile{}
	}
	l.next++
	l.open[l.next], a.Handle = file, l.next
	return a, nil
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (l *Local) read(q Question) (Answer, error) {
	file := l.open[q.Handle]
	if file == nil || q.Offset < 0 || q.Count < 0 || q.Count > maxRead {
		return Answer{}, fmt.Errorf("no file to read: %d", q.Handle)
	}
	b := make([]byte, q.Count)
	n, err := file.readAt(b, q.Offset)
	if err == io.EOF {
		err = nil
	}
	return readAnswer(Answer{Data: b[:n]}, err)
}

func (l *Local) forget(id uint32) {
	if file := l.open[id]; file != nil {
		file.close()
		delete(l.open, id)
	}
}

func (l *Local) call(ctx context.Context, q Question) (Answer, error) {
	if l.Ops == nil {
		return refusal(&OpError{Code: Unsupported, Message: "this host offers no operations here"}), nil
	}
	if len(q.Name) > maxOp || len(q.Data) > maxRequest || !json.Valid(q.Data) {
		return refusal(&OpError{Code: Invalid, Message: "the request is not JSON"}), nil
	}
	resp, err := l.Ops.Call(ctx, l.Handles(), q.Name, q.Data)
	if ctx.Err() != nil { // its result is no longer needed
		return Answer{}, context.Cause(ctx)
	}
	a := Answer{Code: int64(len(resp)), Data: resp}
	if err != nil {
		a = refusal(err)
	}
	if w, can := l.Ops.(Worker); can {
		a.Size = w.Work()
	}
	return a, nil
}

// Handles are the run's open handles.
func (l *Local) Handles() *Handles {
	if l.handles == nil {
		l.handles = newHandles()
	}
	return l.handles
}

// refusal is an error as the plugin hears of it.
func refusal(err error) Answer {
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
	data, _ := json.Marshal(struct {
		Code    Code   `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	}{op.Code, op.Message, op.Hint})
	return Answer{Code: int64(op.Code), Data: data}
}

// handle reads, writes and closes what an operation gave.
func (l *Local) handle(q Question) (Answer, error) {
	if q.Kind == AskDrop {
		if l.Handles().drop(q.Handle) {
			return Answer{}, nil
		}
		return Answer{Code: int64(BadHandle)}, nil
	}
	h, _ := l.Handles().Get(q.Handle)
	if q.Kind == AskTake {
		r, can := h.(Reader)
		if !can || q.Count < 0 {
			return Answer{Code: int64(BadHandle)}, nil
		}
		b := make([]byte, min(q.Count, maxRead))
		n, err := r.Read(b)
		a := moved(n, err)
		if n > 0 {
			a.Data = b[:n]
		}
		if w, can := l.Ops.(Worker); can {
			a.Size = w.Work()
		}
		return a, nil
	}
	w, can := h.(io.Writer)
	if !can {
		return Answer{Code: int64(BadHandle)}, nil
	}
	return moved(w.Write(q.Data)), nil
}

// moved is what reading or writing came to.
func moved(n int, err error) Answer {
	switch {
	case n > 0:
		return Answer{Code: int64(n)}
	case errors.Is(err, io.EOF):
		return Answer{}
	case err == nil, errors.Is(err, ErrWouldBlock):
		return Answer{Code: int64(WouldBlock)}
	}
	return refusal(err)
}

// wait blocks until a handle is ready, the time is over or the run ends.
func (l *Local) wait(ctx context.Context, q Question) (Answer, error) {
	if len(q.Data)%4 != 0 || len(q.Data) > 4*maxHandles {
		return Answer{}, fmt.Errorf("%d bytes of handles", len(q.Data))
	}
	ids := make([]uint32, len(q.Data)/4)
	for i := range ids {
		ids[i] = binary.LittleEndian.Uint32(q.Data[4*i:])
	}
	var timeout <-chan time.Time
	if q.Count > 0 {
		t := time.NewTimer(time.Duration(min(q.Count, maxWait)) * time.Millisecond)
		defer t.Stop()
		timeout = t.C
	}
	for {
		states, any, changed := l.Handles().poll(ids)
		if any || q.Count == 0 {
			return Answer{Data: bytesOf(states)}, nil
		}
		select {
		case <-changed:
		case <-timeout:
			states, _, _ = l.Handles().poll(ids)
			return Answer{Code: 1, Data: bytesOf(states)}, nil
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		}
	}
}

// maxWait is the longest that one wait waits, milliseconds: 34 years.
const maxWait = 1 << 40

func bytesOf(states []Ready) []byte {
	b := make([]byte, len(states))
	for i, st := range states {
		b[i] = byte(st)
	}
	return b
}

// Close gives files and handles back.
func (l *Local) Close() {
	for id := range l.open {
		l.forget(id)
	}
	if l.handles != nil {
		l.handles.close()
	}
}

// validName accepts clean relative paths of any bytes but NUL.
func validName(name string) bool {
	clean, no := resolve(".", name)
	return no == ok && clean == name
}
