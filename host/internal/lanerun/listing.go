package lanerun

import (
	"context"
	"errors"

	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// visibleChanges are the changes that the plugin may see; never nil.
func (l *access) visibleChanges(ctx context.Context) ([]sdk.Change, error) {
	all := make([]sdk.Change, 0, len(l.Update().Changes))
	for i := range l.Update().Changes {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if c, seen := l.change(i); seen {
			all = append(all, c)
		}
	}
	return all, nil
}

// change is a change of the push, and whether the plugin may see it.
func (l *access) change(i int) (sdk.Change, bool) {
	c := l.Update().Changes[i]
	seen := sdk.Change{Path: c.Path, Status: c.Status, Mode: c.Mode, OldID: c.OldID, NewID: c.NewID}
	return seen, l.can("repo.read") && l.permits.sees(c.Path)
}

// listChanges answers changes.list@1.
func (l *access) listChanges(req []byte, w *Toil) ([]byte, error) {
	scope := l.permits.patterns()
	return ListChanges(req, len(l.Update().Changes), func(i int) (sdk.Change, bool, error) {
		if err := w.pay(scope * unitsPerLook); err != nil {
			return sdk.Change{}, false, err
		}
		c, seen := l.change(i)
		return c, seen, nil
	}, w)
}

// changesNow answers changes.list@1 as it would be answered now; nothing for a
// query that is wrong.
func (l *access) changesNow(ctx context.Context) func(string) ([]byte, error) {
	w := &Toil{Ctx: ctx, limit: maxRecallToil}
	return func(query string) ([]byte, error) {
		page, err := l.listChanges([]byte(query), w)
		if errors.As(err, new(*wasm.OpError)) {
			err = nil
		}
		return page, err
	}
}
