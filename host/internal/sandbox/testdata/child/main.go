// Command child is a program with nothing but the sandbox's children in it, for
// tests: without the race detector they start and compile ten times faster.
package main

import "github.com/pushlane/pushlane/host/internal/sandbox"

func main() { sandbox.Main() }
