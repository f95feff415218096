// Command pushlane judges git pushes: it installs itself as git hooks, runs
// the lanes that a push asks for, and accepts or refuses it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/problem"
)

func main() {
	host.PluginProcess()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends this process at once
	code := run(ctx, program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Environ(), terminal: terminal()},
		os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, p program, args []string) int {
	root := rootCommand(&p)
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	if err := root.ExecuteContext(ctx); err != nil {
		problem.Write(p.err, err)
		return exitStatus(err)
	}
	return p.exit
}

// exitStatus: wrong use is 2, a broken part 3; "no" is never an error.
func exitStatus(err error) int {
	if problem.IsUsage(err) {
		return gate.ExitUsage
	}
	return gate.ExitUndecided
}

func rootCommand(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "pushlane",
		Short: "pushlane judges every git push",
		Long: `pushlane judges every git push: it picks the lanes whose paths changed, runs the
WebAssembly plugin of each lane, gives it throw-away Incus containers if it needs
them, and accepts or refuses the push.

Exit status: 0 accepted, 1 a lane refused, 2 wrong use, 3 could not decide.`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return wrongUse(fmt.Errorf("unknown command %q", args[0]))
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.Version = version()
	root.SetVersionTemplate(versionLine())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrongUse(err) })
	root.PersistentFlags().StringP("C", "C", "", "run as if started in `DIR`")
	root.PersistentFlags().StringVar(&p.config, "config", "", "read the lanes from `FILE` instead of the judged revision")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if dir, _ := cmd.Flags().GetString("C"); dir != "" {
			return os.Chdir(dir)
		}
		return nil
	}
	root.AddCommand(
		initCommand(p), installCommand(p), uninstallCommand(p),
		runCommand(p), lanesCommand(p), importCommand(p),
		runsCommand(p), showCommand(p), logCommand(p), cancelCommand(p), rerunCommand(p), tokenCommand(p), doctorCommand(p),
		gcCommand(p),
		demoCommand(p), serveCommand(p), pluginCommand(p), imageCommand(p), hookCommand(p), versionCommand(p),
	)
	complete(p, root)
	return root
}
