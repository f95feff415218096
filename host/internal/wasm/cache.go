package wasm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tetratelabs/wazero"

	"github.com/pushlane/pushlane/host/internal/durable"
)

// Compiled code is in one folder per module, named by the module's digest and by
// the compiler's version: damaged or old code can be removed separately.

// codeVersion changes with all that makes other code of the same module: the
// meter, wazero. TestCodeVersion says when.
const codeVersion = "3"

// CacheError is compiled code that could not be saved. The module can be run
// without.
type CacheError struct{ Err error }

func (e *CacheError) Error() string { return e.Err.Error() }
func (e *CacheError) Unwrap() error { return e.Err }

// Hint says how to free space.
func (e *CacheError) Hint() string {
	return "free space in the cache folder, or set another one in the policy: cache = \"/path\""
}

// dirError is a cache folder that cannot be trusted.
type dirError struct {
	dir, msg string
}

func (e *dirError) Error() string { return fmt.Sprintf("cannot use module cache %s: %s", e.dir, e.msg) }

// Hint says how to fix it.
func (e *dirError) Hint() string { return "remove it; it is created again: rm -r " + e.dir }

// ofTheDisk reports whether compiling ended with a file that could not be
// written; what is wrong with a module is never such an error.
func ofTheDisk(err error) bool {
	return errors.As(err, new(*os.PathError)) || errors.As(err, new(*os.LinkError)) || errors.As(err, new(syscall.Errno))
}

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

// meteredFile is the module with its meter, which takes longer to make than to
// read; it lies next to the code that wazero made of it.
func (m *Module) meteredFile() string { return filepath.Join(m.cacheFolder(), "metered.wasm") }

// kept is the metered module from the cache; nil if it is not there.
func (m *Module) kept() []byte {
	if m.cacheFolder() == "" {
		return nil
	}
	metered, _ := os.ReadFile(m.meteredFile())
	return metered
}

// keep puts the module with its meter into the cache, whole or not at all.
func (m *Module) keep(metered []byte) error {
	if m.cacheFolder() == "" {
		return nil
	}
	if err := durable.Replace(m.meteredFile(), metered, 0o600); err != nil {
		return &CacheError{fmt.Errorf("cannot save compiled module: %w", err)}
	}
	return nil
}

// clear empties the module's cache.
func (m *Module) clear() error {
	if m.cacheFolder() == "" {
		return nil
	}
	if err := os.RemoveAll(m.cacheFolder()); err != nil {
		return fmt.Errorf("cannot use module cache: %w", err)
	}
	return nil
}

// openCache opens the module's folder.
func (m *Module) openCache() (wazero.CompilationCache, error) {
	dir := m.cacheFolder()
	if err := SecureDir(dir); errors.As(err, new(*dirError)) {
		return nil, err
	} else if err != nil {
		return nil, &CacheError{err}
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, &CacheError{fmt.Errorf("cannot use module cache: %w", err)}
	}
	return cache, nil
}
