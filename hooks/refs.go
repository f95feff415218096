package hooks

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
)

// refFiles are the files that hold a repository's refs.
type refFiles struct {
	place place

	mu     sync.Mutex // guards packed
	packed packed
}

// list returns the refs below a prefix such as "refs/heads/" with the ids they
// hold; symbolic refs are left out. The loose ones are read first: a ref that
// is packed meanwhile is then seen at least once.
func (f *refFiles) list(prefix string) (map[string]plumbing.Hash, error) {
	out := make(map[string]plumbing.Hash)
	symbolic := make(map[string]bool)
	err := f.loose(prefix, func(name string, id plumbing.Hash, target string) error {
		if symbolic[name] = target != ""; target == "" {
			out[name] = id
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list refs: %w", err)
	}
	err = f.packedLines(func(name string, id plumbing.Hash) bool {
		if _, loose := out[name]; !loose && !symbolic[name] && strings.HasPrefix(name, prefix) {
			out[name] = id
		}
		return true
	})
	return out, err
}

// loose calls yield for each ref below a prefix that has its own file: with its
// id, or with the name of the ref that it names.
func (f *refFiles) loose(prefix string, yield func(name string, id plumbing.Hash, target string) error) error {
	root := filepath.Join(f.place.common, filepath.FromSlash(prefix))
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		id, target, err := readRefFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return yield(prefix+filepath.ToSlash(strings.TrimPrefix(path[len(root):], "/")), id, target)
	})
}

// readRefFile reads one loose ref: an id or the name of another ref.
func readRefFile(path string) (id plumbing.Hash, target string, err error) {
	if link, err := os.Readlink(path); err == nil && strings.HasPrefix(link, "refs/") {
		return id, link, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return id, "", err
	}
	line := strings.TrimSpace(string(text))
	if target, ok := strings.CutPrefix(line, "ref:"); ok {
		return id, strings.TrimSpace(target), nil
	}
	if !isID(line) {
		return id, "", withHint(fmt.Errorf("ref file %s holds %s, which is not an object id", path, quote(line)),
			"see what is broken with: git fsck")
	}
	return plumbing.NewHash(line), "", nil
}

// packedLines calls yield for each line of packed-refs until it returns false.
func (f *refFiles) packedLines(yield func(name string, id plumbing.Hash) bool) error {
	text, err := os.ReadFile(filepath.Join(f.place.common, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot list refs: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' || line[0] == '^' {
			continue
		}
		id, name, ok := strings.Cut(line, " ")
		if !ok || !isID(id) {
			return fmt.Errorf("cannot list refs: packed-refs holds the line %s", quote(line))
		}
		if !yield(name, plumbing.NewHash(id)) {
			return nil
		}
	}
	return lines.Err()
}

// maxSymbolic is how many refs may point at one another in a row.
const maxSymbolic = 5

// errNoRef says that a ref is not there: never made, or a branch without a
// commit.
var errNoRef = errors.New("there is no such ref")

// end resolves a full ref name, or HEAD, to the name it ends at and the id
// there.
func (f *refFiles) end(name string) (end string, id plumbing.Hash, err error) {
	return f.endIn(f.place.git, name)
}

// endIn is end with the refs of a worktree, HEAD among them, read in the folder
// worktree.
func (f *refFiles) endIn(worktree, name string) (end string, id plumbing.Hash, err error) {
	for range maxSymbolic {
		dir := f.place.common
		if !strings.HasPrefix(name, "refs/") || strings.HasPrefix(name, "refs/worktree/") ||
			strings.HasPrefix(name, "refs/bisect/") {
			dir = worktree
		}
		id, target, err := readRefFile(filepath.Join(dir, filepath.FromSlash(name)))
		switch {
		case err == nil && target == "":
			return name, id, nil
		case err == nil:
			if msg := checkRef(target); msg != "" || !fs.ValidPath(target) {
				return "", id, fmt.Errorf("ref %s names %s, which is not a ref", name, quote(target))
			}
			name = target
		case noRefFile(err), isDir(filepath.Join(dir, filepath.FromSlash(name))):
			id, err = f.packedAt(name)
			return name, id, err
		default:
			return "", id, err
		}
	}
	return "", id, fmt.Errorf("ref %s is symbolic more than %d deep", name, maxSymbolic)
}

// noRefFile reports whether a ref has no file. ENOTDIR: another ref has the name of
// its folder.
func noRefFile(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// manyLookups is after how many lookups packed-refs is held in memory: a push
// of thousands of refs would read it as often.
const manyLookups = 8

// packed is packed-refs as it was read last.
type packed struct {
	lookups int
	refs    map[string]plumbing.Hash
	info    fs.FileInfo
}

func (f *refFiles) packedAt(want string) (id plumbing.Hash, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.packed.lookups++; f.packed.lookups > manyLookups {
		if err := f.holdPacked(); err != nil {
			return id, err
		}
		id, found := f.packed.refs[want]
		if !found {
			return id, errNoRef
		}
		return id, nil
	}
	found := errNoRef
	err = f.packedLines(func(name string, at plumbing.Hash) bool {
		if name == want {
			id, found = at, nil
		}
		return found != nil
	})
	if err == nil {
		err = found
	}
	return id, err
}

// holdPacked reads packed-refs anew where git has replaced the file.
func (f *refFiles) holdPacked() error {
	info, err := os.Stat(filepath.Join(f.place.common, "packed-refs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot list refs: %w", err)
	}
	if was := f.packed.info; f.packed.refs != nil && info != nil && was != nil && os.SameFile(info, was) &&
		info.Size() == was.Size() && info.ModTime().Equal(was.ModTime()) {
		return nil
	}
	refs := map[string]plumbing.Hash{}
	err = f.packedLines(func(name string, id plumbing.Hash) bool {
		refs[name] = id
		return true
	})
	f.packed.refs, f.packed.info = refs, info
	return err
}

func (f *refFiles) headIn(ctx context.Context, worktree string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	name, _, err := f.endIn(worktree, "HEAD")
	switch {
	case err != nil && !errors.Is(err, errNoRef):
		return "", fmt.Errorf("cannot read HEAD: %w", err)
	case name == "HEAD":
		return "", nil
	}
	return name, nil
}

func isID[T string | []byte](s T) bool { return len(s) == len(ZeroID) && isHex(s) }

func IsZero(id string) bool { return strings.Trim(id, "0") == "" }
