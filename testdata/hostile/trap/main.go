// Trap panics three calls deep.
package main

import "os"

func main() { outer(os.Args) }

//go:noinline
func outer(args []string) { inner(args) }

//go:noinline
func inner(args []string) { panic("the rule book has " + args[7]) }
