package wasm

import (
	"errors"
	"io"
	"io/fs"
	"strings"
)

var errReadOnly = errors.New("read-only")

// tree is one of the world's trees as a volume of the guest: every look at it
// is a question.
type tree struct {
	session *session
	number  byte
	ahead   *treeContent // of the path that opening looked at
}

// ask puts a question about a path.
func (t *tree) ask(kind Kind, path string) (Answer, error) {
	return t.answered(t.session.ask(Question{Kind: kind, Tree: t.number, Name: path}))
}

// answered makes an error of an answer's code.
func (t *tree) answered(a Answer, err error) (Answer, error) {
	switch {
	case err != nil:
		return a, err
	case a.Code < 0 || a.Code >= int64(len(fsErrors)):
		return a, errWire
	}
	return a, fsErrors[a.Code]
}

func (t *tree) stat(path string) (stat, error) {
	if path == "." {
		return stat{kind: typeDir}, nil
	}
	a, err := t.ask(AskStat, path)
	return stat{kind: a.Type, size: a.Size}, err
}

// opening is stat of what is about to be opened: one question instead of two.
func (t *tree) opening(path string) (stat, error) {
	if path == "." {
		return stat{kind: typeDir}, nil
	}
	a, err := t.ask(AskOpen, path)
	if err != nil {
		return stat{}, err
	}
	if a.Type == typeRegular {
		t.release()
		t.ahead = &treeContent{tree: t, path: path, handle: a.Handle, length: a.Size, head: a.Data}
	}
	return stat{kind: a.Type, size: a.Size}, nil
}

// release closes what was opened ahead and not wanted.
func (t *tree) release() {
	if t.ahead != nil {
		t.ahead.close()
		t.ahead = nil
	}
}

func (t *tree) list(path string) ([]entry, error) {
	a, err := t.ask(AskList, path)
	if err != nil {
		return nil, err
	}
	return decodeEntries(a.Data)
}

func (t *tree) readlink(path string) (string, error) {
	a, err := t.ask(AskLink, path)
	return string(a.Data), err
}

// open gives what opening looked at; nothing can be made or changed.
func (t *tree) open(path string, how openHow) (content, error) {
	file := t.ahead
	switch {
	case how != (openHow{}):
		return nil, errReadOnly
	case file == nil || file.path != path: // neither file, folder nor link
		return nil, fs.ErrPermission
	}
	t.ahead = nil
	return file, nil
}

// treeContent is an open file of a tree.
type treeContent struct {
	tree   *tree
	path   string
	handle uint32 // 0: head is all
	length int64
	head   []byte
}

func (c *treeContent) size() int64 { return c.length }

func (c *treeContent) readAt(p []byte, off int64) (int, error) {
	if off >= c.length {
		return 0, io.EOF
	}
	if off < int64(len(c.head)) {
		return copy(p, c.head[off:]), nil
	}
	if c.handle == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	a, err := c.tree.answered(c.tree.session.ask(Question{Kind: AskRead, Handle: c.handle, Offset: off,
		Count: min(int64(len(p)), maxRead)}))
	if err != nil {
		return 0, err
	}
	if len(a.Data) == 0 && len(p) > 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, a.Data), nil
}

func (c *treeContent) close() {
	if c.handle != 0 && !c.tree.session.over() {
		_, _ = c.tree.session.ask(Question{Kind: AskClosed, Handle: c.handle})
		c.handle = 0
	}
}

// guestName is how the guest calls a path of a mount.
func guestName(mount int, path string) string {
	return strings.TrimSuffix(mounts[mount]+"/"+path, "/.")
}
