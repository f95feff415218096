// Recurse calls itself without end.
package main

import "os"

//go:noinline
func down(n int, pad [64]int) int {
	pad[n%64] = n
	return down(n+1, pad) + pad[n%7]
}

func main() { os.Exit(down(0, [64]int{})) }
