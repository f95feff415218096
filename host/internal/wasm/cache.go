package wasm

import (
	"fmt"
	"path/filepath"

	"github.com/tetratelabs/wazero"
)

// Compiled code lies in one folder per module, named by the module's digest:
// what is damaged or old can be removed by itself.

// cacheFolder is where this module's code is; empty without a cache.
func (m *Module) cacheFolder() string {
	if m.engine.opts.CacheDir == "" {
		return ""
	}
	return filepath.Join(m.engine.opts.CacheDir, m.digest)
}

// openCache opens the module's folder.
func (m *Module) openCache() (wazero.CompilationCache, error) {
	dir := m.cacheFolder()
	if err := SecureDir(dir); err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot use module cache: %w", err)
	}
	return cache, nil
}
