package hooks

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
)

// Repo is a read-only view of one repository as one hook sees it: its objects,
// those of its alternates and those still in quarantine. It is safe for
// concurrent use and may stay open: if an object is not found it lists the packs
// again. A push in quarantine needs its own Repo.
type Repo struct {
	env       Env
	place     place
	objs      *store
	git       *gitCommand
	refs      *refFiles
	tracking  *tracking
	revisions *revisions

	mu    sync.Mutex // guards graph
	graph *graphs
}

// Open finds the repository of env as git does and checks that it is stored
// in a way this package reads; it reads no object. What it cannot read is a
// *FormatError.
func Open(ctx context.Context, env Env) (*Repo, error) {
	p, err := findPlace(env)
	if err != nil {
		return nil, err
	}
	conf, err := readConfig(ctx, env, p)
	if err != nil {
		return nil, err
	}
	if err := conf.checkFormat(p.common); err != nil {
		return nil, err
	}
	if p, err = p.withTop(env, conf); err != nil {
		return nil, err
	}
	objs := newStore(func() ([]string, error) { return objectDirs(env, p.common) }, conf.partial())
	if _, _, err := objs.list(false); err != nil {
		return nil, err
	}
	git, refs := &gitCommand{env, p}, &refFiles{place: p}
	return &Repo{env: env, place: p, objs: objs, git: git, refs: refs,
		tracking: &tracking{p, git, refs}, revisions: &revisions{objs, git, refs}}, nil
}

// Name is the short name: the folder's, without ".git".
func (r *Repo) Name() string {
	if filepath.Base(r.place.common) == ".git" {
		return filepath.Base(filepath.Dir(r.place.common))
	}
	return strings.TrimSuffix(filepath.Base(r.place.common), ".git")
}

// GitDir is the absolute path of the git directory, a linked worktree's own.
func (r *Repo) GitDir() string { return r.place.git }

// CommonDir is the absolute path of the directory that all worktrees share.
func (r *Repo) CommonDir() string { return r.place.common }

// Top is the absolute path of the work tree, "" in a bare repository.
func (r *Repo) Top() string { return r.place.top }

// Bare reports whether there is no work tree.
func (r *Repo) Bare() bool { return r.place.bare }

// Close closes the open files.
func (r *Repo) Close() error {
	r.Refresh()
	return r.objs.close()
}

// Refresh clears what is cached of packs, alternates and the commit graph. It is
// needed only after something was removed or repacked; added objects are found
// without it.
func (r *Repo) Refresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.graph != nil {
		r.graph.close()
		r.graph = nil
	}
	r.objs.reset()
}
