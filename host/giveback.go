package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/outage"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// giveBack returns a run whose repository this host cannot open to the queue,
// for another host or a later time.
func (h queue) giveBack(ctx context.Context, st *store.Store, run store.Run, cause error) error {
	most := outage.UnseenTime
	if h.policy.Store != "" {
		most = outage.UnseenShared
	}
	if time.Since(run.Queued) > most {
		return h.giveUp(ctx, st, run, cause)
	}
	h.blind.Failed(run.RepoKey, time.Now())
	why := printable.CleanText("this host cannot open the repository: " + cause.Error())
	err := st.Holding(run).Queue().Requeue(context.WithoutCancel(ctx), run.ID, why)
	return errors.Join(fmt.Errorf("it is queued again: %s", why), err)
}

// giveUp ends a run that cannot begin: its repository has been missing for long,
// or its objects were pruned.
func (h queue) giveUp(ctx context.Context, st *store.Store, run store.Run, cause error) error {
	err := st.Holding(run).Record(context.WithoutCancel(ctx), run.ID,
		store.End{State: store.Broken, Exit: gate.ExitUndecided, At: time.Now(), Message: printable.CleanText(cause.Error())})
	if err != nil {
		return errors.Join(cause, err)
	}
	return errors.Join(cause, h.tell(ctx, run.ID, Observer.Ended))
}
