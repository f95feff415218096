package config

import (
	"errors"
	"io/fs"
	"os"

	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/shipped"
)

// unpackPlugins has the plugins that are in this program used, where neither the
// policy nor an installation next to the program has a folder of them.
func (p *Policy) unpackPlugins() error {
	if p.Plugins != pluginFolder() {
		return nil
	}
	if _, err := os.Stat(p.Plugins); !errors.Is(err, fs.ErrNotExist) {
		return nil // what is wrong with it is said where a plugin is loaded
	}
	p.Plugins = shipped.Folder(p.Cache)
	if err := shipped.Unpack(p.Plugins); err != nil {
		return problem.WithHint(err, "make room there, or name another folder: PUSHLANE_CACHE=/var/tmp/pushlane")
	}
	return nil
}
