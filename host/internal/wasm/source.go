package wasm

import (
	"errors"
	"io"
	"io/fs"
)

// source reads an fs.FS that may come out of a commit that someone means us
// harm with. Links are shown and never followed, neither at the end of a path
// nor on the way. Nothing is read before it is asked for.
type source struct {
	fs fs.FS // nil: empty
}

var (
	errLink = errors.New("a symbolic link")
)

func (t source) lstat(path string) (fs.FileInfo, error) {
	if t.fs == nil {
		return nil, fs.ErrNotExist
	}
	return fs.Lstat(t.fs, path)
}

func (t source) stat(path string) (stat, error) {
	if path == "." {
		return stat{kind: typeDir}, nil
	}
	if err := t.parents(path); err != nil {
		return stat{}, err
	}
	info, err := t.lstat(path)
	if err != nil {
		return stat{}, err
	}
	return stat{kind: kindOf(info.Mode()), size: info.Size()}, nil
}

// parents refuses a path that leads through something else than folders.
func (t source) parents(path string) error {
	for i, c := range path {
		if c != '/' {
			continue
		}
		info, err := t.lstat(path[:i])
		switch {
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return errLink
		case !info.IsDir():
			return errNotDir
		}
	}
	return nil
}

func kindOf(mode fs.FileMode) byte {
	switch {
	case mode.IsDir():
		return typeDir
	case mode.IsRegular():
		return typeRegular
	case mode&fs.ModeSymlink != 0:
		return typeLink
	}
	return 0
}

func (t source) list(path string) ([]entry, error) {
	if t.fs == nil && path == "." {
		return nil, nil
	}
	if st, err := t.stat(path); err != nil {
		return nil, err
	} else if st.kind != typeDir {
		return nil, errNotDir
	}
	all, err := fs.ReadDir(t.fs, path)
	if err != nil {
		return nil, err
	}
	out := make([]entry, len(all))
	for i, e := range all {
		out[i] = entry{e.Name(), kindOf(e.Type())}
	}
	return out, nil
}

// open opens a regular file.
func (t source) open(path string, st stat) (*treeFile, error) {
	f, err := t.fs.Open(path)
	if err != nil {
		return nil, err
	}
	return &treeFile{tree: t, path: path, length: st.size, f: f}, nil
}

func (t source) readlink(path string) (string, error) {
	st, err := t.stat(path)
	switch {
	case err != nil:
		return "", err
	case st.kind != typeLink:
		return "", fs.ErrInvalid
	}
	if _, can := t.fs.(fs.ReadLinkFS); can {
		return fs.ReadLink(t.fs, path)
	}
	target, err := fs.ReadFile(t.fs, path)
	return string(target), err
}

// treeFile reads a file that is available only as a stream: reading forward reads
// the stream, reading back opens it again. So a file is never held in memory for
// the guest.
type treeFile struct {
	tree   source
	path   string
	length int64
	f      fs.File
	at     int64 // where the stream is
}

func (t *treeFile) readAt(p []byte, off int64) (int, error) {
	if r, can := t.f.(io.ReaderAt); can {
		return r.ReadAt(p, off)
	}
	if err := t.seek(off); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(t.f, p)
	t.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

func (t *treeFile) seek(off int64) error {
	if off >= t.length {
		return io.EOF
	}
	if off < t.at {
		f, err := t.tree.fs.Open(t.path)
		if err != nil {
			return err
		}
		t.f.Close()
		t.f, t.at = f, 0
	}
	if off > t.at {
		n, err := io.CopyN(io.Discard, t.f, off-t.at)
		t.at += n
		return err
	}
	return nil
}

func (t *treeFile) close() { t.f.Close() }
