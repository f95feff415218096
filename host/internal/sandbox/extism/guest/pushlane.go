//go:build wasip1 && !extism

package main

import (
	"io"
	"os"
)

// main reads its input as pushlane's own SDK does.
func main() {
	info, err := os.Stdin.Stat()
	if err != nil {
		panic(err)
	}
	input := make([]byte, info.Size())
	if _, err := io.ReadFull(os.Stdin, input); err != nil {
		panic(err)
	}
	os.Stdout.Write(work(input))
}
