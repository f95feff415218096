package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Env is where a hook was started: the working directory and the environment
// git gave it. The variables that count are GIT_DIR, GIT_COMMON_DIR,
// GIT_WORK_TREE, GIT_INDEX_FILE, GIT_OBJECT_DIRECTORY,
// GIT_ALTERNATE_OBJECT_DIRECTORIES, GIT_QUARANTINE_PATH,
// GIT_CEILING_DIRECTORIES and, for the git commands that are run, PATH, HOME,
// XDG_CONFIG_HOME and GIT_CONFIG_*.
type Env struct {
	Dir    string                   // "" = the process's own
	Getenv func(name string) string // nil = os.Getenv
}

func (e Env) get(name string) string {
	if e.Getenv == nil {
		return os.Getenv(name)
	}
	return e.Getenv(name)
}

// abs makes a path of this environment absolute.
func (e Env) abs(path string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	if e.Dir == "" {
		return filepath.Abs(path)
	}
	return filepath.Abs(filepath.Join(e.Dir, path))
}

// Repo is a read-only view of one repository as one hook sees it: its objects,
// those of its alternates and those still in quarantine. It is safe for
// concurrent use and may stay open: if an object is not found it lists the packs
// again. A push in quarantine needs its own Repo.
type Repo struct {
	env   Env
	place place
	objs  *store

	mu    sync.Mutex // guards graph
	graph *graphs

	packedMu sync.Mutex // guards packed
	packed   packed
}

// place is where the parts of a repository are, all absolute.
type place struct {
	git    string // HEAD and index
	common string // refs, config, hooks; the same as git except in a linked worktree
	top    string // work tree, "" when bare; before withTop the folder that .git is in
	bare   bool
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
	return &Repo{env: env, place: p, objs: objs}, nil
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

// findPlace is git's own search: GIT_DIR, else upwards from the working
// directory.
func findPlace(env Env) (place, error) {
	if dir := env.get("GIT_DIR"); dir != "" {
		path, err := env.abs(dir)
		if err != nil {
			return place{}, err
		}
		p, err := placeAt(env, path)
		if err != nil {
			return place{}, fmt.Errorf("cannot open GIT_DIR %s: %w", path, err)
		}
		return p, nil
	}
	start, err := env.abs(".")
	if err != nil {
		return place{}, err
	}
	ceilings := filepath.SplitList(env.get("GIT_CEILING_DIRECTORIES"))
	for dir := start; ; dir = filepath.Dir(dir) {
		for _, candidate := range []string{filepath.Join(dir, ".git"), dir} {
			p, err := placeAt(env, candidate)
			if err == nil {
				return p, nil
			}
			if !errors.Is(err, errNoGitDir) {
				return place{}, fmt.Errorf("cannot open %s: %w", candidate, err)
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir || slices.Contains(ceilings, parent) {
			return place{}, withHint(fmt.Errorf("cannot open %s: not inside a git repository", start),
				"change into a repository, or make one with: git init")
		}
	}
}

var errNoGitDir = errors.New("not a git directory")

// placeAt looks at one path that may be a git directory or a file that names
// one.
func placeAt(env Env, path string) (place, error) {
	var p place
	if filepath.Base(path) == ".git" {
		p.top = filepath.Dir(path)
	}
	path, err := followGitFile(path)
	if err != nil {
		return place{}, err
	}
	p.git, p.common = path, path
	if dir := env.get("GIT_COMMON_DIR"); dir != "" {
		p.common, err = env.abs(dir)
	} else {
		p.common, err = commonDir(path)
	}
	if err != nil {
		return place{}, err
	}
	if _, err := os.Lstat(filepath.Join(p.git, "HEAD")); err != nil {
		return place{}, errNoGitDir
	}
	if !isDir(filepath.Join(p.common, "refs")) {
		return place{}, errNoGitDir
	}
	if env.get("GIT_OBJECT_DIRECTORY") == "" && !isDir(filepath.Join(p.common, "objects")) {
		return place{}, errNoGitDir
	}
	return p, nil
}

// followGitFile resolves a file "gitdir: PATH", as worktrees and submodules
// have it; a relative PATH counts from the file.
func followGitFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.IsDir() && info.Size() > 1<<16:
		return "", errNoGitDir
	case err != nil:
		return "", err
	case info.IsDir():
		return path, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(strings.TrimRight(string(text), "\r\n"), "gitdir: ")
	if !ok {
		return "", errNoGitDir
	}
	target = join(filepath.Dir(path), target)
	if !isDir(target) {
		return "", fmt.Errorf("it names the git directory %s, which is not there", target)
	}
	return target, nil
}

func commonDir(git string) (string, error) {
	text, err := os.ReadFile(filepath.Join(git, "commondir"))
	if errors.Is(err, fs.ErrNotExist) {
		return git, nil
	}
	if err != nil {
		return "", err
	}
	return join(git, strings.TrimRight(string(text), "\r\n")), nil
}

// withTop decides whether there is a work tree and where.
func (p place) withTop(env Env, conf config) (place, error) {
	if dir := env.get("GIT_WORK_TREE"); dir != "" {
		top, err := env.abs(dir)
		p.top = top
		return p, err
	}
	linked := p.git != p.common
	if conf.isTrue("core.bare") && !linked {
		p.bare, p.top = true, ""
		return p, nil
	}
	if dir := conf.last("core.worktree"); dir != "" {
		p.top = join(p.git, dir)
		return p, nil
	}
	switch back, err := os.ReadFile(filepath.Join(p.git, "gitdir")); {
	case linked && err == nil:
		p.top = filepath.Dir(join(p.git, strings.TrimRight(string(back), "\r\n")))
	case p.top != "":
	case filepath.Base(p.git) == ".git":
		p.top = filepath.Dir(p.git)
	case conf.last("core.bare") == "":
		p.bare = true
	default:
		top, err := env.abs(".")
		p.top = top
		return p, err
	}
	return p, nil
}

// join is path below dir, unless path is absolute.
func join(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
