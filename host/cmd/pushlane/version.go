package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/sdk"
)

// stamped is the version for a build without git:
//
//	go build -ldflags '-X main.stamped=v0.1.0' ./host/cmd/pushlane
var stamped string

func versionCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version", Args: exactly(0),
		Run: func(*cobra.Command, []string) { fmt.Fprint(p.out, versionLine()) },
	}
}

// versionLine is what `pushlane version` and `pushlane --version` print.
func versionLine() string {
	return fmt.Sprintf("pushlane %s, plugin ABI %d, %s %s/%s\n", version(), sdk.ABI, runtime.Version(),
		runtime.GOOS, runtime.GOARCH)
}

// version is the one stamped, else what Go found: the module's version after
// `go install`, the tag or commit of the checkout where VCS stamping is on.
func version() string {
	built := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		built = info.Main.Version
	}
	return cmp.Or(stamped, built, "(devel)")
}
