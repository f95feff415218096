package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// receiver is the repository that a push came to, as it was before the push:
// what judges a push never comes out of the pushed commits.
type receiver struct {
	repo    *hooks.Repo
	policy  config.Policy
	push    []hooks.Update
	decides bool             // the push waits for the verdict; else git has taken it, or there is none
	untrue  bool             // the push lies about where refs are: nothing is recorded because of it
	head    string           // the branch that HEAD names, "refs/heads/main"; "" when HEAD is detached
	headID  string           // of that branch before the push; "" it was not there
	root    RefAt            // the ref whose lanes judge refs without their own trusted lanes; zero: none
	every   bool             // every branch is protected, as nothing says which one matters
	aliased []string         // refs that a protected symbolic ref ends at
	spent   *store.TrustRoot // lanes were trusted before, and their ref was deleted; nil: not so
	// refs judged by their own lanes, as the repository has no trusted ones yet, and their new ids
	first map[string]string
}

// before is the id a ref had before the push, "" when there was none.
func (r *receiver) before(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	for _, u := range r.push {
		switch {
		case u.Ref != ref:
		case hooks.IsZero(u.Old):
			return "", nil
		default:
			return u.Old, nil
		}
	}
	return r.repo.Ref(ctx, ref)
}

// protects tells whether a ref needs a pass. Where nothing says which branch
// matters, every one does.
func (r *receiver) protects(ref string) bool {
	switch {
	case len(r.policy.Protect) > 0:
		return lanes.Refs(r.policy.Protect).Match(ref) || slices.Contains(r.aliased, ref)
	case r.every:
		return strings.HasPrefix(ref, "refs/heads/") || ref == r.head || ref == "HEAD" // detached, by an alias
	}
	return ref == r.head || ref == r.root.Ref
}

// protectedTargets lists the refs that symbolic refs named by the policy end
// at: to move such a ref is to move the protected one.
func (r *receiver) protectedTargets(ctx context.Context) ([]string, error) {
	var targets []string
	for _, pattern := range r.policy.Protect {
		if !strings.HasPrefix(pattern, "refs/") {
			pattern = "refs/heads/" + pattern
		}
		wild := strings.IndexAny(pattern, `*?[\`)
		if wild < 0 {
			wild = len(pattern)
		}
		aliases, err := r.repo.Aliases(ctx, pattern[:strings.LastIndexByte(pattern[:wild], '/')+1])
		if err != nil {
			return nil, err
		}
		for name, end := range aliases {
			if lanes.Refs(r.policy.Protect).Match(name) {
				targets = append(targets, end)
			}
		}
	}
	return targets, nil
}

// setBases gives every update the commit its changes are counted from. For a
// protected ref that is what it has now, forced or not: what the push takes
// away is judged too. A new protected ref is compared with protected refs.
func (r *receiver) setBases(ctx context.Context) error {
	for _, protected := range []bool{true, false} {
		var some []hooks.Update
		var at []int
		for i, u := range r.push {
			if r.protects(u.Ref) == protected {
				some, at = append(some, u), append(at, i)
			}
		}
		if err := r.repo.SetReceivedBases(ctx, some, slices.Clone(r.push), r.counts(protected)); err != nil {
			return err
		}
		for k, i := range at {
			r.push[i] = some[k]
		}
	}
	for i := range r.push {
		if err := r.judgeEffect(ctx, &r.push[i]); err != nil {
			return err
		}
	}
	return nil
}

// judgeEffect counts a forced update of a protected ref from its old value.
func (r *receiver) judgeEffect(ctx context.Context, u *hooks.Update) error {
	if u.Delete || !u.Forced || !r.protects(u.Ref) {
		return nil
	}
	old, err := r.repo.Commit(ctx, u.Old)
	if err == nil && old == "" {
		err = fmt.Errorf("cannot judge %s: the commit that it has now, %s, cannot be read", printable.Clean(u.Ref),
			printable.Short(u.Old))
	}
	u.Base = old
	return err
}

// counts says which refs a new one is compared with.
func (r *receiver) counts(protected bool) func(string) bool {
	if protected {
		return r.protects
	}
	return func(string) bool { return true }
}

// moves is why a protected ref may not move as the update says; "" where it may.
func (r *receiver) moves(u hooks.Update) string {
	ref := printable.Ref(u.Ref)
	switch {
	case !r.protects(u.Ref):
	case u.Delete && !r.policy.AllowDelete:
		return ref + " is protected and cannot be deleted"
	case u.Delete || r.policy.AllowForce || hooks.IsZero(u.Old) || u.Old == u.New:
	case strings.HasPrefix(u.Ref, "refs/tags/"):
		return ref + " is a protected tag and cannot be moved"
	case u.Forced:
		return fmt.Sprintf("%s is protected and %s does not contain what it has (%s): only a fast-forward may move it", ref,
			printable.Short(u.New), printable.Short(u.Old))
	}
	return ""
}
