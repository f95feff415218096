package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
)

// NoRevisionError is a name that does not resolve in this repository.
type NoRevisionError struct{ Name string }

func (e *NoRevisionError) Error() string {
	return fmt.Sprintf("cannot resolve %s: no branch, tag or commit of that name, or more than one", quote(e.Name))
}

// Hint is a command that lists what exists.
func (e *NoRevisionError) Hint() string {
	return "list what exists with: git branch --all; git tag; git log --oneline"
}

// revisions are the names of objects in a repository.
type revisions struct {
	objs *store
	git  *gitCommand
	refs *refFiles
}

// lookUp resolves a revision and says what type of object it is. Full ids and
// full ref names are looked up here, all else by git.
func (v *revisions) lookUp(ctx context.Context, rev string) (plumbing.Hash, plumbing.ObjectType, error) {
	id, err := v.lookUpName(ctx, rev)
	if err != nil {
		return id, 0, err
	}
	id, typ, err := v.objs.peel(id)
	if err != nil {
		return id, 0, fmt.Errorf("cannot resolve %s: %w", quote(rev), err)
	}
	return id, typ, nil
}

func (v *revisions) lookUpName(ctx context.Context, rev string) (plumbing.Hash, error) {
	if isID(rev) {
		return plumbing.NewHash(rev), nil
	}
	if rev == "HEAD" || checkRef(rev) == "" && fs.ValidPath(rev) {
		_, id, err := v.refs.end(rev)
		if errors.Is(err, errNoRef) {
			return id, &NoRevisionError{rev}
		}
		if err != nil {
			return id, fmt.Errorf("cannot resolve %s: %w", quote(rev), err)
		}
		return id, nil
	}
	if checkText(rev) != "" {
		return plumbing.ZeroHash, &NoRevisionError{rev}
	}
	out, err := v.git.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev)
	var failed *gitError
	if errors.As(err, &failed) && strings.TrimSpace(failed.stderr) == "" {
		return plumbing.ZeroHash, &NoRevisionError{rev}
	}
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("cannot resolve %s: %w", quote(rev), err)
	}
	if !isID(out) {
		return plumbing.ZeroHash, &NoRevisionError{rev}
	}
	return plumbing.NewHash(out), nil
}

// treeOf finds the tree of an id or any other name of a revision.
func (v *revisions) treeOf(ctx context.Context, rev string) (treeRef, error) {
	if rev == ZeroID {
		return treeRef{}, nil
	}
	id, typ, err := v.lookUp(ctx, rev)
	if err != nil {
		return treeRef{}, err
	}
	switch typ {
	case plumbing.TreeObject:
		return treeRef{id: id}, nil
	case plumbing.CommitObject:
		e, err := v.objs.typed(plumbing.CommitObject, id)
		if err != nil {
			return treeRef{}, err
		}
		c, at, err := v.objs.decodeCommit(e)
		if err != nil {
			return treeRef{}, err
		}
		return treeRef{id: c.TreeHash, commit: id, time: at}, nil
	}
	return treeRef{}, &NoTreeError{Name: rev, Type: typ.String()}
}

// NoTreeError is a ref that names an object without a tree, which no lane can judge.
// Such a push is refused.
type NoTreeError struct {
	Name string // the ref or id
	Type string // "blob"
}

func (e *NoTreeError) Error() string {
	return fmt.Sprintf("cannot judge %s: it names a %s, which has no tree", e.Name, e.Type)
}

// Hint says how to fix it.
func (e *NoTreeError) Hint() string {
	return "commit the content and push a tag or branch of that commit"
}

// treeRef is a tree and, when it was found through one, its commit.
type treeRef struct {
	id     plumbing.Hash // zero for the empty tree
	commit plumbing.Hash
	time   int64 // of the commit, seconds since 1970 UTC
}

// maxTags is how many tags may name one another in a row.
const maxTags = 64

// peel follows tags to what they name.
func (s *store) peel(id plumbing.Hash) (plumbing.Hash, plumbing.ObjectType, error) {
	start := id
	var tag *gitobject.Tag
	for range maxTags {
		typ, _, err := s.header(id)
		if err == nil && tag != nil && typ != tag.TargetType {
			err = fmt.Errorf("tag %s cannot be read: it says that object %s is a %s, and it is a %s", tag.Hash, id,
				tag.TargetType, typ)
		}
		if err != nil || typ != plumbing.TagObject {
			return id, typ, err
		}
		if tag, err = s.decodeTag(id); err != nil {
			return id, 0, err
		}
		id = tag.Target
	}
	return id, 0, fmt.Errorf("tag %s names more than %d tags in a row", start, maxTags)
}
