// Floodout writes to its standard output without end.
package main

import (
	"bytes"
	"os"
)

func main() {
	line := bytes.Repeat([]byte("{}\n"), 1<<12)
	for {
		os.Stdout.Write(line)
	}
}
