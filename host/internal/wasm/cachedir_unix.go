//go:build unix

package wasm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// SecureDir makes the folder or refuses it: native code in it is run as it is,
// so no one else may be able to write there.
func SecureDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("cannot create module cache: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot create module cache: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("cannot use module cache: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return &dirError{dir, "it is not a folder"}
	case !ok || int(stat.Uid) != os.Geteuid():
		return &dirError{dir, "it belongs to another user"}
	case info.Mode().Perm()&0o022 != 0:
		return &dirError{dir, fmt.Sprintf("others can write it (mode %04o)", info.Mode().Perm())}
	}
	return nil
}
