package wasm

import (
	"fmt"
	"path/filepath"

	"github.com/tetratelabs/wazero"
)

// Compiled code lies in one folder per module, named by the module's digest and
// by what made it: what is damaged or old can be removed by itself.

// codeVersion changes with all that makes other code of the same module: the
// meter, wazero. TestCodeVersion says when.
const codeVersion = "2"

// CodeFolder is the name of the folder of a module's compiled code, below the
// cache's.
func CodeFolder(digest string) string { return digest + "-" + codeVersion }

// cacheFolder is where this module's code is; empty without a cache.
func (m *Module) cacheFolder() string {
	if m.engine.opts.CacheDir == "" {
		return ""
	}
	return filepath.Join(m.engine.opts.CacheDir, CodeFolder(m.digest))
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
