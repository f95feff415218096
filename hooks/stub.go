// Package hooks says what git told us: which refs a push changes, what the
// pushed trees hold, and how the hooks are put in place and taken out.
package hooks

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// Env is where a hook was started: the working directory and the environment.
type Env struct {
	Dir    string                   // "" = the process's own
	Getenv func(name string) string // nil = os.Getenv
}

// Repo is a read-only view of a repository, safe for concurrent use.
type Repo struct{}

// Tree is a tree as a lazy file system.
type Tree struct{}

// Change is one path that differs between two trees.
type Change struct {
	Path   string // raw bytes
	Status string // "A", "M" or "D"
	Mode   string // "100644", "100755", "120000", "160000"; "" when deleted
	OldID  string // blob id in base
	NewID  string // blob id in new
}

// Commit is one commit.
type Commit struct {
	ID      string
	Parents []string
	Author  string // "Name <mail>"
	Time    int64  // committer time, seconds since 1970 UTC
	Message string
}

// InstallOptions says what Install writes.
type InstallOptions struct {
	Gates []string
	Bin   string
	Force bool
}

// HookStatus says what stands at one gate.
type HookStatus struct {
	Gate, State, Path, Bin, Kept, Detail string
}

var errStub = errors.New("internal error: not written yet")

func Open(ctx context.Context, env Env) (*Repo, error)                  { return nil, errStub }
func (r *Repo) Name() string                                            { return "" }
func (r *Repo) GitDir() string                                          { return "" }
func (r *Repo) CommonDir() string                                       { return "" }
func (r *Repo) Top() string                                             { return "" }
func (r *Repo) Bare() bool                                              { return false }
func (r *Repo) Close() error                                            { return nil }
func (r *Repo) Refresh() error                                          { return errStub }
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) { return "", errStub }
func (r *Repo) Range(ctx context.Context, rng string) (Update, error)   { return Update{}, errStub }
func (r *Repo) SetBase(ctx context.Context, u *Update, remoteName, remoteURL string) error {
	return errStub
}

// SetBases is SetBase for all refs of one push together; a receive gate wants this one.
func (r *Repo) SetBases(ctx context.Context, us []Update, remoteName, remoteURL string) error {
	return errStub
}

// Known are the tips the receiver of the push has; give them to Commits.
func (r *Repo) Known(ctx context.Context, us []Update, remoteName, remoteURL string) ([]string, error) {
	return nil, errStub
}
func (r *Repo) Changes(ctx context.Context, base, new string) ([]Change, error) { return nil, errStub }
func (r *Repo) Tree(ctx context.Context, rev string) (*Tree, error)             { return nil, errStub }
func (r *Repo) File(ctx context.Context, rev, path string) ([]byte, error)      { return nil, errStub }
func (r *Repo) Commits(ctx context.Context, base, new string, known ...string) ([]Commit, error) {
	return nil, errStub
}
func (r *Repo) WriteTree(ctx context.Context) (string, error)     { return "", errStub }
func (r *Repo) HeadTree(ctx context.Context) (string, error)      { return "", errStub }
func (r *Repo) CurrentBranch(ctx context.Context) (string, error) { return "", errStub }

func (t *Tree) ID() string                                                    { return "" }
func (t *Tree) Open(name string) (fs.File, error)                             { return nil, errStub }
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error)                    { return nil, errStub }
func (t *Tree) Stat(name string) (fs.FileInfo, error)                         { return nil, errStub }
func (t *Tree) ReadFile(name string) ([]byte, error)                          { return nil, errStub }
func (t *Tree) WriteTar(ctx context.Context, w io.Writer, uid, gid int) error { return errStub }

func Install(ctx context.Context, env Env, o InstallOptions) ([]string, error) { return nil, errStub }
func Uninstall(ctx context.Context, env Env) ([]string, error)                 { return nil, errStub }
func Status(ctx context.Context, env Env) ([]HookStatus, error)                { return nil, errStub }
func KeptHook(ctx context.Context, env Env, gate string) (string, error)       { return "", errStub }
