// Command pushlane-hook is the program that the git hooks call, in
// host/internal/hookclient and nothing else.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pushlane/pushlane/host/internal/hookclient"
)

func main() {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "pushlane: error: cannot find itself: %v\npushlane: hint: ./install.sh\n", err)
		os.Exit(3)
	}
	os.Exit(hookclient.Run(filepath.Join(filepath.Dir(self), "pushlane"), os.Args[1:]))
}
