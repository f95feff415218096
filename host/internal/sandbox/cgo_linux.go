//go:build linux && cgo

package sandbox

// usesCgo: libpsx, which then changes all threads of a child, finds them in /proc,
// where a separate process namespace has other numbers.
const usesCgo = true
