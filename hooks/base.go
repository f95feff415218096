package hooks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// SetBase is SetBases for a single update. At gate post-receive, where the
// refs are already moved, give all updates of the push to SetBases together.
func (r *Repo) SetBase(ctx context.Context, u *Update, remoteName, remoteURL string) error {
	us := []Update{*u}
	err := r.SetBases(ctx, us, remoteName, remoteURL)
	*u = us[0]
	return err
}

// SetBases fills Base and Forced of all updates of one push. remoteName and
// remoteURL are the two arguments of git's pre-push hook; both empty mean that
// this repository is the receiver.
//
//   - A deletion: nothing to judge, Base is ZeroID.
//   - The old commit is an ancestor of the new one: Base is the old commit.
//   - The new commit is an ancestor of the old one (the ref is wound back):
//     Base is the old commit, so that what goes away is judged. Forced.
//   - Any other old commit, or one that is not here: Base is the nearest merge
//     base of the new commit with the old one and all that the receiver is
//     known to have. Forced.
//   - A new ref: Base is the nearest merge base of the new commit with what
//     the receiver is known to have.
//   - Nothing in common: Base is ZeroID, every file counts as added.
//
// Tags count as the commit they name. A tag of a tree has Base ZeroID; a ref
// that names a blob is a *NoTreeError.
func (r *Repo) SetBases(ctx context.Context, us []Update, remoteName, remoteURL string) error {
	pushed := slices.Clone(us)
	return r.setBases(ctx, us, func(h *history) ([]plumbing.Hash, error) {
		return r.known(ctx, h, pushed, remoteName, remoteURL)
	})
}

// SetReceivedBases is SetBases in the repository that receives push. us are some of
// its updates. Only the refs for which counts returns true count as refs of the
// receiver: a protected branch is compared with protected branches only, because
// commits of others were not necessarily checked by its lanes.
func (r *Repo) SetReceivedBases(ctx context.Context, us, push []Update, counts func(ref string) bool) error {
	return r.setBases(ctx, us, func(h *history) ([]plumbing.Hash, error) {
		return r.received(h, push, counts)
	})
}

func (r *Repo) setBases(ctx context.Context, us []Update, find func(*history) ([]plumbing.Hash, error)) error {
	h, err := r.history(ctx)
	if err != nil {
		return err
	}
	known := sync.OnceValues(func() ([]plumbing.Hash, error) { return find(h) })
	for i := range us {
		if err := h.setBase(&us[i], known); err != nil {
			return fmt.Errorf("cannot find what the push changes in %s: %w", us[i].Ref, err)
		}
	}
	return nil
}

func (h *history) setBase(u *Update, known func() ([]plumbing.Hash, error)) error {
	u.Base, u.Forced = ZeroID, false
	if u.Delete || u.New == ZeroID {
		u.Delete = true
		return nil
	}
	id, typ, err := h.objs.peel(plumbing.NewHash(u.New))
	if err != nil {
		return err
	}
	old, err := h.commitAt(plumbing.NewHash(u.Old))
	if err != nil {
		return err
	}
	u.Forced = u.Old != ZeroID
	switch {
	case typ == plumbing.TreeObject:
		return nil
	case typ != plumbing.CommitObject:
		return &NoTreeError{Name: u.Ref, Type: typ.String()}
	}
	var tips []plumbing.Hash
	if !old.IsZero() {
		if done, err := u.baseOnOld(h, id, old); done || err != nil {
			return err
		}
		tips = append(tips, old)
	}
	more, err := known()
	if err != nil {
		return err
	}
	base, err := h.nearest(id, append(tips, more...))
	u.Base = base.String()
	return err
}

// baseOnOld settles the cases where one of the two commits is reachable from
// the other.
func (u *Update) baseOnOld(h *history, id, old plumbing.Hash) (done bool, err error) {
	// Not isAncestor, which ends where it finds old: everything new is read, so that
	// no unreadable object is accepted.
	found, err := h.mergeBases(id, []plumbing.Hash{old}, plumbing.ZeroHash)
	if err != nil {
		return false, err
	}
	if id == old || len(found) == 1 && found[0] == old {
		u.Base, u.Forced = old.String(), false
		return true, nil
	}
	back, err := h.isAncestor(id, old)
	if back {
		u.Base = old.String()
	}
	return back, err
}

// maxNearest is how many merge bases are compared; of more the newest counts.
const maxNearest = 8

// nearest is, of the best common ancestors of a commit and any of the tips,
// the one with the fewest commits between it and the commit; zero when there
// is none.
func (h *history) nearest(id plumbing.Hash, tips []plumbing.Hash) (best plumbing.Hash, err error) {
	if len(tips) == 0 {
		return best, nil
	}
	found, err := h.mergeBases(id, tips, plumbing.ZeroHash)
	if err != nil || len(found) == 0 {
		return best, err
	}
	if len(found) == 1 || len(found) > maxNearest {
		return found[0], nil
	}
	fewest := -1
	for _, base := range found {
		between, err := h.without(id, []plumbing.Hash{base})
		if err != nil {
			return best, err
		}
		if fewest < 0 || len(between) < fewest {
			best, fewest = base, len(between)
		}
	}
	return best, nil
}

// commitAt is the commit that an id names, tags followed; zero when it names
// none or is not here.
func (h *history) commitAt(id plumbing.Hash) (plumbing.Hash, error) {
	if id.IsZero() || h.nodes[id] != nil || h.graph.fill(&node{id: id}, h.spots) {
		return id, nil
	}
	peeled, typ, err := h.objs.peel(id)
	var missing *MissingError
	if errors.As(err, &missing) || err == nil && typ != plumbing.CommitObject {
		return plumbing.ZeroHash, nil
	}
	return peeled, err
}

// Known returns the commits that the receiver of a push is known to have before it,
// for Commits to leave out. For a push to a remote they are the old values of the
// push and the remote-tracking refs of all remotes whose only URL is this one; for a
// receiving repository its branches before the push. A remote's name does not count,
// and neither does another URL.
func (r *Repo) Known(ctx context.Context, us []Update, remoteName, remoteURL string) ([]string, error) {
	h, err := r.history(ctx)
	if err != nil {
		return nil, err
	}
	tips, err := r.known(ctx, h, us, remoteName, remoteURL)
	return idTexts(tips), err
}

// KnownReceived is Known in the repository that receives push, for the refs for
// which counts returns true; see SetReceivedBases.
func (r *Repo) KnownReceived(ctx context.Context, push []Update, counts func(ref string) bool) ([]string, error) {
	h, err := r.history(ctx)
	if err != nil {
		return nil, err
	}
	tips, err := r.received(h, push, counts)
	return idTexts(tips), err
}

func idTexts(ids []plumbing.Hash) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}

func (r *Repo) known(ctx context.Context, h *history, us []Update, remoteName,
	remoteURL string) ([]plumbing.Hash, error) {
	if remoteName == "" && remoteURL == "" {
		return r.received(h, us, func(string) bool { return true })
	}
	tips, err := r.tracking.tips(ctx, remoteURL)
	if err != nil {
		return nil, err
	}
	for _, u := range us {
		tips[u.Ref] = plumbing.NewHash(u.Old)
	}
	return commitsAt(h, tips)
}

// received are the receiver's branches, and other refs of the push, as they
// were before it.
func (r *Repo) received(h *history, push []Update, counts func(ref string) bool) ([]plumbing.Hash, error) {
	tips, err := r.refs.list("refs/heads/")
	if err != nil {
		return nil, err
	}
	for _, u := range push {
		tips[u.Ref] = plumbing.NewHash(u.Old)
	}
	maps.DeleteFunc(tips, func(ref string, _ plumbing.Hash) bool { return !counts(ref) })
	return commitsAt(h, tips)
}

// commitsAt are the commits of refs, each once, by name of the ref.
func commitsAt(h *history, tips map[string]plumbing.Hash) ([]plumbing.Hash, error) {
	var out []plumbing.Hash
	seen := make(map[plumbing.Hash]bool)
	for _, name := range slices.Sorted(maps.Keys(tips)) {
		id, err := h.commitAt(tips[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !id.IsZero() && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out, nil
}
