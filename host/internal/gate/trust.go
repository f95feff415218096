package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
)

// TrustRecord is where decisions about a repository's trusted lanes are stored.
type TrustRecord interface {
	TrustRoot(ctx context.Context, repoKey string) (store.TrustRoot, bool, error)
	SetTrustRoot(ctx context.Context, repoKey string, r store.TrustRoot) error
}

// findRoot decides whose lanes judge refs that have no trusted lanes. A decision
// is valid as long as its ref exists and HEAD is unchanged: a pusher can create
// the branch that HEAD names, or one that sorts before main, and must not thereby
// decide about other refs. Only the owner of the repository can change HEAD.
func (r *receiver) findRoot(ctx context.Context, st TrustRecord) error {
	known, decided, err := st.TrustRoot(ctx, r.repo.CommonDir())
	if err != nil {
		return err
	}
	kept := decided && known.Head == r.head
	dangling := r.headID == "" || kept && known.Dangling
	r.every = len(r.policy.Protect) == 0 && dangling
	if decided && known.Seen {
		r.spent = &known
	}
	if kept {
		r.root, err = r.rootAt(ctx, known.Ref, known.Seen)
	}
	if err == nil && r.root == (RefAt{}) {
		err = r.chooseRoot(ctx, known.Ref)
	}
	switch {
	case err != nil:
		return err
	case r.root == (RefAt{}):
		r.rootWithoutLanes()
		return nil
	case !r.decides || r.untrue || kept && known.Seen && known.Ref == r.root.Ref:
		return nil
	}
	return st.SetTrustRoot(ctx, r.repo.CommonDir(), store.TrustRoot{Ref: r.root.Ref, Head: r.head, Dangling: dangling,
		ID: r.root.ID, Seen: true, At: time.Now()})
}

// rootAt is the ref as a root: protected, there before the push, and with a
// lanes file unless that was seen already.
func (r *receiver) rootAt(ctx context.Context, ref string, seen bool) (RefAt, error) {
	if len(r.policy.Protect) > 0 && !r.protects(ref) || !strings.HasPrefix(ref, "refs/") {
		return RefAt{}, nil
	}
	id, err := r.before(ctx, ref)
	if err != nil || id == "" {
		return RefAt{}, err
	}
	if !seen {
		_, err := readLanes(ctx, r.repo, id)
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*hooks.NoTreeError)) {
			return RefAt{}, nil
		}
	}
	return RefAt{Ref: ref, ID: id}, nil
}

// chooseRoot takes the first protected ref with lanes: HEAD's, the one that
// was decided on before, then the others.
func (r *receiver) chooseRoot(ctx context.Context, before string) error {
	err := r.firstRoot(ctx, []string{r.head, before})
	if err != nil || r.root != (RefAt{}) {
		return err
	}
	others, err := r.protectedRefs(ctx)
	if err != nil {
		return err
	}
	return r.firstRoot(ctx, others)
}

func (r *receiver) firstRoot(ctx context.Context, refs []string) (err error) {
	for _, ref := range refs {
		if r.root, err = r.rootAt(ctx, ref, false); err != nil || r.root != (RefAt{}) {
			return err
		}
	}
	return nil
}

// mainBranches are what people call their main branch, the usual one first.
func mainBranches() []string {
	return []string{"refs/heads/main", "refs/heads/master", "refs/heads/trunk"}
}

// protectedRefs lists the protected refs of before the push: first those that
// the policy names outright, then what people call their main branch, then by
// name. A branch that is protected only because HEAD's went away is not one of
// them: its lanes came while anyone could push them.
func (r *receiver) protectedRefs(ctx context.Context) ([]string, error) {
	if len(r.policy.Protect) == 0 && (!r.every || r.spent != nil && !r.spent.Dangling) {
		return nil, nil
	}
	all, err := r.repo.Refs(ctx, "refs/")
	if err != nil {
		return nil, err
	}
	for _, u := range r.push {
		if hooks.IsZero(u.Old) {
			delete(all, u.Ref)
		} else {
			all[u.Ref] = u.Old
		}
	}
	named := slices.Concat(r.policy.Protect, mainBranches())
	refs := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(ref string) bool {
		if len(r.policy.Protect) > 0 {
			return !r.protects(ref)
		}
		return !strings.HasPrefix(ref, "refs/heads/")
	})
	rank := func(ref string) int {
		at := slices.IndexFunc(named, func(n string) bool { return n == ref || "refs/heads/"+n == ref })
		if at < 0 {
			return len(named)
		}
		return at
	}
	slices.SortStableFunc(refs, func(a, b string) int { return rank(a) - rank(b) })
	return refs, nil
}

// rootWithoutLanes uses the default branch as the trusted ref if no protected ref
// has lanes yet.
func (r *receiver) rootWithoutLanes() {
	if r.headID != "" && r.protects(r.head) {
		r.root = RefAt{Ref: r.head, ID: r.headID}
	}
}

// trustFirst records the ref whose own lanes judged it, as the repository had
// no trusted ones: from the time that it is there, they are. Of several in one
// push HEAD's comes first, then what people call their main branch.
func (r *receiver) trustFirst(ctx context.Context, st TrustRecord) error {
	if len(r.first) == 0 {
		return nil
	}
	refs := slices.Sorted(maps.Keys(r.first))
	best := refs[0]
	for _, name := range append([]string{r.head}, mainBranches()...) {
		if _, pushed := r.first[name]; pushed {
			best = name
			break
		}
	}
	return st.SetTrustRoot(ctx, r.repo.CommonDir(), store.TrustRoot{Ref: best, Head: r.head,
		Dangling: r.headID == "" && best != r.head, ID: r.first[best], At: time.Now()})
}

// lostRoot is why a protected ref is not judged by its own lanes: the repository
// had trusted ones, and they were deleted.
func (r *receiver) lostRoot() error {
	return problem.WithHint(fmt.Errorf("cannot determine which lanes judge it: those of %s were trusted, "+
		"and no protected ref has lanes now", r.spent.Ref),
		fmt.Sprintf("restore them: git -C %s update-ref %s %s", r.repo.CommonDir(), r.spent.Ref, r.spent.ID))
}
