package hooks

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	commitgraph "github.com/go-git/go-git/v5/plumbing/format/commitgraph/v2"
)

// graphs are the commit-graph files of the object directories: ancestry
// without reading commits.
type graphs struct{ files []commitgraph.Index }

func openGraph(path string, below commitgraph.Index) (commitgraph.Index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	g, err := commitgraph.OpenFileIndexWithParent(f, below)
	if err != nil {
		f.Close()
		return nil, err
	}
	return g, nil
}

// openGraphChain opens a graph that was written in layers, oldest first. When
// an upper layer cannot be read the ones below still count.
func openGraphChain(dir string) commitgraph.Index {
	text, err := os.ReadFile(filepath.Join(dir, "commit-graph-chain"))
	if err != nil {
		return nil
	}
	var top commitgraph.Index
	for _, name := range strings.Fields(string(text)) {
		if !isID(name) {
			break
		}
		next, err := openGraph(filepath.Join(dir, "graph-"+name+".graph"), top)
		if err != nil {
			break
		}
		top = next
	}
	return top
}

// spot is a commit's place in a graph.
type spot struct {
	file commitgraph.Index
	at   uint32
}

// fill completes a node from a graph, false when none has it. spots remembers
// where parents are, so that a walk need not search for them.
func (g *graphs) fill(n *node, spots map[plumbing.Hash]spot) bool {
	if g == nil {
		return false
	}
	if s, ok := spots[n.id]; ok {
		return s.fill(n, spots)
	}
	for _, f := range g.files {
		at, err := f.GetIndexByHash(n.id)
		if err == nil && (spot{f, at}).fill(n, spots) {
			return true
		}
	}
	return false
}

func (s spot) fill(n *node, spots map[plumbing.Hash]spot) bool {
	d, err := s.file.GetCommitDataByIndex(s.at)
	if err != nil {
		return false
	}
	n.tree, n.parents, n.time = d.TreeHash, d.ParentHashes, d.When.Unix()
	for i, at := range d.ParentIndexes {
		spots[d.ParentHashes[i]] = spot{s.file, at}
	}
	return true
}

func (g *graphs) close() {
	for _, f := range g.files {
		f.Close()
	}
}
