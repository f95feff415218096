package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/lanes"
)

// LockName is the lock file's name next to the lanes file.
const LockName = config.LockName

// LockBeside names the lock file that belongs to a lanes file.
func LockBeside(lanesFile string) string { return path.Join(path.Dir(lanesFile), LockName) }

// Lock reads the lock that belongs to the lanes that judge: out of the same
// commit, never out of the pushed one. None is an empty one.
func (f LanesFile) Lock(ctx context.Context, repo *hooks.Repo) (*lanes.Lock, error) {
	name := LockBeside(f.Set.Source)
	var data []byte
	var err error
	if f.Rev == "" && f.Path == "" {
		err = fs.ErrNotExist
	} else if f.Rev == "" {
		data, err = bounded.ReadFile(filepath.Join(filepath.Dir(f.Path), LockName), lanes.MaxFile)
	} else {
		data, err = repo.File(ctx, f.Rev, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &lanes.Lock{Version: 1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return lanes.ReadLock(name, data)
}

// lockChanges lists what a push changes about pinned plugins.
func lockChanges(old, pushed *lanes.Lock) []string {
	var words []string
	for _, p := range pushed.Plugins {
		was, known := old.Find(p.Name)
		switch {
		case !known:
			words = append(words, fmt.Sprintf("pins plugin %s (%s)", p.Name, strings.Join(GrantedNames(p.Capabilities), ", ")))
		case was.SHA256 != p.SHA256 || len(lanes.Difference(was.Capabilities, p.Capabilities)) > 0:
			difference := strings.Join(lanes.Difference(was.Capabilities, p.Capabilities), "; ")
			words = append(words, strings.TrimSpace(fmt.Sprintf("moves plugin %s to %s %s", p.Name,
				printable.ShortDigest(p.SHA256), difference)))
		}
	}
	for _, p := range old.Plugins {
		if _, stays := pushed.Find(p.Name); !stays {
			words = append(words, "drops plugin "+p.Name)
		}
	}
	return words
}
