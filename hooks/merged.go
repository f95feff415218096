package hooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Merge is the relation of a branch to its target branch.
type Merge struct {
	Merged bool
	By     string // the commit on the target's own line that brought it in
	Base   string // where the two parted; ZeroID when they have nothing in common
}

// MergedInto compares the commit head with the target's tip, both full ids.
func (r *Repo) MergedInto(ctx context.Context, head, target string) (Merge, error) {
	if target == ZeroID || target == "" {
		return Merge{Base: ZeroID}, nil
	}
	for _, id := range []string{head, target} {
		if _, err := r.Resolve(ctx, id); err != nil {
			return Merge{}, err
		}
	}
	base, err := r.git.mergeBase(ctx, head, target)
	if err != nil || base != head {
		return Merge{Base: base}, err
	}
	// The last line is the oldest commit of the target's own line that has it.
	line, err := r.git.run(ctx, "rev-list", "--first-parent", "--ancestry-path", head+".."+target)
	if err != nil {
		return Merge{}, fmt.Errorf("cannot find what merged %s: %w", quote(head), err)
	}
	by := line[strings.LastIndexByte(line, '\n')+1:]
	if by == "" {
		by = head
	}
	parent, err := r.git.run(ctx, "rev-parse", "--verify", "--quiet", by+"^1")
	if err != nil {
		return Merge{Merged: true, By: by, Base: ZeroID}, nil // the root commit
	}
	if parent == head || by == head { // a fast-forward: nothing tells the branch from its target
		return Merge{Merged: true, By: head, Base: head}, nil
	}
	base, err = r.git.mergeBase(ctx, head, parent)
	return Merge{Merged: true, By: by, Base: base}, err
}

func (g *gitCommand) mergeBase(ctx context.Context, a, b string) (string, error) {
	out, err := g.run(ctx, "merge-base", a, b)
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 {
		return ZeroID, nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot find where %s and %s parted: %w", quote(a), quote(b), err)
	}
	return out, nil
}
