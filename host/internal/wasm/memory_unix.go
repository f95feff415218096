//go:build linux || darwin

package wasm

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reserve gives address space that costs nothing and cannot be used yet.
func reserve(size int) ([]byte, error) {
	if size == 0 {
		return []byte{}, nil
	}
	b, err := unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("cannot reserve %d bytes of memory: %w", size, err)
	}
	return b, nil
}

// unlock makes reserved space usable: zeroed memory, once it is touched.
func unlock(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return unix.Mprotect(b, unix.PROT_READ|unix.PROT_WRITE)
}

func release(b []byte) {
	if len(b) > 0 {
		_ = unix.Munmap(b)
	}
}
