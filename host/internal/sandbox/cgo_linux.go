//go:build linux && cgo

package sandbox

// usesCgo: libpsx, which then changes all threads of a child, looks for them in
// /proc, where a process namespace of its own has other numbers.
const usesCgo = true
