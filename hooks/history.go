package hooks

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// node is a commit in a walk, with what the walk knows of it.
type node struct {
	id      plumbing.Hash
	tree    plumbing.Hash
	parents []plumbing.Hash
	time    int64 // committer time, seconds since 1970 UTC
	colour  uint8
	queued  bool
}

// history is one walk over commits. Ancestry comes from the commit-graph file
// where there is one, else from the commits themselves; at the edge of a
// shallow clone it ends without an error.
type history struct {
	ctx     context.Context
	objs    *store
	graph   *graphs
	shallow map[plumbing.Hash]bool
	spots   map[plumbing.Hash]spot
	nodes   map[plumbing.Hash]*node
	broken  map[plumbing.Hash]error // nodes that cannot be read
	parents int                     // of all nodes
}

// Bounds of a walk over commits: those of a hostile push may name millions of
// parents, which compress to nothing.
const (
	maxParents    = 4096      // of one commit
	maxAllParents = 8_000_000 // of all commits of one walk: some 200 MB
)

func (r *Repo) history(ctx context.Context) (*history, error) {
	if _, err := r.git.config(ctx); err != nil {
		return nil, err
	}
	shallow, err := readShallow(filepath.Join(r.place.common, "shallow"))
	if err != nil {
		return nil, err
	}
	h := &history{ctx: ctx, objs: r.objs, shallow: shallow, spots: make(map[plumbing.Hash]spot),
		nodes: make(map[plumbing.Hash]*node), broken: make(map[plumbing.Hash]error)}
	if len(shallow) == 0 { // git too leaves the graph aside in a shallow clone
		h.graph = r.commitGraph()
	}
	return h, nil
}

func readShallow(path string) (map[plumbing.Hash]bool, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read where history is cut off: %w", err)
	}
	edge := make(map[plumbing.Hash]bool)
	for _, line := range strings.Fields(string(text)) {
		if !isID(line) {
			return nil, fmt.Errorf("cannot read where history is cut off: %s holds %s", path, quote(line))
		}
		edge[plumbing.NewHash(line)] = true
	}
	return edge, nil
}

// at returns the node of a commit.
func (h *history) at(id plumbing.Hash) (*node, error) {
	if n := h.nodes[id]; n != nil {
		return n, h.broken[id]
	}
	if err := h.ctx.Err(); err != nil {
		return nil, err
	}
	n := &node{id: id}
	if !h.graph.fill(n, h.spots) {
		e, err := h.objs.typed(plumbing.CommitObject, id)
		if err != nil {
			return nil, err
		}
		read, err := e.node()
		if err != nil {
			h.broken[id], h.nodes[id] = err, n
			return n, err
		}
		n = read
	}
	if h.shallow[id] {
		n.parents = nil
	}
	if len(n.parents) > maxParents {
		return nil, fmt.Errorf("commit %s has %d parents, more than %d", id, len(n.parents), maxParents)
	}
	if h.parents += len(n.parents); h.parents > maxAllParents {
		return nil, fmt.Errorf("the commits have more than %d parents together", maxAllParents)
	}
	h.nodes[id] = n
	return n, nil
}

// stampTime is the time of "Name <mail> 1700000000 +0100", 0 when it cannot be
// read: time only orders a walk.
func stampTime(stamp string) int64 {
	_, after := cutMail(stamp)
	sec, _, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
	t, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || t < 0 {
		return 0
	}
	return t
}

// cutMail cuts a stamp after the last '>'; without one all of it is the person.
func cutMail(stamp string) (person, rest string) {
	i := strings.LastIndexByte(stamp, '>')
	if i < 0 {
		return stamp, ""
	}
	return stamp[:i+1], stamp[i+1:]
}

// The colours of the walk from two sides.
const (
	fromNew   = 1 << iota // reachable from the one side
	fromOld               // reachable from the other
	stale                 // reachable from a common ancestor: of no further interest
	common                // a common ancestor that was noted
	bothSides = fromNew | fromOld
)

// mergeBases walks back from both sides, newest commit first, until all that
// is left lies behind common ancestors, and returns those that no other one
// reaches, newest first. With stop set it ends as soon as that commit has both
// colours, and returns it alone.
func (h *history) mergeBases(one plumbing.Hash, others []plumbing.Hash, stop plumbing.Hash) ([]plumbing.Hash, error) {
	h.clear()
	q := &queue{}
	if err := h.paint(q, one, fromNew); err != nil {
		return nil, err
	}
	for _, id := range others {
		if err := h.paint(q, id, fromOld); err != nil {
			return nil, err
		}
	}
	var found []*node
	for q.live > 0 {
		if err := h.ctx.Err(); err != nil {
			return nil, err
		}
		n := q.pop()
		colour := n.colour & (bothSides | stale)
		if colour == bothSides {
			if n.id == stop {
				return []plumbing.Hash{stop}, nil
			}
			if n.colour&common == 0 {
				n.colour |= common
				found = append(found, n)
			}
			colour |= stale
		}
		for _, p := range n.parents {
			if err := h.paint(q, p, colour); err != nil {
				return nil, err
			}
		}
	}
	var best []plumbing.Hash
	for _, n := range found {
		if n.colour&stale == 0 {
			best = append(best, n.id)
		}
	}
	return best, nil
}

// paint gives a commit a colour. One whose header git takes and we cannot read
// is an error on the side that is new; on the other, which is there already, it
// is taken for one without parents: then more counts as new, not less.
func (h *history) paint(q *queue, id plumbing.Hash, colour uint8) error {
	n, err := h.at(id)
	if err != nil && n != nil && (n.colour|colour)&fromNew == 0 {
		err = nil
	}
	if err != nil || n.colour&colour == colour {
		return err
	}
	q.add(n, colour)
	return nil
}

func (h *history) clear() {
	for _, n := range h.nodes {
		n.colour, n.queued = 0, false
	}
}

// isAncestor tells whether old is reachable from id, or is it.
func (h *history) isAncestor(old, id plumbing.Hash) (bool, error) {
	if old == id {
		return true, nil
	}
	found, err := h.mergeBases(id, []plumbing.Hash{old}, old)
	return len(found) == 1 && found[0] == old, err
}

// queue holds the commits a walk has yet to look at, newest first, and counts
// those of them that are not stale.
type queue struct {
	nodes []*node
	live  int
}

// add gives a node more colour and sees to it that it is queued.
func (q *queue) add(n *node, colour uint8) {
	if n.queued && n.colour&stale == 0 {
		q.live--
	}
	n.colour |= colour
	if n.colour&stale == 0 {
		q.live++
	}
	if !n.queued {
		n.queued = true
		heap.Push(q, n)
	}
}

func (q *queue) pop() *node {
	n := heap.Pop(q).(*node)
	n.queued = false
	if n.colour&stale == 0 {
		q.live--
	}
	return n
}

func (q *queue) Len() int { return len(q.nodes) }

func (q *queue) Less(i, j int) bool {
	a, b := q.nodes[i], q.nodes[j]
	if a.time != b.time {
		return a.time > b.time
	}
	return bytes.Compare(a.id[:], b.id[:]) < 0
}

func (q *queue) Swap(i, j int) { q.nodes[i], q.nodes[j] = q.nodes[j], q.nodes[i] }

func (q *queue) Push(x any) { q.nodes = append(q.nodes, x.(*node)) }

func (q *queue) Pop() any {
	n := q.nodes[len(q.nodes)-1]
	q.nodes = q.nodes[:len(q.nodes)-1]
	return n
}

// commitGraph opens them at the first call. One that cannot be read is left
// aside: the commits say the same, more slowly.
func (r *Repo) commitGraph() *graphs {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.graph != nil {
		return r.graph
	}
	g := &graphs{}
	_, dirs, err := r.objs.list(false)
	if err != nil {
		return g
	}
	for _, dir := range dirs {
		f, err := openGraph(filepath.Join(dir, "info", "commit-graph"), nil)
		if err != nil {
			f = openGraphChain(filepath.Join(dir, "info", "commit-graphs"))
		}
		if f != nil {
			g.files = append(g.files, f)
		}
	}
	r.graph = g
	return g
}
