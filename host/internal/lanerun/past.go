package lanerun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// Operations that give a plugin the content that a push adds, on the way to its
// end as well.
const (
	OpHistory = "history.list@1"
	OpBlobs   = "blobs.read@1"
)

// past is what the new commits of the run's update add beyond its final tree;
// empty at gates without new commits. All lanes of a push share it, and it is
// computed at the first request.
func (l *Lane) past(ctx context.Context) (hooks.PastList, error) {
	switch l.j.Gate {
	case "pre-commit", "commit-msg", "schedule":
		return hooks.PastList{}, nil
	}
	known, err := l.Update().KnownTips(ctx)
	if err != nil {
		return hooks.PastList{}, err
	}
	lists := l.j.Lists
	if lists == nil {
		lists = l.repo.Listing()
	}
	return lists.Past(ctx, l.Update().Base, l.Update().New, known...)
}

// seesPast reports whether the plugin may ask for it.
func (l *Lane) seesPast() bool { return l.can("repo.read") && l.can("repo.history") }

// pastChange is one of them as the plugin gets it, and whether it may see it.
func (l *Lane) pastChange(p hooks.Past) (sdk.Change, bool) {
	c := sdk.Change{Path: p.Path, Status: p.Status, Mode: p.Mode, OldID: p.OldID, NewID: p.NewID,
		Commit: p.Commit, Merged: p.Merged}
	return c, l.seesPast() && l.permits.sees(p.Path)
}

// visiblePast are those that the plugin may see; never nil.
func (l *Lane) visiblePast(ctx context.Context) ([]sdk.Change, error) {
	list, err := l.past(ctx)
	all := []sdk.Change{}
	for _, p := range list.All {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if c, seen := l.pastChange(p); seen {
			all = append(all, c)
		}
	}
	return all, err
}

// listPast performs history.list@1. The first page is charged for finding all
// entries, even if another lane found them: the cost of a run must not depend on
// other lanes.
func (l *Lane) listPast(req []byte, w *Toil) ([]byte, error) {
	list, err := l.past(w.Ctx)
	if err != nil {
		return nil, err
	}
	if q, err := sdk.ParseChangesQuery(req); err == nil && q.From == 0 {
		if err := w.pay(list.Compared * unitsPerLook); err != nil {
			return nil, err
		}
	}
	scope := l.permits.patterns()
	return ListChanges(req, len(list.All), func(i int) (sdk.Change, bool, error) {
		if err := w.pay(scope * unitsPerLook); err != nil {
			return sdk.Change{}, false, err
		}
		c, seen := l.pastChange(list.All[i])
		return c, seen, nil
	}, w)
}

// pastNow answers history.list@1 as it would be answered now; see changesNow.
func (l *Lane) pastNow(ctx context.Context) func(string) ([]byte, error) {
	w := &Toil{Ctx: ctx, limit: maxRecallToil}
	return func(query string) ([]byte, error) {
		if !l.seesPast() {
			return nil, nil
		}
		page, err := l.listPast([]byte(query), w)
		if errors.As(err, new(*wasm.OpError)) {
			err = nil
		}
		return page, err
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

// blobs are the ids of the contents that the plugin may read.
type blobs struct {
	changed map[string]bool // of the changes, before and after
	past    map[string]bool // of the new commits; nil: not looked for yet
}

// allows reports whether the plugin may read a blob: one that it could also
// open by a path of the two trees, or find in the new commits.
func (l *Lane) allows(id string, w *Toil) (bool, error) {
	if l.blobs.changed == nil {
		l.blobs.changed = map[string]bool{}
		for i := range l.Update().Changes {
			if err := w.pay(l.permits.patterns() * unitsPerLook); err != nil {
				l.blobs.changed = nil
				return false, err
			}
			if c, seen := l.change(i); seen {
				l.blobs.changed[c.OldID], l.blobs.changed[c.NewID] = true, true
			}
		}
		delete(l.blobs.changed, "")
	}
	if l.blobs.changed[id] || !l.seesPast() {
		return l.blobs.changed[id], nil
	}
	if l.blobs.past == nil {
		list, err := l.visiblePast(w.Ctx)
		if err != nil {
			return false, err
		}
		l.blobs.past = map[string]bool{}
		for _, c := range list {
			for _, id := range append([]string{c.OldID, c.NewID}, c.Merged...) {
				l.blobs.past[id] = true
			}
		}
		delete(l.blobs.past, "")
	}
	return l.blobs.past[id], nil
}

// denies finds the first blob of a query that the plugin may not read; -1: there
// is none.
func (l *Lane) denies(q sdk.BlobsQuery, w *Toil) (int, error) {
	for i, id := range q.IDs {
		if err := w.pay(len(id)); err != nil {
			return i, err
		}
		if ok, err := l.allows(id, w); err != nil || !ok {
			return i, err
		}
	}
	return -1, nil
}

// readBlobs answers blobs.read@1: a handle that gives the blobs one after the
// other.
func (l *Lane) readBlobs(handles *wasm.Handles, req []byte, w *Toil) ([]byte, error) {
	q, err := sdk.ParseBlobsQuery(req)
	if err != nil {
		return nil, &wasm.OpError{Code: wasm.Invalid, Message: "cannot read blobs: " + err.Error()}
	}
	denied, err := l.denies(q, w)
	if err != nil {
		return nil, err
	}
	if denied >= 0 {
		return nil, Unseen(q.IDs[denied])
	}
	open := func(id string) (io.ReadCloser, int64, error) { return l.repo.Blob(id, l.spool) }
	return AddHandle(handles, NewBlobStream(q, w, open))
}

// Unseen is the denial of a blob.
func Unseen(id string) error {
	message := fmt.Sprintf("cannot read blob %q: no change that the plugin sees has it", printable.Clean(id))
	return &wasm.OpError{Code: wasm.Denied, Message: message}
}

// blobsNow says whether a query would be answered now: what a blob holds its id
// says.
func (l *Lane) blobsNow(ctx context.Context) func(string) ([]byte, error) {
	w := &Toil{Ctx: ctx, limit: maxRecallToil}
	return func(query string) ([]byte, error) {
		q, err := sdk.ParseBlobsQuery([]byte(query))
		if err != nil || !l.can("repo.read") {
			return nil, nil
		}
		denied, err := l.denies(q, w)
		if err != nil || denied >= 0 {
			return nil, err
		}
		return []byte("given"), nil
	}
}

// unitsPerBlob is what opening a blob takes, in units of fuel: some
// microseconds.
const unitsPerBlob = 4000

// blobStream gives blobs one after the other, each after its size.
type blobStream struct {
	ids  []string
	most int64 // of each; 0: all
	toil *Toil
	open func(id string) (io.ReadCloser, int64, error)

	head []byte // not yet read
	now  io.ReadCloser
	left int64 // of now
}

// NewBlobStream answers blobs.read@1 with the blobs of a query, each opened by
// open.
func NewBlobStream(q sdk.BlobsQuery, w *Toil, open func(string) (io.ReadCloser, int64, error)) *blobStream {
	return &blobStream{ids: slices.Clone(q.IDs), most: q.Max, toil: w, open: open}
}

// Ready says that it can be read; its end too.
func (s *blobStream) Ready() (wasm.Ready, <-chan struct{}) { return wasm.Readable, nil }

// Read fills p as far as there are blobs, so that many small ones take one
// question.
func (s *blobStream) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := s.some(p[n:])
		n += m
		if err == io.EOF && n > 0 {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return n, s.toil.pay(n)
}

func (s *blobStream) some(p []byte) (int, error) {
	switch {
	case len(s.head) > 0:
		n := copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	case s.now == nil && len(s.ids) == 0:
		return 0, io.EOF
	case s.now == nil:
		return 0, s.next()
	case s.left == 0:
		err := s.now.Close()
		s.now = nil
		return 0, err
	}
	n, err := s.now.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 {
		return n, io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// next opens the next blob.
func (s *blobStream) next() error {
	if err := s.toil.pay(unitsPerBlob); err != nil {
		return err
	}
	file, size, err := s.open(s.ids[0])
	if err != nil {
		return err
	}
	s.ids, s.now, s.left = s.ids[1:], file, size
	if s.most > 0 {
		s.left = min(size, s.most)
	}
	s.head = make([]byte, sdk.BlobHead)
	for i := range s.head {
		s.head[i] = byte(size >> (8 * i))
	}
	return nil
}

// Close lets go of the blob that is open.
func (s *blobStream) Close() error {
	if s.now == nil {
		return nil
	}
	err := s.now.Close()
	s.now, s.ids = nil, nil
	return err
}
