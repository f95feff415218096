package hooks

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
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
	a, err := r.treeOf(ctx, base)
	if err != nil {
		return nil, fmt.Errorf("cannot list changes: %w", err)
	}
	b, err := r.treeOf(ctx, new)
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

// treeRef is a tree and, when it was found through one, its commit.
type treeRef struct {
	id     plumbing.Hash // zero for the empty tree
	commit plumbing.Hash
	time   int64 // of the commit, seconds since 1970 UTC
}

// treeOf finds the tree of an id or any other name of a revision.
func (r *Repo) treeOf(ctx context.Context, rev string) (treeRef, error) {
	if rev == ZeroID {
		return treeRef{}, nil
	}
	id, typ, err := r.lookUp(ctx, rev)
	if err != nil {
		return treeRef{}, err
	}
	switch typ {
	case plumbing.TreeObject:
		return treeRef{id: id}, nil
	case plumbing.CommitObject:
		e, err := r.objs.typed(plumbing.CommitObject, id)
		if err != nil {
			return treeRef{}, err
		}
		c, at, err := r.objs.decodeCommit(e)
		if err != nil {
			return treeRef{}, err
		}
		return treeRef{id: c.TreeHash, commit: id, time: at}, nil
	}
	return treeRef{}, &NoTreeError{Name: rev, Type: typ.String()}
}

// NoTreeError is a ref that names an object without a tree, which no lane can judge.
// Such a push is refused.
type NoTreeError struct {
	Name string // the ref or id
	Type string // "blob"
}

func (e *NoTreeError) Error() string {
	return fmt.Sprintf("cannot judge %s: it names a %s, which has no tree", e.Name, e.Type)
}

// Hint says how to fix it.
func (e *NoTreeError) Hint() string {
	return "commit the content and push a tag or branch of that commit"
}

// maxTags is how many tags may name one another in a row.
const maxTags = 64

// peel follows tags to what they name.
func (s *store) peel(id plumbing.Hash) (plumbing.Hash, plumbing.ObjectType, error) {
	start := id
	var tag *gitobject.Tag
	for range maxTags {
		typ, _, err := s.header(id)
		if err == nil && tag != nil && typ != tag.TargetType {
			err = fmt.Errorf("tag %s cannot be read: it says that object %s is a %s, and it is a %s", tag.Hash, id,
				tag.TargetType, typ)
		}
		if err != nil || typ != plumbing.TagObject {
			return id, typ, err
		}
		if tag, err = s.decodeTag(id); err != nil {
			return id, 0, err
		}
		id = tag.Target
	}
	return id, 0, fmt.Errorf("tag %s names more than %d tags in a row", start, maxTags)
}
