//go:build !race

package hostile_test

// slower is for processes with the race detector.
const slower = 1
