//go:build !unix

package wasm

import "os"

// secureDir makes the folder; who may write it is the system's matter.
func secureDir(dir string) error { return os.MkdirAll(dir, 0o700) }
