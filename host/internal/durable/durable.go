// Package durable writes files that are there whole or not at all.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write puts a file in place that a crash of the machine leaves whole: it is on the
// disk when Write returns. Only its owner can read it.
func Write(path string, data []byte) error {
	if err := replace(path, data, 0o600, (*os.File).Sync); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Replace is Write for what can be made again: readers see the old file or the new
// one, and a crash of the machine may leave an empty one.
func Replace(path string, data []byte, perm fs.FileMode) error {
	return replace(path, data, perm, func(*os.File) error { return nil })
}

func replace(path string, data []byte, perm fs.FileMode, sync func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if perm != 0o600 { // as it was made; a plugin's process may not change it
		err = errors.Join(err, f.Chmod(perm))
	}
	err = errors.Join(err, sync(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
