package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
)

// A push that git was let take is either taken by git, which then runs post-receive, or
// not. Where that hook died, or the machine did, the refs alone tell.
const (
	acceptEvery = 10 * time.Second
	acceptAfter = 10 * time.Second   // git has that long to move its refs and run the hook
	acceptLast  = 10 * time.Minute   // after which refs that did not move never will
	acceptBack  = 7 * 24 * time.Hour // of pushes before this host was started
)

// acceptPage is how many pushes are read at once.
const acceptPage = 100

// takeUnaccepted queues the pushes that pre-receive accepted, whose refs have the
// pushed values, and that no post-receive hook reported.
func (h *Host) takeUnaccepted(ctx context.Context, now time.Time) error {
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	back := acceptBack
	if h.looked {
		back = 2 * acceptLast
	}
	var errs []error
	for above := int64(0); ; {
		some, err := st.Unaccepted(ctx, "pre-receive", now.Add(-back), now.Add(-acceptAfter), above, acceptPage)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, p := range some {
			above = p.ID
			if err := h.settle(ctx, st, p, now); err != nil {
				errs = append(errs, fmt.Errorf("run #%d of %s: cannot determine whether git accepted the push: %w",
					p.Number, p.RepoName, err))
			}
		}
		if len(some) < acceptPage {
			break
		}
	}
	h.looked = len(errs) == 0
	return errors.Join(errs...)
}

// settle finds out about one push.
func (h *Host) settle(ctx context.Context, st *store.Store, p store.Unaccepted, now time.Time) error {
	repo, release, err := h.repo(ctx, ownCall("post-receive", p.RepoKey))
	if err != nil {
		return err
	}
	taken, err := takenUpdates(ctx, repo, p.Updates)
	release()
	switch {
	case err != nil:
		return err
	case len(taken) > 0:
		return h.takeLate(ctx, st, p, taken)
	case now.Sub(p.Ended) < acceptLast:
		return nil
	}
	return st.Record(ctx, p.ID, store.Event{Kind: store.Settled,
		Message: "no ref has the value that this push would have set"})
}

// takenUpdates are the updates that git accepted: their ref has the pushed value, or
// a later push found it there. An update that another run reported does not belong
// to this one.
func takenUpdates(ctx context.Context, repo *hooks.Repo, updates []store.UnacceptedUpdate) (
	taken []store.UnacceptedUpdate, err error) {
	for _, u := range updates {
		if u.Told {
			continue
		}
		id, err := repo.Ref(ctx, u.Ref)
		if err != nil {
			return nil, err
		}
		if id == u.New || u.Followed {
			taken = append(taken, u)
		}
	}
	return taken, nil
}

// takeLate does what the post-receive hook of the push would have done.
func (h *Host) takeLate(ctx context.Context, st *store.Store, p store.Unaccepted,
	taken []store.UnacceptedUpdate) error {
	call := ownCall("post-receive", p.RepoKey)
	call.Env = append(call.Env, "USER="+p.Pusher)
	var lines strings.Builder
	for _, u := range taken {
		fmt.Fprintf(&lines, "%s %s %s\n", u.Old, u.New, u.Ref)
	}
	call.Stdin = []byte(lines.String())
	call.Origin = strings.TrimPrefix(p.Origin, "pre-receive:")
	var err error
	if call.Tip, err = gate.TipBefore(ctx, call); err == nil {
		err = h.takeIn(ctx, call, h.policy)
	}
	if err != nil || p.Origin != "" { // it was noted at the run of that origin
		return err
	}
	return st.Record(ctx, p.ID, store.Event{Kind: "accepted", Message: "git accepted the push"})
}
