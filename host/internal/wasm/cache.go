package wasm

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tetratelabs/wazero"
)

// Compiled code lies in one folder per module, named by the module's digest:
// what is damaged or old can be removed by itself.

// cacheAge is how long an unused module's code is kept.
const cacheAge = 30 * 24 * time.Hour

var digestName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// prune removes the code of modules that were not loaded for long.
func prune(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && e.IsDir() && digestName.MatchString(e.Name()) && now.Sub(info.ModTime()) > cacheAge {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// cacheFolder is where this module's code is; empty without a cache.
func (m *Module) cacheFolder() string {
	if m.engine.opts.CacheDir == "" {
		return ""
	}
	return filepath.Join(m.engine.opts.CacheDir, m.digest)
}

// openCache opens the module's folder and notes that it is in use.
func (m *Module) openCache() (wazero.CompilationCache, error) {
	dir := m.cacheFolder()
	if err := secureDir(dir); err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot use module cache: %w", err)
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now)
	return cache, nil
}
