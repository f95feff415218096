// Package plugins finds the modules that lanes name: first-party ones by their
// file, third-party ones by the digest in the lock, in this host's store, in the
// judged tree or where they were published, and verifies their signatures.
package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/shipped"
)

// maxModule is the largest module file that is read, in bytes.
const maxModule = 64 << 20

// file is a loaded module and the file it came from, so that a newer file
// is noticed.
type file struct {
	module *sandbox.Plugin
	size   int64
	mod    time.Time
}

// Store finds the modules that lanes name: first-party ones by their file,
// those of others by their digest. Safe for concurrent use.
type Store struct {
	state    string // folder below which modules of others are stored
	shipping registry.Client
	sandbox  func() (*sandbox.Pool, error) // in which they are loaded

	mu     sync.Mutex       // guards what follows
	loaded map[string]*file // first-party ones, by file
	kept   map[string]kept  // modules of others, by file
}

// New looks for modules of others below the state folder.
func New(state string, pool func() (*sandbox.Pool, error)) *Store {
	return &Store{state: state, sandbox: pool, loaded: map[string]*file{}, kept: map[string]kept{}}
}

var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// Load loads the first-party module of that name.
func (s *Store) Load(ctx context.Context, policy config.Policy, name string) (*sandbox.Plugin, error) {
	if !pluginName.MatchString(name) {
		return nil, fmt.Errorf("cannot load plugin %q: not a plugin's name", name)
	}
	path := filepath.Join(policy.Plugins, name+".wasm")
	for _, one := range []string{policy.Plugins, path} {
		if err := config.Trusted("plugin", one); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, MissingPlugin(policy, name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot load plugin %q: %w", name, err)
	}
	s.mu.Lock()
	p := s.loaded[path]
	s.mu.Unlock()
	if p != nil && p.size == info.Size() && p.mod.Equal(info.ModTime()) {
		return p.module, nil
	}
	return s.loadPlugin(ctx, name, path, info)
}

func (s *Store) loadPlugin(ctx context.Context, name, path string, info fs.FileInfo) (*sandbox.Plugin, error) {
	if info.Size() > maxModule {
		return nil, fmt.Errorf("cannot load plugin %q: %s is %d bytes, at most %d are allowed", name, path,
			info.Size(), int64(maxModule))
	}
	data, err := bounded.ReadFile(path, maxModule)
	if err != nil {
		return nil, fmt.Errorf("cannot load plugin %q: %w", name, err)
	}
	if dir := filepath.Dir(path); shipped.Is(dir) {
		if err := shipped.Check(name, data); err != nil {
			return nil, problem.WithHint(err, "have it unpacked again: rm -r "+dir)
		}
	}
	pool, err := s.sandbox()
	if err != nil {
		return nil, err
	}
	m, err := pool.Load(ctx, name, data)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.loaded[path] = &file{module: m, size: info.Size(), mod: info.ModTime()}
	s.mu.Unlock()
	return m, nil
}

// MissingPlugin is the error for a plugin that is not here; its hint names
// those that are.
func MissingPlugin(policy config.Policy, name string) error {
	var have []string
	files, _ := filepath.Glob(filepath.Join(policy.Plugins, "*.wasm"))
	for _, f := range files {
		have = append(have, strings.TrimSuffix(filepath.Base(f), ".wasm"))
	}
	hint := "available plugins: " + strings.Join(have, ", ")
	if len(have) == 0 {
		hint = "install the first-party plugins with: ./install.sh"
	}
	return problem.WithHint(fmt.Errorf("cannot load plugin %q: not found in %s", name, policy.Plugins), hint)
}

// SettingsJSON turns a lane's `with` into the JSON the plugin gets.
func SettingsJSON(with map[string]any) ([]byte, error) {
	if with == nil {
		with = map[string]any{}
	}
	return json.Marshal(with)
}
