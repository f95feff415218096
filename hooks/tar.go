package hooks

import (
	"archive/tar"
	"context"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// WriteTar writes the whole tree as a tar archive in GNU format, which takes
// names as raw bytes of any length: every file, link and directory, a
// directory before what it holds, a submodule as an empty directory, all owned
// by uid and gid. Files are streamed; memory does not grow with their size.
// Unpacking it writes below the target only: no entry's path leads through a
// link or upwards.
func (t *Tree) WriteTar(ctx context.Context, w io.Writer, uid, gid int) error {
	a := &archive{steps: steps{ctx: ctx}, tree: t, tw: tar.NewWriter(w), uid: uid, gid: gid}
	if err := a.dir(t.root, "", 0); err != nil {
		return fmt.Errorf("cannot write tree %s as tar: %w", t.root, err)
	}
	if err := a.tw.Close(); err != nil {
		return fmt.Errorf("cannot write tree %s as tar: %w", t.root, err)
	}
	return nil
}

type archive struct {
	steps
	tree     *Tree
	tw       *tar.Writer
	uid, gid int
}

func (a *archive) dir(id plumbing.Hash, prefix string, depth int) error {
	entries, err := a.tree.dir(id)
	if err == nil {
		err = a.enter(len(entries), depth)
	}
	if err != nil {
		return err
	}
	defer a.release(len(entries))
	for _, e := range entries {
		if err := a.steps.entry(prefix + e.name); err != nil {
			return err
		}
		if err := a.entry(e, prefix+e.name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) entry(e treeEntry, path string, depth int) error {
	h := &tar.Header{
		Name: path, Uid: a.uid, Gid: a.gid, ModTime: a.tree.time, Format: tar.FormatGNU,
		Mode: int64(fileMode(e.mode).Perm()), Typeflag: tar.TypeReg,
	}
	switch e.mode {
	case modeDir, modeModule:
		h.Typeflag, h.Name = tar.TypeDir, path+"/"
	case modeLink:
		target, err := a.tree.target(e)
		if err != nil {
			return fmt.Errorf("%s: %w", quote(path), err)
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	default:
		return a.file(h, e)
	}
	if err := a.tw.WriteHeader(h); err != nil || e.mode != modeDir {
		return err
	}
	return a.dir(e.id, path+"/", depth+1)
}

func (a *archive) file(h *tar.Header, e treeEntry) error {
	typ, size, content, err := a.tree.objs.stream(e.id, a.tree.spool)
	if err != nil {
		return fmt.Errorf("%s: %w", quote(h.Name), err)
	}
	defer content.Close()
	if typ != plumbing.BlobObject {
		return fmt.Errorf("%s: object %s is a %s, not a blob", quote(h.Name), e.id, typ)
	}
	h.Size = size
	if err := a.tw.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.Copy(a.tw, content); err != nil {
		return fmt.Errorf("%s: %w", quote(h.Name), err)
	}
	return nil
}
