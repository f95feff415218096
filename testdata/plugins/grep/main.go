// Command grep is a plugin for tests that knows nothing of plugins: it looks
// for a word in the files that it is called with, and exits with 3 when it
// finds it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	found := false
	for _, name := range os.Args[2:] {
		f, err := os.Open(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			if at := strings.Index(lines.Text(), os.Args[1]); at >= 0 {
				fmt.Printf("%s:%d:%d: error: %s\n", name, n, at+1, lines.Text())
				found = true
			}
		}
		f.Close()
	}
	if found {
		os.Exit(3)
	}
}
