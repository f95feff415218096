package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// The verdict on a branch's head outlives its runs for as long as the branch
// is there. Whether it is takes a look into the repository.
const (
	verdictsEvery = time.Hour // of a resident
	verdictPage   = 200
)

// dropVerdicts deletes the verdicts on deleted refs all of whose runs ended before
// a time.
func (h upkeep) dropVerdicts(ctx context.Context, st *store.Store, before, now time.Time) error {
	h.mu.Lock()
	looked := h.verdictsLooked
	h.mu.Unlock()
	if now.Sub(looked) < verdictsEvery {
		return nil
	}
	for last := (store.OldVerdict{}); ; {
		some, err := st.Verdicts().Old(ctx, before, last, verdictPage)
		if err != nil {
			return err
		}
		var gone []store.OldVerdict
		for _, v := range some {
			last = v
			if h.refGone(ctx, v) {
				gone = append(gone, v)
			}
		}
		if err := st.Verdicts().Drop(ctx, gone); err != nil {
			return err
		}
		if len(some) < verdictPage {
			break
		}
	}
	h.mu.Lock()
	h.verdictsLooked = now
	h.mu.Unlock()
	return nil
}

// refGone reports whether a ref is known not to be there. Of a repository that
// this server guards and cannot see, nothing is known.
func (h upkeep) refGone(ctx context.Context, v store.OldVerdict) bool {
	repo, release, err := h.OpenRepo(ctx, v.RepoKey)
	if err != nil {
		_, err = os.Stat(v.RepoKey)
		return !v.Served && errors.Is(err, fs.ErrNotExist)
	}
	defer release()
	id, err := repo.Ref(ctx, v.Ref)
	return err == nil && id == ""
}
