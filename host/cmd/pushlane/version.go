package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/sdk"
)

func versionCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version", Args: exactly(0),
		Run: func(*cobra.Command, []string) {
			fmt.Fprintf(p.out, "pushlane %s, plugin ABI %d, %s %s/%s\n", version(), sdk.ABI, runtime.Version(), runtime.GOOS,
				runtime.GOARCH)
		},
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
