package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

// LanesFiles are the places a lanes file is looked for in a tree, in order.
var LanesFiles = []string{".pushlane/lanes.toml", "lanes.toml", "ci/lanes.toml"}

// twoLanesError: which of two lanes files counts would be a matter of their
// names, and a push could add one that counts before the one it leaves alone.
type twoLanesError struct{ first, second string }

func (e *twoLanesError) Error() string {
	return fmt.Sprintf("cannot determine which lanes file counts: there are two lanes files, %s and %s", e.first, e.second)
}

// Hint is the command that leaves one.
func (e *twoLanesError) Hint() string { return "keep one: git rm " + e.second }

// readPushedLanes is readLanes of a revision that is pushed: two lanes files
// in one tree are a *twoLanesError. A revision that is there already keeps the
// first of two, so that a push can take the other one away.
func readPushedLanes(ctx context.Context, repo *hooks.Repo, rev string) (LanesFile, error) {
	tree, err := repo.Tree(ctx, rev)
	if err != nil {
		return LanesFile{}, err
	}
	var found []string
	for _, name := range LanesFiles {
		if _, err := tree.Lstat(name); err == nil {
			found = append(found, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return LanesFile{}, err
		}
	}
	if len(found) > 1 {
		return LanesFile{}, &twoLanesError{found[0], found[1]}
	}
	return readLanes(ctx, repo, rev)
}

// readLanes reads the lanes file of one revision; fs.ErrNotExist: it has none.
// A tag's file is that of the commit it names.
func readLanes(ctx context.Context, repo *hooks.Repo, rev string) (LanesFile, error) {
	rev, err := repo.Resolve(ctx, rev)
	if err != nil {
		return LanesFile{}, err
	}
	tree, err := repo.Tree(ctx, rev)
	if err != nil {
		return LanesFile{}, err
	}
	for _, name := range LanesFiles {
		data, err := tree.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return LanesFile{}, err
		}
		set, err := lanes.Load(name, data)
		return LanesFile{Set: set, Text: data, Rev: rev}, err
	}
	return LanesFile{}, fs.ErrNotExist
}

func loadLanes(path, source string) (LanesFile, error) {
	data, err := readConfig(path)
	if err != nil {
		return LanesFile{}, err
	}
	set, err := lanes.Load(source, data)
	return LanesFile{Set: set, Text: data, Path: path}, err
}

func defaultLanes(rev string, policy config.Policy) (LanesFile, error) {
	switch {
	case policy.DefaultLanes != "":
		if err := cmp.Or(config.Trusted("lanes file", policy.DefaultLanes),
			config.Trusted("lock file", policy.DefaultLock())); err != nil {
			return LanesFile{}, err
		}
		return loadLanes(policy.DefaultLanes, filepath.Base(policy.DefaultLanes))
	case policy.NoLanes == "accept":
		text := []byte("version = 1\n")
		set, err := lanes.Load("(none)", text)
		return LanesFile{Set: set, Text: text}, err
	}
	return LanesFile{}, problem.WithHint(fmt.Errorf("cannot judge %s: it has no lanes file (looked for %s)",
		printable.Short(rev), strings.Join(LanesFiles, ", ")),
		"write and commit one with: pushlane init")
}

// LanesFile is the file that judges an update, and where it was read.
type LanesFile struct {
	Set    *lanes.Set
	Text   []byte
	Rev    string // commit; "" when it is not out of a commit
	Path   string // of the file when it is not out of a commit
	Strict bool   // the push's own: nothing that is trusted says anything
	Draft  bool   // of the working tree, not committed like this
}

// readConfig reads a lanes file given by --config.
func readConfig(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, problem.Usage(fmt.Errorf("cannot read lanes file: %w", err))
	}
	defer f.Close()
	data, err := bounded.ReadAll(f, lanes.MaxFile)
	if err != nil {
		return nil, problem.Usage(fmt.Errorf("cannot read lanes file %s: %w", name, err))
	}
	return data, nil
}
