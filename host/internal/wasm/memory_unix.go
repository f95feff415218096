//go:build linux || darwin

package wasm

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reserve gives zeroed address space that costs nothing until it is touched.
func reserve(size int) ([]byte, error) {
	if size == 0 {
		return []byte{}, nil
	}
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("cannot reserve %d bytes of memory: %w", size, err)
	}
	return b, nil
}

func release(b []byte) {
	if len(b) > 0 {
		_ = unix.Munmap(b)
	}
}
