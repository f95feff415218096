// Files opens the same file again and again and closes none.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	for n := 0; ; n++ {
		if _, err := syscall.Open("/src/a", syscall.O_RDONLY, 0); err != nil {
			fmt.Printf("%d open: %v\n", n, err)
			os.Exit(1)
		}
	}
}
