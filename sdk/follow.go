package sdk

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// Followed is where a path of the pushed tree leads.
type Followed struct {
	Path      string // without links; where it cannot be followed, as far as it can
	IsDir     bool
	Submodule bool // it is in a submodule, of which the tree has no files
}

// Errors of Follow, in addition to fs.ErrNotExist.
var (
	ErrOutside = errors.New("a symbolic link leads out of the tree")
	ErrLoop    = errors.New("a symbolic link leads to itself")
)

// maxLinks is how many links one path may lead through, as on Linux.
const maxLinks = 40

// Follow resolves the symbolic links of a path inside the pushed tree, as in a
// checkout. It never reads outside of the tree: a link that leads out is ErrOutside.
// Other errors are fs.ErrNotExist, ErrLoop, and those of a host that cannot read the
// tree.
func Follow(r *Run, name string) (Followed, error) {
	at, rest := ".", strings.Split(path.Clean(name), "/")
	links := 0
	isDir, last := true, name
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		next := path.Join(at, part)
		if next == ".." || strings.HasPrefix(next, "../") {
			return Followed{Path: last}, ErrOutside
		}
		if !isDir {
			return Followed{Path: next}, fs.ErrNotExist
		}
		info, err := r.Stat(next)
		if errors.Is(err, fs.ErrNotExist) {
			if sub, err := isSubmodule(r, at); err != nil || sub {
				return Followed{Path: next, IsDir: true, Submodule: sub}, err
			}
			return Followed{Path: path.Join(append([]string{next}, rest...)...)}, fs.ErrNotExist
		}
		if err != nil {
			return Followed{Path: next}, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at, isDir = next, info.IsDir()
			continue
		}
		if links++; links > maxLinks {
			return Followed{Path: next}, ErrLoop
		}
		last = next
		target, err := r.ReadLink(next)
		if err != nil {
			return Followed{Path: next}, err
		}
		if path.IsAbs(target) {
			return Followed{Path: next}, ErrOutside
		}
		rest = append(parts(target), rest...)
	}
	return Followed{Path: at, IsDir: isDir}, nil
}

// parts are the names of a link's target; "." and empty ones are none.
func parts(target string) []string {
	var all []string
	for part := range strings.SplitSeq(target, "/") {
		if part != "" && part != "." {
			all = append(all, part)
		}
	}
	return all
}

// isSubmodule reports whether a folder is one: no other folder of a tree is
// empty.
func isSubmodule(r *Run, folder string) (bool, error) {
	if folder == "." {
		return false, nil
	}
	entries, err := r.List(folder)
	return len(entries) == 0, err
}

// DecodeText returns a whole text as Content.Blocks does: as UTF-8 without a byte
// order mark. Bytes that are not text are returned unchanged.
func DecodeText(data []byte) []byte {
	kind, mark := kindOfText(data[:min(len(data), binaryHead)])
	if kind != wide {
		return data[mark:]
	}
	w := newWideReader(&textOf{data[mark:]}, order(data[:mark]))
	out := make([]byte, 0, len(data)/2)
	for w.stretch() == nil {
		if out = append(out, w.out...); w.end {
			break
		}
	}
	return out
}
