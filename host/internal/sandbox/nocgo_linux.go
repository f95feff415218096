//go:build linux && !cgo

package sandbox

// usesCgo: Go itself changes all threads of a child.
const usesCgo = false
