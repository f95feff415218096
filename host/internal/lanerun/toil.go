package lanerun

import (
	"context"
	"errors"

	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// Toil is work that the host does for a plugin: it ends with the run's context,
// and where there is no fuel left for it.
type Toil struct {
	Ctx   context.Context
	limit int64 // units of fuel; 0: none
	spent int64
}

// The least units of fuel, some nanoseconds each, for each kind of work.
const (
	unitsPerLook = 32 // at a change, or of a glob at a path, in addition to their bytes
)

var errToil = errors.New("no fuel is left for this")

// pay takes one look at so many bytes.
func (w *Toil) pay(bytes int) error {
	if w.spent += unitsPerLook + int64(bytes); w.limit > 0 && w.spent > w.limit {
		return errToil
	}
	if w.Ctx.Err() != nil {
		return context.Cause(w.Ctx)
	}
	return nil
}

// maxPage is how many changes one answer holds.
const maxPage = 1000

// ListChanges answers changes.list@1 and history.list@1: a page of those of n
// changes that a query picks.
func ListChanges(req []byte, n int, at func(int) (sdk.Change, bool, error), w *Toil) ([]byte, error) {
	if err := w.pay(len(req)); err != nil {
		return nil, err
	}
	q, err := sdk.ParseChangesQuery(req)
	var page sdk.ChangesPage
	if err == nil {
		page, err = q.Page(n, at, maxPage, w.pay)
	}
	switch {
	case errors.Is(err, errToil), w.Ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
	}
	answer := page.AppendJSON(nil)
	return answer, w.pay(len(answer))
}

// maxRecallToil limits the work of listing changes to find out whether earlier
// runs would get the same response, in units of fuel: about a second.
const maxRecallToil = 1_000_000_000
