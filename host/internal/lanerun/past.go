package lanerun

import (
	"context"
	"errors"
	"io"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// past is what the new commits of the run's update add beyond its final tree;
// empty at gates without new commits. All lanes of a push share it, and it is
// computed at the first request.
func (l *access) past(ctx context.Context) (hooks.PastList, error) {
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
func (l *access) seesPast() bool { return l.can("repo.read") && l.can("repo.history") }

// pastChange is one of them as the plugin gets it, and whether it may see it.
func (l *access) pastChange(p hooks.Past) (sdk.Change, bool) {
	c := sdk.Change{Path: p.Path, Status: p.Status, Mode: p.Mode, OldID: p.OldID, NewID: p.NewID,
		Commit: p.Commit, Merged: p.Merged}
	return c, l.seesPast() && l.permits.sees(p.Path)
}

// visiblePast are those that the plugin may see; never nil.
func (l *access) visiblePast(ctx context.Context) ([]sdk.Change, error) {
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
func (l *access) listPast(req []byte, w *Toil) ([]byte, error) {
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
func (l *access) pastNow(ctx context.Context) func(string) ([]byte, error) {
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

// allows reports whether the plugin may read a blob: one that it could also
// open by a path of the two trees, or find in the new commits.
func (l *access) allows(id string, w *Toil) (bool, error) {
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
func (l *access) denies(q sdk.BlobsQuery, w *Toil) (int, error) {
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
func (l *access) readBlobs(handles *wasm.Handles, req []byte, w *Toil) ([]byte, error) {
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

// blobsNow says whether a query would be answered now: what a blob holds its id
// says.
func (l *access) blobsNow(ctx context.Context) func(string) ([]byte, error) {
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
