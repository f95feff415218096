package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/lanes"
)

// LanesFiles are the places a lanes file is looked for in a tree, in order.
var LanesFiles = []string{".pushlane/lanes.toml", "lanes.toml", "ci/lanes.toml"}

// ownLanes reads the lanes that judge rev where nobody else is to be
// protected from it: the file named by --config, or the revision's own, or
// the host's default set.
func ownLanes(ctx context.Context, repo *hooks.Repo, rev, config string, policy Policy) (lanesFile, error) {
	if config != "" {
		return loadLanes(config, config)
	}
	f, err := readPushedLanes(ctx, repo, rev)
	if errors.Is(err, fs.ErrNotExist) {
		return defaultLanes(rev, policy)
	}
	return f, err
}

// twoLanesError: which of two lanes files counts would be a matter of their
// names, and a push could add one that counts before the one it leaves alone.
type twoLanesError struct{ first, second string }

func (e *twoLanesError) Error() string {
	return fmt.Sprintf("cannot tell which lanes count: there are two lanes files, %s and %s", e.first, e.second)
}

// Hint is the command that leaves one.
func (e *twoLanesError) Hint() string { return "keep one: git rm " + e.second }

// readPushedLanes is readLanes of a revision that is pushed: two lanes files
// in one tree are a *twoLanesError. A revision that is there already keeps the
// first of two, so that a push can take the other one away.
func readPushedLanes(ctx context.Context, repo *hooks.Repo, rev string) (lanesFile, error) {
	tree, err := repo.Tree(ctx, rev)
	if err != nil {
		return lanesFile{}, err
	}
	var found []string
	for _, name := range LanesFiles {
		if _, err := tree.Lstat(name); err == nil {
			found = append(found, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return lanesFile{}, err
		}
	}
	if len(found) > 1 {
		return lanesFile{}, &twoLanesError{found[0], found[1]}
	}
	return readLanes(ctx, repo, rev)
}

// readLanes reads the lanes file of one revision; fs.ErrNotExist: it has none.
func readLanes(ctx context.Context, repo *hooks.Repo, rev string) (lanesFile, error) {
	tree, err := repo.Tree(ctx, rev)
	if err != nil {
		return lanesFile{}, err
	}
	for _, name := range LanesFiles {
		data, err := tree.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return lanesFile{}, err
		}
		set, err := lanes.Load(name, data)
		return lanesFile{Set: set, Text: data, Rev: rev}, err
	}
	return lanesFile{}, fs.ErrNotExist
}

func loadLanes(path, source string) (lanesFile, error) {
	data, err := readConfig(path)
	if err != nil {
		return lanesFile{}, err
	}
	set, err := lanes.Load(source, data)
	return lanesFile{Set: set, Text: data, Path: path}, err
}

func defaultLanes(rev string, policy Policy) (lanesFile, error) {
	switch {
	case policy.DefaultLanes != "":
		if err := believed("lanes file", policy.DefaultLanes); err != nil {
			return lanesFile{}, err
		}
		return loadLanes(policy.DefaultLanes, filepath.Base(policy.DefaultLanes))
	case policy.NoLanes == "accept":
		text := []byte("version = 1\n")
		set, err := lanes.Load("(none)", text)
		return lanesFile{Set: set, Text: text}, err
	}
	return lanesFile{}, hinted(fmt.Errorf("cannot judge %s: it has no lanes file (looked for %s)", short(rev), strings.Join(LanesFiles, ", ")),
		"write and commit one with: pushlane init")
}
