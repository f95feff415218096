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
	f, err := readLanes(ctx, repo, rev)
	if errors.Is(err, fs.ErrNotExist) {
		return defaultLanes(rev, policy)
	}
	return f, err
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
		return loadLanes(policy.DefaultLanes, filepath.Base(policy.DefaultLanes))
	case policy.NoLanes == "accept":
		text := []byte("version = 1\n")
		set, err := lanes.Load("(none)", text)
		return lanesFile{Set: set, Text: text}, err
	}
	return lanesFile{}, hinted(fmt.Errorf("cannot judge %s: it has no lanes file (looked for %s)", short(rev), strings.Join(LanesFiles, ", ")),
		"write and commit one with: pushlane init")
}
