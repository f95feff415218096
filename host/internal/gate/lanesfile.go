package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

// LanesFiles are the places a lanes file is looked for in a tree, in order.
var LanesFiles = []string{".pushlane/lanes.toml", "lanes.toml", "ci/lanes.toml"}

// LocalLanes reads the lanes that judge an update where no one is to be
// protected from it: the file named by --config, or the revision's own. Where
// it has none, as branches of pages, notes and old tags have not, they are
// those that a server would choose: of what the branch was before the push, of
// the default branch, and else the host's default set.
func LocalLanes(ctx context.Context, repo *hooks.Repo, u hooks.Update, call Call,
	policy config.Policy) (LanesFile, error) {
	if call.Config != "" {
		return loadLanes(call.Config, call.Config)
	}
	f, err := readPushedLanes(ctx, repo, u.New)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	url := call.Arg(1)
	if !hookUpdate(call.Gate) {
		to, err := repo.PushTarget(ctx, u.Ref)
		if err != nil {
			return f, err
		}
		url = to.URL
	}
	revs, err := repo.DefaultTips(ctx, url)
	if err != nil {
		return f, err
	}
	if strings.HasPrefix(u.Ref, "refs/heads/") && hookUpdate(call.Gate) {
		if old, err := repo.Commit(ctx, u.Old); err == nil && old != "" {
			revs = append([]string{old}, revs...)
		}
	}
	for _, rev := range revs {
		if f, err := readLanes(ctx, repo, rev); !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return defaultLanes(u.New, policy)
}

// hookUpdate tells whether the gate's updates are of refs: at the commit's own
// gates they are of trees.
func hookUpdate(gate string) bool { return gate == "pre-push" || gate == "manual" }

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
