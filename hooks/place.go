package hooks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// place is where the parts of a repository are, all absolute.
type place struct {
	git    string // HEAD and index
	common string // refs, config, hooks; the same as git except in a linked worktree
	top    string // work tree, "" when bare; before withTop the folder that .git is in
	bare   bool
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
