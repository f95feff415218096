// Command pushlane-plugin is the process in which pushlane compiles or runs one
// plugin. It is a separate program because it starts once for each module:
// without the rest of pushlane it starts faster and uses less memory. If it is
// not installed next to pushlane, pushlane starts itself instead.
package main

import (
	"os"

	"github.com/pushlane/pushlane/host/internal/sandbox"
)

func main() {
	os.Args = []string{"pushlane-plugin"}
	sandbox.Main()
}
