//go:build race

package hostile_test

// slower is how much more a process with the race detector takes, in time and
// in memory.
const slower = 4
