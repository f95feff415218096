package lanerun

import (
	"archive/tar"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/sdk"
)

// source is what a container sees in /work/src: the tree, and where it asks for
// one a .git of the judged commit.
func (l *Lane) source(ctx context.Context, c sdk.Container) (incus.Source, error) {
	tree, err := l.tree(ctx, l.Update().New)
	if err != nil || !c.Git {
		return tree, err
	}
	l.gitOnce.Lock()
	defer l.gitOnce.Unlock()
	if l.git == nil {
		if l.git, err = l.gitSource(ctx, tree); err != nil {
			return nil, err
		}
	}
	return l.git, nil
}

// gitSource makes the .git, in a folder that goes with the lane run.
func (l *Lane) gitSource(ctx context.Context, tree *hooks.Tree) (*gitSource, error) {
	dir, err := os.MkdirTemp("", "pushlane-git-")
	if err != nil {
		return nil, err
	}
	l.cleanup = append(l.cleanup, func() { os.RemoveAll(dir) })
	id, err := hooks.WriteGit(ctx, l.repo, l.Update().New, dir)
	if err != nil {
		return nil, problem.WithHint(err, "without it: take `git = true` out of lane "+l.lane().ID)
	}
	sum := sha1.Sum([]byte(id + tree.ID()))
	return &gitSource{Source: tree, dir: dir, id: hex.EncodeToString(sum[:])}, nil
}

// allowGit refuses a .git to a plugin that may not read all that is in it.
func (l *access) allowGit(c sdk.Container) error {
	switch {
	case !c.Git:
	case !l.can("repo.history"):
		return l.denied("repo.history")
	case !l.can("repo.read"):
		return l.denied("repo.read")
	case l.permits.limited():
		return problem.WithHint(fmt.Errorf("plugin %q asks for a .git, which has all files, and lane %q grants some",
			l.lane().Plugin, l.lane().ID), "grant all of them in the lane:\n[lane.grant]\nread = true")
	}
	return nil
}

// gitSource is a tree with the .git of a folder.
type gitSource struct {
	incus.Source
	dir, id string
}

// ID names the content: tree, commit and tags.
func (g *gitSource) ID() string { return g.id }

// WriteTar writes the tree, and behind it the folder.
func (g *gitSource) WriteTar(ctx context.Context, w io.Writer, uid, gid int) error {
	r, pipe := io.Pipe()
	defer r.Close()
	go func() { pipe.CloseWithError(g.Source.WriteTar(ctx, pipe, uid, gid)) }()
	out, in := tar.NewWriter(w), tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = out.WriteHeader(h)
		}
		if err == nil {
			_, err = io.Copy(out, in)
		}
		if err != nil {
			return err
		}
	}
	if err := g.writeFolder(ctx, out, uid, gid); err != nil {
		return err
	}
	return out.Close()
}

func (g *gitSource) writeFolder(ctx context.Context, out *tar.Writer, uid, gid int) error {
	return filepath.WalkDir(filepath.Join(g.dir, ".git"), func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: path[len(g.dir)+1:], Uid: uid, Gid: gid, ModTime: info.ModTime(), Format: tar.FormatGNU,
			Mode: 0o644, Typeflag: tar.TypeReg, Size: info.Size()}
		if e.IsDir() {
			h.Name, h.Mode, h.Typeflag, h.Size = h.Name+"/", 0o755, tar.TypeDir, 0
		}
		if err := out.WriteHeader(h); err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(out, f)
		return err
	})
}
