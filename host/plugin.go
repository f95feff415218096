package host

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
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/sandbox"
)

// maxModule is the largest module file that is read, in bytes.
const maxModule = 64 << 20

// plugin is a loaded module and the file it came from, so that a newer file
// is noticed.
type plugin struct {
	module *sandbox.Plugin
	size   int64
	mod    time.Time
}

var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// plugin loads the first-party module of that name.
func (h *Host) plugin(ctx context.Context, policy config.Policy, name string) (*sandbox.Plugin, error) {
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
		return nil, missingPlugin(policy, name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot load plugin %q: %w", name, err)
	}
	h.mu.Lock()
	p := h.plugins[path]
	h.mu.Unlock()
	if p != nil && p.size == info.Size() && p.mod.Equal(info.ModTime()) {
		return p.module, nil
	}
	return h.loadPlugin(ctx, name, path, info)
}

func (h *Host) loadPlugin(ctx context.Context, name, path string, info fs.FileInfo) (*sandbox.Plugin, error) {
	if info.Size() > maxModule {
		return nil, fmt.Errorf("cannot load plugin %q: %s is %d bytes, at most %d are allowed", name, path, info.Size(), int64(maxModule))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load plugin %q: %w", name, err)
	}
	pool, err := h.sandbox()
	if err != nil {
		return nil, err
	}
	m, err := pool.Load(ctx, name, data)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.plugins[path] = &plugin{module: m, size: info.Size(), mod: info.ModTime()}
	h.mu.Unlock()
	return m, nil
}

func missingPlugin(policy config.Policy, name string) error {
	var have []string
	files, _ := filepath.Glob(filepath.Join(policy.Plugins, "*.wasm"))
	for _, f := range files {
		have = append(have, strings.TrimSuffix(filepath.Base(f), ".wasm"))
	}
	hint := "plugins here: " + strings.Join(have, ", ")
	if len(have) == 0 {
		hint = "put the first-party plugins in place with: ./install.sh"
	}
	return problem.WithHint(fmt.Errorf("cannot load plugin %q: not found in %s", name, policy.Plugins), hint)
}

// settingsJSON turns a lane's `with` into the JSON the plugin gets.
func settingsJSON(with map[string]any) ([]byte, error) {
	if with == nil {
		with = map[string]any{}
	}
	return json.Marshal(with)
}
