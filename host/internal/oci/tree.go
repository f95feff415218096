package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// node is a name in the tree. Hard links are nodes with the same inode.
type node struct {
	*inode
	layer    int              // that wrote it
	children map[string]*node // of a folder
}

// inode is a file, link or folder.
type inode struct {
	kind     byte // tar.TypeReg, TypeDir, TypeSymlink or TypeFifo
	mode     int64
	uid, gid int
	size     int64
	mtime    time.Time
	target   string // of a symbolic link
	caps     string // security.capability; "" for none
	from     source // of a file's content
}

// source is where content is: in a layer's file, or text.
type source struct {
	layer int
	at    int64
	text  string
}

// tree is the file system under way.
type tree struct {
	root  *node
	layer int // that is being applied
}

func newTree() *tree {
	return &tree{root: &node{inode: &inode{kind: tar.TypeDir, mode: 0o755}, children: map[string]*node{}}, layer: -1}
}

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"

	maxPath = 4096  // bytes
	maxID   = 65535 // of users and groups: a container's ids end here
	maxHops = 40    // symbolic links of one path, as the kernel's
)

// checkHeader refuses what no image needs and no container can have.
func checkHeader(h *tar.Header) error {
	name := cut(h.Name)
	switch {
	case len(h.Name) > maxPath || len(h.Linkname) > maxPath:
		return fmt.Errorf("the name %q is longer than %d bytes", name, maxPath)
	case strings.ContainsRune(h.Name, 0) || strings.ContainsRune(h.Linkname, 0):
		return fmt.Errorf("the name %q holds a NUL byte", name)
	case leaves(h.Name):
		return fmt.Errorf("the name %q leads out of the image", name)
	case h.Uid < 0 || h.Uid > maxID || h.Gid < 0 || h.Gid > maxID:
		return fmt.Errorf("%q belongs to user %d, group %d; containers have ids up to %d", name, h.Uid, h.Gid, maxID)
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeFifo:
		if sparse(h) {
			return fmt.Errorf("%q is stored as a sparse file, which layers do not have", name)
		}
		return nil
	case tar.TypeLink:
		if leaves(h.Linkname) {
			return fmt.Errorf("%q is a link to %q, which leads out of the image", name, cut(h.Linkname))
		}
		return nil
	case tar.TypeSymlink:
		if !path.IsAbs(h.Linkname) && leaves(path.Dir(path.Clean("/" + h.Name))[1:]+"/"+h.Linkname) {
			return fmt.Errorf("%q is a link to %q, which leads out of the image", name, cut(h.Linkname))
		}
		return nil
	case tar.TypeChar, tar.TypeBlock:
		return fmt.Errorf("%q is a device, which no container may have", name)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return fmt.Errorf("%q is neither a file, a folder nor a link (type %q)", name, h.Typeflag)
}

// leaves reports whether a name leads above where it begins.
func leaves(name string) bool {
	name = path.Clean(strings.TrimLeft(name, "/"))
	return name == ".." || strings.HasPrefix(name, "../")
}

func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// Merge puts the layers on top of each other.
func merge(layers []layer) (*tree, error) {
	t := newTree()
	for k, l := range layers {
		t.layer = k
		for _, e := range l.entries {
			if err := t.apply(e); err != nil {
				return nil, fmt.Errorf("layer %d: %w", k+1, err)
			}
		}
	}
	return t, nil
}

// apply adds one entry of the current layer.
func (t *tree) apply(e entry) error {
	h := e.header
	name := path.Clean("/" + h.Name)
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if name == "/" {
		if h.Typeflag == tar.TypeDir {
			t.root.inode = inodeOf(h)
		}
		return nil
	}
	dir, base := path.Split(name)
	if strings.HasPrefix(base, whiteout) {
		return t.remove(dir, base)
	}
	parent, err := t.folder(dir, true)
	if err != nil {
		return fmt.Errorf("%q: %w", cut(h.Name), err)
	}
	if h.Typeflag == tar.TypeLink {
		return t.link(parent, base, h)
	}
	i := inodeOf(h)
	i.from = source{layer: t.layer, at: e.at}
	t.put(parent, base, i)
	return nil
}

func inodeOf(h *tar.Header) *inode {
	i := &inode{kind: h.Typeflag, mode: h.Mode & 0o7777, uid: h.Uid, gid: h.Gid, mtime: h.ModTime,
		caps: h.PAXRecords["SCHILY.xattr.security.capability"]}
	switch h.Typeflag {
	case tar.TypeReg:
		i.size = h.Size
	case tar.TypeSymlink:
		i.target, i.mode = h.Linkname, 0o777
	}
	return i
}

// put sets a name. A folder that is there as a folder stays, with what is in it.
func (t *tree) put(parent *node, base string, i *inode) *node {
	old := parent.children[base]
	if old != nil && old.kind == tar.TypeDir && i.kind == tar.TypeDir {
		old.inode, old.layer = i, t.layer
		return old
	}
	n := &node{inode: i, layer: t.layer}
	if i.kind == tar.TypeDir {
		n.children = map[string]*node{}
	}
	parent.children[base] = n
	return n
}

// link makes a hard link to what is already there.
func (t *tree) link(parent *node, base string, h *tar.Header) error {
	dir, last := path.Split(path.Clean("/" + h.Linkname))
	from, err := t.folder(dir, false)
	if err != nil {
		return fmt.Errorf("%q: %w", cut(h.Name), err)
	}
	target := from.children[last]
	if target == nil || target.kind == tar.TypeDir {
		return fmt.Errorf("%q is a hard link to %q, which is not a file there", cut(h.Name), cut(h.Linkname))
	}
	parent.children[base] = &node{inode: target.inode, layer: t.layer}
	return nil
}

// remove carries out a whiteout: it hides what is below this layer.
func (t *tree) remove(dir, base string) error {
	parent, err := t.folder(dir, false)
	if err != nil {
		return nil //nolint:nilerr // what is not there need not be hidden
	}
	if base == opaque {
		for name, child := range parent.children {
			t.hide(parent, name, child)
		}
		return nil
	}
	name := strings.TrimPrefix(base, whiteout)
	if name == "" || name == "." || name == ".." {
		return fmt.Errorf("%q hides nothing that could be there", cut(dir+base))
	}
	if child := parent.children[name]; child != nil {
		t.hide(parent, name, child)
	}
	return nil
}

// hide removes a node of lower layers, and keeps what this layer wrote.
func (t *tree) hide(parent *node, name string, n *node) {
	for child, c := range n.children {
		t.hide(n, child, c)
	}
	if n.layer < t.layer && len(n.children) == 0 {
		delete(parent.children, name)
	}
}

var errHops = errors.New("it leads through too many links")

// folder finds a folder by its name, through links, which lead nowhere but into
// the tree. Folders that are missing are made where asked.
func (t *tree) folder(name string, missing bool) (*node, error) {
	at := []*node{t.root}
	todo := strings.Split(name, "/")
	for hops := 0; len(todo) > 0; {
		word := todo[0]
		todo = todo[1:]
		here := at[len(at)-1]
		switch word {
		case "", ".":
			continue
		case "..":
			at = at[:max(1, len(at)-1)]
			continue
		}
		next := here.children[word]
		if next != nil && next.kind == tar.TypeSymlink {
			if hops++; hops > maxHops {
				return nil, errHops
			}
			if path.IsAbs(next.target) {
				at = at[:1]
			}
			todo = append(strings.Split(next.target, "/"), todo...)
			continue
		}
		if next == nil || next.kind != tar.TypeDir {
			if !missing {
				return nil, fmt.Errorf("there is no folder %q", cut(word))
			}
			next = t.put(here, word, &inode{kind: tar.TypeDir, mode: 0o755})
		}
		at = append(at, next)
	}
	return at[len(at)-1], nil
}

// find is the node of a name, through links; nil where there is none.
func (t *tree) find(name string) *node {
	for range maxHops {
		dir, base := path.Split(path.Clean("/" + name))
		parent, err := t.folder(dir, false)
		if err != nil {
			return nil
		}
		if base == "" {
			return parent
		}
		n := parent.children[base]
		if n == nil || n.kind != tar.TypeSymlink {
			return n
		}
		if name = n.target; !path.IsAbs(name) {
			name = path.Join(dir, name)
		}
	}
	return nil
}
