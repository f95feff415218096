package hooks

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Commit is one commit.
type Commit struct {
	ID      string
	Parents []string
	Author  string // "Name <mail>", invalid UTF-8 replaced
	Time    int64  // committer time, seconds since 1970 UTC
	Message string // as written, invalid UTF-8 replaced
}

// maxCommitBytes is what the new commits of one update may take together, in
// bytes of authors, messages and parents.
const maxCommitBytes = 64 << 20

// size is what a commit takes in a list, in bytes.
func (c Commit) size() int {
	return 100 + len(c.Author) + len(c.Message) + len(ZeroID)*(1+len(c.Parents))
}

// Commits lists the commits reachable from new and neither from base nor from any of
// known, parents before children and otherwise oldest first. base may be ZeroID;
// known is the result of Known, missing ids in it are ignored. A tree as new has no
// commits. More than 64 MiB of commits are an error.
func (r *Repo) Commits(ctx context.Context, base, new string, known ...string) ([]Commit, error) {
	h, err := r.history(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := r.newNodes(ctx, h, base, new, known)
	if err != nil {
		return nil, fmt.Errorf("cannot list new commits: %w", err)
	}
	out := make([]Commit, 0, len(nodes))
	bytes := 0
	for _, n := range oldestFirst(nodes) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := h.commit(n)
		if err != nil {
			return nil, fmt.Errorf("cannot list new commits: %w", err)
		}
		if bytes += c.size(); bytes > maxCommitBytes {
			return nil, withHint(fmt.Errorf("cannot list new commits: they are longer than %d MiB together", maxCommitBytes>>20),
				"push older commits first: git push origin main~1000:refs/heads/main")
		}
		out = append(out, c)
	}
	return out, nil
}

func (r *Repo) newNodes(ctx context.Context, h *history, base, new string, known []string) ([]*node, error) {
	if new == ZeroID {
		return nil, nil
	}
	tip, typ, err := r.revisions.lookUp(ctx, new)
	if err != nil || typ != plumbing.CommitObject {
		return nil, err
	}
	var hide []plumbing.Hash
	if base != ZeroID && base != "" {
		id, typ, err := r.revisions.lookUp(ctx, base)
		if err != nil {
			return nil, err
		}
		if typ == plumbing.CommitObject {
			hide = append(hide, id)
		}
	}
	for _, k := range known {
		if !isID(k) {
			return nil, fmt.Errorf("%s is not an object id", quote(k))
		}
		id, err := h.commitAt(plumbing.NewHash(k))
		if err != nil {
			return nil, err
		}
		if !id.IsZero() {
			hide = append(hide, id)
		}
	}
	return h.without(tip, hide)
}

// slop is how many commits a walk looks on after it seems to be done, as git
// does: clocks that ran wrong must not make a hidden commit look new.
const slop = 32

// without returns the commits reachable from tip and from none of hide. It
// walks until all that is left has long been hidden and older than anything
// it would return.
func (h *history) without(tip plumbing.Hash, hide []plumbing.Hash) ([]*node, error) {
	h.clear()
	q := &queue{}
	if err := h.paint(q, tip, fromNew); err != nil {
		return nil, err
	}
	for _, id := range hide {
		if err := h.paint(q, id, stale); err != nil {
			return nil, err
		}
	}
	var seen []*node
	oldest := int64(1<<63 - 1)
	for left := slop; q.Len() > 0 && left > 0; left-- {
		if err := h.ctx.Err(); err != nil {
			return nil, err
		}
		if q.live > 0 || q.nodes[0].time >= oldest {
			left = slop
		}
		n := q.pop()
		if n.colour&stale == 0 {
			seen = append(seen, n)
			oldest = min(oldest, n.time)
		}
		for _, p := range n.parents {
			if err := h.paint(q, p, n.colour); err != nil {
				return nil, err
			}
		}
	}
	var out []*node
	for _, n := range seen {
		if n.colour&stale == 0 {
			out = append(out, n)
		}
	}
	return out, nil
}

// oldestFirst orders commits by time, but never a child before its parent.
func oldestFirst(nodes []*node) []*node {
	waits := make(map[plumbing.Hash]int, len(nodes))
	children := make(map[plumbing.Hash][]*node)
	for _, n := range nodes {
		waits[n.id] = 0
	}
	for _, n := range nodes {
		for _, p := range n.parents {
			if _, ok := waits[p]; ok {
				waits[n.id]++
				children[p] = append(children[p], n)
			}
		}
	}
	ready := &oldest{}
	for _, n := range nodes {
		if waits[n.id] == 0 {
			heap.Push(ready, n)
		}
	}
	out := make([]*node, 0, len(nodes))
	for ready.Len() > 0 {
		n := heap.Pop(ready).(*node)
		out = append(out, n)
		for _, c := range children[n.id] {
			if waits[c.id]--; waits[c.id] == 0 {
				heap.Push(ready, c)
			}
		}
	}
	return out
}

// oldest is a queue turned round.
type oldest struct{ queue }

func (o *oldest) Less(i, j int) bool { return o.queue.Less(j, i) }

// commit reads author and message of a node.
func (h *history) commit(n *node) (Commit, error) {
	e, err := h.objs.typed(plumbing.CommitObject, n.id)
	if err != nil {
		return Commit{}, err
	}
	author, err := decodeAuthor(e)
	if err != nil {
		return Commit{}, err
	}
	_, message, _ := bytes.Cut(e.data, []byte("\n\n"))
	c := Commit{ID: n.id.String(), Time: n.time, Author: clean(author), Message: clean(string(message))}
	for _, p := range n.parents {
		c.Parents = append(c.Parents, p.String())
	}
	return c, nil
}

func clean(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// WriteTree writes the index (GIT_INDEX_FILE, if git has set it) as a tree and
// returns its id: exactly the tree of the commit that is being made. Work tree and
// index are not changed. An index with unresolved conflicts is refused.
func (r *Repo) WriteTree(ctx context.Context) (string, error) {
	id, err := r.git.run(ctx, "write-tree")
	var failed *gitError
	if errors.As(err, &failed) && strings.Contains(failed.stderr, "unmerged") {
		return "", withHint(errors.New("cannot judge the index: it has unresolved conflicts"),
			"resolve them and git add the files, see: git status")
	}
	if err != nil {
		return "", fmt.Errorf("cannot write the index as a tree: %w", err)
	}
	if !isID(id) {
		return "", fmt.Errorf("cannot write the index as a tree: git answered %s", quote(id))
	}
	return id, nil
}

// HeadTree is the id of the tree of HEAD's commit, ZeroID if there is no commit yet.
func (r *Repo) HeadTree(ctx context.Context) (string, error) {
	t, err := r.revisions.treeOf(ctx, "HEAD")
	var none *NoRevisionError
	if errors.As(err, &none) {
		return ZeroID, nil
	}
	if err != nil {
		return "", err
	}
	return t.id.String(), nil
}
