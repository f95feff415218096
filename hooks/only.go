package hooks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Only is the tree with nothing in it but the files, links and submodules that
// keep wants, and the directories that lead to them. Its ID is the one git
// would give such a tree, so that two trees that differ only in what is left
// out are one. All directories are read; files are not.
func (t *Tree) Only(ctx context.Context, keep func(path string) bool) (*Tree, error) {
	only := &Tree{objs: t.objs, spool: t.spool, time: t.time, dirs: make(map[plumbing.Hash][]treeEntry),
		made: make(map[plumbing.Hash][]treeEntry)}
	f := &filter{steps: steps{ctx: ctx}, from: t, to: only, wants: keep}
	root, _, err := f.dir(t.root, "", 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read tree %s: %w", t.root, err)
	}
	only.root = root
	return only, nil
}

type filter struct {
	steps
	from, to *Tree
	wants    func(string) bool
}

// dir writes the part of a directory that matches; empty: there is none.
func (f *filter) dir(id plumbing.Hash, prefix string, depth int) (made plumbing.Hash, empty bool, err error) {
	if err := f.ctx.Err(); err != nil {
		return made, false, err
	}
	entries, err := f.from.dir(id)
	if err == nil {
		err = f.enter(len(entries), depth)
	}
	if err != nil {
		return made, false, err
	}
	defer f.release(len(entries))
	var kept []treeEntry
	for _, e := range entries {
		path := prefix + e.name
		if err := f.entry(path); err != nil {
			return made, false, err
		}
		if e.mode == modeDir {
			e.id, empty, err = f.dir(e.id, path+"/", depth+1)
			if err != nil {
				return made, false, err
			}
		} else {
			empty = !f.wants(path)
		}
		if empty {
			continue
		}
		if err := f.steps.keep(e.name); err != nil {
			return made, false, err
		}
		e.name = strings.Clone(e.name) // not the whole directory with it
		kept = append(kept, e)
	}
	made = treeID(kept)
	f.to.made[made] = kept
	return made, len(kept) == 0, nil
}

// treeID is the object id of a tree of these entries.
func treeID(entries []treeEntry) plumbing.Hash {
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%o %s\x00", e.mode, e.name)
		b.Write(e.id[:])
	}
	return plumbing.ComputeHash(plumbing.TreeObject, b.Bytes())
}

// Mark says what is at a path: two marks are equal only where mode and content
// are. A directory's mark says nothing of what is in it; see MarkList.
func (t *Tree) Mark(path string) (string, error) {
	e, err := t.find(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return "none", nil
	case err != nil:
		return "", fmt.Errorf("cannot read %s: %w", quote(path), err)
	case e.mode == modeDir, e.mode == modeModule:
		return "directory", nil
	}
	return fmt.Sprintf("%o %s", e.mode, e.id), nil
}

// MarkList says which names of which kinds are in a directory.
func (t *Tree) MarkList(path string) (string, error) {
	e, err := t.find(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return "none", nil
	case err != nil:
		return "", fmt.Errorf("cannot read %s: %w", quote(path), err)
	case e.mode != modeDir && e.mode != modeModule:
		return fmt.Sprintf("no directory: %o", e.mode), nil
	}
	list, err := t.list(e)
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", quote(path), err)
	}
	sum := sha256.New()
	for _, one := range list {
		fmt.Fprintf(sum, "%s\x00%s\x00", one.Name(), one.Type())
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
