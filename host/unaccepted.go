package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
)

// A push that passed is either taken by git, which then runs post-receive, or
// not. Where that hook died, or the machine did, the refs alone tell.
const (
	acceptEvery = 10 * time.Second
	acceptAfter = 10 * time.Second   // git has that long to move its refs and run the hook
	acceptLast  = 10 * time.Minute   // after which refs that did not move never will
	acceptBack  = 7 * 24 * time.Hour // of pushes before this host was started
)

// takeUnaccepted takes in the pushes that passed, whose refs are where the push
// put them, and of which no hook told.
func (h *Host) takeUnaccepted(ctx context.Context, now time.Time) error {
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	back := acceptBack
	if h.looked {
		back = 2 * acceptLast
	}
	runs, err := st.Unaccepted(ctx, "pre-receive", now.Add(-back), now.Add(-acceptAfter))
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range runs {
		if err := h.settle(ctx, st, r, now); err != nil {
			errs = append(errs, fmt.Errorf("run #%d of %s: cannot find out whether git took the push: %w", r.Number, r.RepoName, err))
		}
	}
	h.looked = len(errs) == 0 && len(runs) < 100
	return errors.Join(errs...)
}

// settle finds out about one push.
func (h *Host) settle(ctx context.Context, st *store.Store, r store.Run, now time.Time) error {
	repo, release, err := h.repo(ctx, ownCall("post-receive", r.RepoKey))
	if err != nil {
		return err
	}
	taken, err := h.takenUpdates(ctx, st, repo, r)
	release()
	switch {
	case err != nil:
		return err
	case len(taken) > 0:
		return h.takeLate(ctx, st, r, taken)
	case now.Sub(r.Ended) < acceptLast:
		return nil
	}
	return st.Record(ctx, r.ID, store.Event{Kind: store.Settled, Message: "no ref is where this push would have put it"})
}

// takenUpdates are the updates of a run that git took: their ref is there, or
// a later push was judged that found it there. An update that another run has
// told of is not this one's.
func (h *Host) takenUpdates(ctx context.Context, st *store.Store, repo *hooks.Repo, r store.Run) ([]store.Update, error) {
	var taken []store.Update
	for _, u := range r.Updates {
		later, err := st.Runs(ctx, store.Filter{RepoKey: r.RepoKey, Ref: u.Ref, Limit: 1000})
		if err != nil {
			return nil, err
		}
		same := func(o store.Run, is func(store.Update) bool) bool {
			return o.ID > r.ID && slices.ContainsFunc(o.Updates, func(v store.Update) bool { return v.Ref == u.Ref && is(v) })
		}
		if slices.ContainsFunc(later, func(o store.Run) bool {
			return same(o, func(v store.Update) bool { return v.Old == u.Old && v.New == u.New })
		}) {
			continue
		}
		id, err := repo.Resolve(ctx, u.Ref)
		if err != nil && !errors.As(err, new(*hooks.NoRevisionError)) {
			return nil, err
		}
		if id == u.New || slices.ContainsFunc(later, func(o store.Run) bool {
			return o.Gate == "pre-receive" && same(o, func(v store.Update) bool { return v.Old == u.New })
		}) {
			taken = append(taken, u)
		}
	}
	return taken, nil
}

// takeLate does what the post-receive hook of the push would have done.
func (h *Host) takeLate(ctx context.Context, st *store.Store, r store.Run, taken []store.Update) error {
	call := ownCall("post-receive", r.RepoKey)
	call.Env = append(call.Env, "USER="+r.Pusher)
	var lines strings.Builder
	for _, u := range taken {
		fmt.Fprintf(&lines, "%s %s %s\n", u.Old, u.New, u.Ref)
	}
	call.Stdin = []byte(lines.String())
	call.Origin = strings.TrimPrefix(r.Origin, "pre-receive:")
	var err error
	if call.Tip, err = gate.TipBefore(ctx, call); err == nil {
		err = h.takeIn(ctx, call, h.policy)
	}
	if err != nil || r.Origin != "" { // it was noted at the run of that origin
		return err
	}
	return st.Record(ctx, r.ID, store.Event{Kind: "accepted", Message: "git took the push"})
}
