package hooks

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// StaleError is a ref whose value differs from the old value in the push. That value
// comes from the pusher: git compares it only when it updates the ref, after the
// hook.
type StaleError struct {
	Ref       string
	Said, Has string // object ids, ZeroID for a ref that is not there
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("%s is %s, but the push expects it %s", e.Ref, place7(e.Has), place7(e.Said))
}

// Hint says what to do if another push came first.
func (e *StaleError) Hint() string { return "git fetch, then push again" }

func place7(id string) string {
	if id == ZeroID {
		return "not there"
	}
	return "at " + id[:7]
}

// Received resolves every update in the repository that receives it: a
// symbolic ref to the ref that will move, as git does, deletions included.
// Before the refs are updated (gate pre-receive) it also compares each old value
// with the ref's and returns a *StaleError for the first that differs. Two updates
// of one ref are an error, and so is a push into a git namespace, whose refs are
// not those that the hook receives.
func (r *Repo) Received(ctx context.Context, us []Update, before bool) error {
	if space := r.env.get("GIT_NAMESPACE"); space != "" {
		return fmt.Errorf("cannot judge a push into the git namespace %s: its refs are not known by the names that git gives",
			quote(space))
	}
	named := map[string]string{}
	var stale error
	for i := range us {
		if err := ctx.Err(); err != nil {
			return err
		}
		has, err := r.resolveReceived(&us[i])
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", us[i].Ref, err)
		}
		u := us[i]
		if other, twice := named[u.Ref]; twice {
			return fmt.Errorf("cannot judge the push: %s and %s are one ref", other, u.Named())
		}
		named[u.Ref] = u.Named()
		if before && stale == nil && has != u.Old {
			stale = &StaleError{Ref: u.Named(), Said: u.Old, Has: has}
		}
	}
	return stale
}

// resolveReceived fills Ref and Alias and returns the id that the ref has.
func (r *Repo) resolveReceived(u *Update) (has string, err error) {
	end, id, err := r.refs.end(u.Ref)
	if err != nil && !errors.Is(err, errNoRef) {
		return "", err
	}
	if end != u.Ref {
		u.Ref, u.Alias = end, u.Ref
	}
	if err != nil {
		return ZeroID, nil
	}
	return id.String(), nil
}

// Ref is the object id of a full ref name, with symbolic refs followed; "" if it
// does not exist.
func (r *Repo) Ref(ctx context.Context, name string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	_, id, err := r.refs.end(name)
	switch {
	case errors.Is(err, errNoRef):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot read %s: %w", name, err)
	}
	return id.String(), nil
}

// Refs lists the refs below a prefix such as "refs/heads/" with their object ids.
// Symbolic refs are listed too, with the id that they resolve to, if it exists.
func (r *Repo) Refs(ctx context.Context, prefix string) (map[string]string, error) {
	plain, err := r.refs.list(prefix)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(plain))
	for name, id := range plain {
		all[name] = id.String()
	}
	aliases, err := r.Aliases(ctx, prefix)
	for name := range aliases {
		id, err := r.Ref(ctx, name)
		if err != nil {
			return nil, err
		}
		if id != "" {
			all[name] = id
		}
	}
	return all, err
}

// Aliases lists the symbolic refs below a prefix and the refs that they resolve to,
// which need not exist.
func (r *Repo) Aliases(ctx context.Context, prefix string) (map[string]string, error) {
	found := map[string]string{}
	err := r.refs.loose(prefix, func(name string, _ plumbing.Hash, target string) error {
		if err := ctx.Err(); err != nil || target == "" {
			return err
		}
		end, _, err := r.refs.end(name)
		if err == nil || errors.Is(err, errNoRef) {
			found[name] = end
			return nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list symbolic refs: %w", err)
	}
	return found, nil
}

// Commit is the commit that an object id names, with tags followed; "" if it names
// something else or is missing.
func (r *Repo) Commit(ctx context.Context, id string) (string, error) {
	h, err := r.history(ctx)
	if err != nil {
		return "", err
	}
	at, err := h.commitAt(plumbing.NewHash(id))
	if err != nil || at.IsZero() {
		return "", err
	}
	return at.String(), nil
}

// CurrentBranch is the full name of the branch of HEAD, even if it has no commit
// yet; "" if HEAD is detached.
func (r *Repo) CurrentBranch(ctx context.Context) (string, error) {
	return r.refs.headIn(ctx, r.place.git)
}

// DefaultBranch is CurrentBranch of the repository itself. A push may come through a
// linked worktree, whose HEAD is on another branch.
func (r *Repo) DefaultBranch(ctx context.Context) (string, error) {
	return r.refs.headIn(ctx, r.place.common)
}
