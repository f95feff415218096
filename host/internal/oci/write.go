package oci

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// writer writes a tree as a tar: names sorted, folders before what is in them, a
// file before its hard links.
type writer struct {
	out    *tar.Writer
	layers []layer
	first  map[*inode]string // under which name it was written
}

// write is the same bytes for the same tree.
func (t *tree) write(w io.Writer, layers []layer) error {
	buffered := bufio.NewWriterSize(w, 1<<20)
	tw := &writer{out: tar.NewWriter(buffered), layers: layers, first: map[*inode]string{}}
	if err := tw.folder("", t.root); err != nil {
		return err
	}
	if err := tw.out.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

func (w *writer) folder(name string, n *node) error {
	h := header("./"+name, n.inode)
	if err := w.out.WriteHeader(h); err != nil {
		return err
	}
	for _, base := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[base]
		var err error
		if child.kind == tar.TypeDir {
			err = w.folder(name+base+"/", child)
		} else {
			err = w.leaf(name+base, child.inode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func header(name string, i *inode) *tar.Header {
	h := &tar.Header{Typeflag: i.kind, Name: name, Mode: i.mode, Uid: i.uid, Gid: i.gid, Size: i.size,
		ModTime: i.mtime.Truncate(1e9), Linkname: i.target}
	if i.caps != "" {
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": i.caps}
	}
	return h
}

func (w *writer) leaf(name string, i *inode) error {
	name = "./" + name
	if first, written := w.first[i]; written {
		h := header(name, i)
		h.Typeflag, h.Size, h.Linkname, h.PAXRecords = tar.TypeLink, 0, first, nil
		return w.out.WriteHeader(h)
	}
	w.first[i] = name
	if err := w.out.WriteHeader(header(name, i)); err != nil {
		return fmt.Errorf("%q: %w", cut(name), err)
	}
	if i.kind != tar.TypeReg || i.size == 0 {
		return nil
	}
	return w.content(i)
}

func (w *writer) content(i *inode) error {
	if i.from.text != "" {
		_, err := io.WriteString(w.out, i.from.text)
		return err
	}
	_, err := io.Copy(w.out, io.NewSectionReader(w.layers[i.from.layer].file, i.from.at, i.size))
	return err
}

// text is what a file of the tree holds, up to a limit; "" where it is longer or
// not a file.
func (t *tree) text(layers []layer, name string, most int64) string {
	n := t.find(name)
	if n == nil || n.kind != tar.TypeReg || n.size > most {
		return ""
	}
	if n.from.text != "" {
		return n.from.text
	}
	var b strings.Builder
	if _, err := io.Copy(&b, io.NewSectionReader(layers[n.from.layer].file, n.from.at, n.size)); err != nil {
		return ""
	}
	return b.String()
}
