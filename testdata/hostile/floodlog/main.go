// Floodlog writes 64 MiB to its log and then passes.
package main

import (
	"bytes"
	"os"
)

func main() {
	line := append(bytes.Repeat([]byte("x"), 1<<16-1), '\n')
	for range 1024 {
		if _, err := os.Stderr.Write(line); err != nil {
			os.Exit(2)
		}
	}
}
