package hooks

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// Change is one path that differs between two trees. A move is a deletion and
// an addition; a file that became a directory is a deletion and additions.
type Change struct {
	Path   string // raw bytes, relative to the top, separated by slashes
	Status string // "A", "M" or "D"
	Mode   string // "100644", "100755", "120000" or "160000"; "" when deleted
	OldID  string // blob id in base (a submodule's commit id), "" when added
	NewID  string // blob id in new, "" when deleted
}

// Changes lists the paths that differ between base and new, sorted by their bytes.
// Both are ids of commits, trees or tags of them; ZeroID is the empty tree. Only
// directories whose ids differ are read, and one that cannot be read is an error: no
// change is left out.
//
// The list has limits, in paths and in bytes; exceeding one is an error that names
// it. Use one Listing for the changes of several updates of one push: the limits
// then apply to all of them together.
func (r *Repo) Changes(ctx context.Context, base, new string) ([]Change, error) {
	return r.Listing().Changes(ctx, base, new)
}

// Listing lists the changes of all updates of one push. It is safe for
// concurrent use.
type Listing struct {
	repo *Repo

	mu    sync.Mutex
	left  *budget
	done  map[[2]plumbing.Hash][]Change // by the two trees
	pasts map[string]PastList           // by what Past was asked
}

// Listing returns a list of the changes of a push.
func (r *Repo) Listing() *Listing {
	return &Listing{repo: r, left: newBudget(), done: map[[2]plumbing.Hash][]Change{}, pasts: map[string]PastList{}}
}

// Changes is Repo.Changes. The same two trees are listed once, and the list
// must not be changed.
func (l *Listing) Changes(ctx context.Context, base, new string) ([]Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changes(ctx, base, new)
}

// changes is Changes with mu held.
func (l *Listing) changes(ctx context.Context, base, new string) ([]Change, error) {
	r := l.repo
	a, err := r.revisions.treeOf(ctx, base)
	if err != nil {
		return nil, fmt.Errorf("cannot list changes: %w", err)
	}
	b, err := r.revisions.treeOf(ctx, new)
	if err != nil {
		return nil, fmt.Errorf("cannot list changes: %w", err)
	}
	trees := [2]plumbing.Hash{a.id, b.id}
	if known, ok := l.done[trees]; ok {
		return known, nil
	}
	w := &treeWalk{ctx: ctx, objs: r.objs, left: l.left}
	if err := w.pair(a.id, b.id, "", 0); err != nil {
		return nil, fmt.Errorf("cannot list changes: %w", err)
	}
	l.done[trees] = w.changes
	return w.changes, nil
}

type treeWalk struct {
	ctx     context.Context
	objs    *store
	left    *budget
	changes []Change
}

// pair walks two trees side by side. A tree that is not there has the zero id.
func (w *treeWalk) pair(a, b plumbing.Hash, prefix string, depth int) error {
	if a == b {
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("directories are nested more than %d deep", maxDepth)
	}
	if err := w.left.path(prefix); err != nil {
		return err
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	old, err := w.objs.readTree(a)
	if err != nil {
		return err
	}
	new, err := w.objs.readTree(b)
	if err != nil {
		return err
	}
	if err := w.left.compare(len(old) + len(new)); err != nil {
		return err
	}
	defer w.left.release(len(old) + len(new))
	for len(old) > 0 || len(new) > 0 {
		var left, right treeEntry
		switch c := compareHeads(old, new); {
		case c < 0:
			left, old = old[0], old[1:]
		case c > 0:
			right, new = new[0], new[1:]
		default:
			left, old, right, new = old[0], old[1:], new[0], new[1:]
		}
		if err := w.entry(left, right, prefix, depth); err != nil {
			return err
		}
	}
	return nil
}

func compareHeads(old, new []treeEntry) int {
	switch {
	case len(old) == 0:
		return 1
	case len(new) == 0:
		return -1
	}
	return compareEntries(old[0], new[0])
}

// entry compares two entries of one name, of which one may be missing. They
// are both directories or neither is: a directory sorts elsewhere.
func (w *treeWalk) entry(a, b treeEntry, prefix string, depth int) error {
	if a.mode == b.mode && a.id == b.id {
		return nil
	}
	path := prefix + a.name
	if a.mode == 0 {
		path = prefix + b.name
	}
	if a.isDir() || b.isDir() {
		return w.pair(a.id, b.id, path+"/", depth+1)
	}
	if err := w.left.path(path); err != nil {
		return err
	}
	if err := w.left.change(); err != nil {
		return err
	}
	c := Change{Path: path, Status: "M"}
	if a.mode != 0 {
		c.OldID = a.id.String()
	}
	if b.mode != 0 {
		c.NewID, c.Mode = b.id.String(), modeText(b.mode)
	}
	switch {
	case a.mode == 0:
		c.Status = "A"
	case b.mode == 0:
		c.Status = "D"
	}
	w.changes = append(w.changes, c)
	return nil
}
