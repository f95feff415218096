//go:build !unix

package wasm

import "os"

// SecureDir makes the folder; who may write it is the system's matter.
func SecureDir(dir string) error { return os.MkdirAll(dir, 0o700) }
