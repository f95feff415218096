package hooks

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Resolve returns the id of a revision, with tags followed to what they name: a
// full or abbreviated id, a branch, a tag, HEAD, HEAD~2, main^2, main:folder and
// everything else that git rev-parse accepts. A name that does not resolve is a
// *NoRevisionError.
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) {
	id, _, err := r.revisions.lookUp(ctx, rev)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// Range reads "A..B" (what lies between them: Base is A), "A...B" (what B did
// since they parted: Base is their merge base) or "B" (what that commit did:
// Base is its first parent, ZeroID for a root commit). A side left empty is
// HEAD. Old is A and New is B, tags followed; Ref is empty.
func (r *Repo) Range(ctx context.Context, rng string) (Update, error) {
	if a, b, ok := strings.Cut(rng, "..."); ok {
		return r.sinceParted(ctx, a, b)
	}
	if a, b, ok := strings.Cut(rng, ".."); ok {
		old, id, err := r.twoSides(ctx, a, b)
		return Update{Old: old, New: id, Base: old}, err
	}
	id, err := r.Resolve(ctx, rng)
	if err != nil {
		return Update{}, err
	}
	base, err := r.firstParent(ctx, plumbing.NewHash(id))
	return Update{Old: base, New: id, Base: base}, err
}

func (r *Repo) twoSides(ctx context.Context, a, b string) (old, id string, err error) {
	if old, err = r.Resolve(ctx, orHead(a)); err != nil {
		return "", "", err
	}
	id, err = r.Resolve(ctx, orHead(b))
	return old, id, err
}

func orHead(rev string) string {
	if rev == "" {
		return "HEAD"
	}
	return rev
}

func (r *Repo) sinceParted(ctx context.Context, a, b string) (Update, error) {
	old, id, err := r.twoSides(ctx, a, b)
	if err != nil {
		return Update{}, err
	}
	h, err := r.history(ctx)
	if err != nil {
		return Update{}, err
	}
	base, err := h.nearest(plumbing.NewHash(id), []plumbing.Hash{plumbing.NewHash(old)})
	if err != nil {
		return Update{}, fmt.Errorf("cannot find where %s and %s parted: %w", orHead(a), orHead(b), err)
	}
	if base.IsZero() {
		return Update{}, withHint(fmt.Errorf("cannot find where %s and %s parted: they have no commit in common", orHead(a),
			orHead(b)),
			"compare their trees with: %s..%s", orHead(a), orHead(b))
	}
	return Update{Old: old, New: id, Base: base.String()}, nil
}

// firstParent is a commit's first parent; ZeroID for a root commit, for the
// first one of a shallow clone and for a tree.
func (r *Repo) firstParent(ctx context.Context, id plumbing.Hash) (string, error) {
	typ, _, err := r.objs.header(id)
	if err != nil || typ != plumbing.CommitObject {
		return ZeroID, err
	}
	h, err := r.history(ctx)
	if err != nil {
		return "", err
	}
	n, err := h.at(id)
	if err != nil || len(n.parents) == 0 {
		return ZeroID, err
	}
	return n.parents[0].String(), nil
}
