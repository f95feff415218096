package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Past is a path of one new commit with content that the pushed tree does not have
// there: the push adds it to the history too.
type Past struct {
	// Status is "A" or "M". OldID is what the first parent has there; of a file that
	// the commit moved, what it was.
	Change
	Commit string   // id of the first new commit that has this content at this path
	Merged []string // what the other parents have there, and files of the same name that the commit takes away
}

// PastList is the result of Listing.Past.
type PastList struct {
	All      []Past // in the order of their commits, oldest first, then of their paths
	Compared int    // entries of trees that were looked at for it
}

// Past lists what the commits reachable from new, and from neither base nor
// any of known, have at their paths beyond what Changes lists between base and
// new. A merge adds only what none of its parents has. What base has at the
// same path is not new, and the same content of a path counts once. A tree as
// new has no commits, and so no past.
//
// The list has the same limits as Changes, counted separately. A list is computed
// once; the caller must not change it.
func (l *Listing) Past(ctx context.Context, base, new string, known ...string) (PastList, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := strings.Join(append([]string{base, new}, known...), " ")
	if list, ok := l.pasts[key]; ok {
		return list, nil
	}
	list, err := l.past(ctx, base, new, known)
	if err == nil {
		l.pasts[key] = list
	}
	return list, err
}

func (l *Listing) past(ctx context.Context, base, new string, known []string) (PastList, error) {
	r := l.repo
	h, err := r.history(ctx)
	if err != nil {
		return PastList{}, err
	}
	nodes, err := r.newNodes(ctx, h, base, new, known)
	if err != nil {
		return PastList{}, fmt.Errorf("cannot list what the new commits add: %w", err)
	}
	p := &pastWalk{ctx: ctx, repo: r, left: newBudget(), seen: map[pastKey]bool{}, trees: map[plumbing.Hash]*Tree{}}
	if len(nodes) > 1 { // one commit adds what the push changes
		err = p.begin(l, base, new)
	} else {
		nodes = nil
	}
	for _, n := range oldestFirst(nodes) {
		if err == nil {
			err = p.commit(n)
		}
	}
	if err != nil {
		return PastList{}, fmt.Errorf("cannot list what the new commits add: %w", pastHint(err))
	}
	return PastList{All: p.all, Compared: maxCompared - p.left.compared}, nil
}

// pastHint gives a way on where the bounds of the list are reached.
func pastHint(err error) error {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() == fewerChanges {
		return withHint(err, "push older commits first: git push origin main~1000:refs/heads/main")
	}
	return err
}

// pastKey is a path with its content.
type pastKey struct {
	path, mode, id string
}

type pastWalk struct {
	ctx   context.Context
	repo  *Repo
	left  *budget
	base  *Tree
	seen  map[pastKey]bool // listed, or in the pushed tree
	trees map[plumbing.Hash]*Tree
	all   []Past
}

// begin notes what needs no listing.
func (p *pastWalk) begin(l *Listing, base, new string) error {
	changes, err := l.changes(p.ctx, base, new)
	if err != nil {
		return err
	}
	for _, c := range changes {
		p.seen[pastKey{c.Path, c.Mode, c.NewID}] = true
	}
	p.base, err = p.repo.Tree(p.ctx, orZero(base))
	return err
}

func orZero(id string) string {
	if id == "" {
		return ZeroID
	}
	return id
}

// commit lists what one commit adds to its parents.
func (p *pastWalk) commit(n *node) error {
	trees := make([]plumbing.Hash, max(1, len(n.parents)))
	for i, id := range n.parents {
		parent, err := p.repo.revisions.treeOf(p.ctx, id.String())
		if err != nil {
			return err
		}
		trees[i] = parent.id
	}
	own, err := p.repo.revisions.treeOf(p.ctx, n.id.String())
	if err != nil {
		return err
	}
	w := &treeWalk{ctx: p.ctx, objs: p.repo.objs, left: p.left}
	if err := w.pair(trees[0], own.id, "", 0); err != nil {
		return err
	}
	gone := goneOf(w.changes)
	for _, c := range w.changes {
		if c.Status == "D" {
			continue
		}
		past := Past{Change: c, Commit: n.id.String()}
		if c.Status == "A" {
			gone.origin(&past)
		}
		if err := p.add(past, trees[1:]); err != nil {
			return err
		}
	}
	return nil
}

// gone are the files that a commit removes, by the key that another file may share.
type gone struct {
	ids   map[string]bool
	names map[string][]string // name of the file: ids
}

func goneOf(changes []Change) gone {
	g := gone{ids: map[string]bool{}, names: map[string][]string{}}
	for _, c := range changes {
		if c.Status == "D" {
			g.ids[c.OldID] = true
			if name := path.Base(c.Path); len(g.names[name]) < maxOrigins {
				g.names[name] = append(g.names[name], c.OldID)
			}
		}
	}
	return g
}

// maxOrigins is how many files of its name a new one may have come from.
const maxOrigins = 8

// origin notes where a new file may have come from.
func (g gone) origin(p *Past) {
	if g.ids[p.NewID] {
		p.OldID = p.NewID
		return
	}
	p.Merged = append(p.Merged, g.names[path.Base(p.Path)]...)
}

// add lists what a commit has where none of its parents has it.
func (p *pastWalk) add(past Past, others []plumbing.Hash) error {
	c := past.Change
	key := pastKey{c.Path, c.Mode, c.NewID}
	if p.seen[key] {
		return nil
	}
	if known, err := p.has(p.base, c); err != nil || known != "" && known == c.Mode+" "+c.NewID {
		return err
	}
	for _, id := range others {
		tree, err := p.tree(id)
		if err != nil {
			return err
		}
		there, err := p.has(tree, c)
		switch {
		case err != nil || there == c.Mode+" "+c.NewID:
			return err
		case there != "":
			past.Merged = append(past.Merged, there[len(there)-len(ZeroID):])
		}
	}
	p.seen[key] = true
	p.all = append(p.all, past)
	return nil
}

// has is mode and id of a change's path in a tree; empty: it is not there.
func (p *pastWalk) has(t *Tree, c Change) (string, error) {
	if err := p.left.compare(1); err != nil {
		return "", err
	}
	p.left.release(1)
	e, err := t.find(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && e.isDir():
		return "", nil
	case err != nil:
		return "", err
	}
	return modeText(e.mode) + " " + e.id.String(), nil
}

// maxOpenTrees is how many parents of merges are held open.
const maxOpenTrees = 16

func (p *pastWalk) tree(id plumbing.Hash) (*Tree, error) {
	if t := p.trees[id]; t != nil {
		return t, nil
	}
	t, err := p.repo.Tree(p.ctx, id.String())
	if err != nil {
		return nil, err
	}
	if len(p.trees) >= maxOpenTrees {
		clear(p.trees)
	}
	p.trees[id] = t
	return t, nil
}

// Blob opens a blob by its id. It streams a large one that is read in order;
// otherwise it uses the Spool.
func (r *Repo) Blob(id string, s *Spool) (io.ReadCloser, int64, error) {
	if !isID(id) {
		return nil, 0, fmt.Errorf("%s is not an object id", quote(id))
	}
	h := plumbing.NewHash(id)
	typ, size, err := r.objs.header(h)
	if err == nil && typ != plumbing.BlobObject {
		err = fmt.Errorf("object %s is a %s, not a blob", id, typ)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("cannot open blob: %w", err)
	}
	f, err := openBlob(&Tree{objs: r.objs, spool: s}, h, fileInfo{size: size}, id)
	return f, size, err
}
