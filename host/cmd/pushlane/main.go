// Command pushlane judges git pushes: it installs itself as git hooks, runs
// the lanes that a push asks for, and accepts or refuses it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/hookclient"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

func main() {
	host.PluginProcess()
	if self, err := os.Executable(); err == nil {
		if args, ok := hookclient.Called(os.Args[1:]); ok { // before signals are caught: the client has its own way
			os.Exit(hookclient.Run(self, args))
		}
	}
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
	group(root, "Start:", initCommand(p), installCommand(p), uninstallCommand(p), importCommand(p), demoCommand(p))
	group(root, "Lanes:", lanesCheckCommand(p), runCommand(p), lanesCommand(p), pluginCommand(p),
		imageCommand(p))
	group(root, "Runs:", statusCommand(p), waitCommand(p), runsCommand(p),
		showCommand(p), logCommand(p), artifactCommand(p), cancelCommand(p), rerunCommand(p))
	group(root, "Server:", serveCommand(p), tokenCommand(p), secretCommand(p), gcCommand(p))
	group(root, "This program:", doctorCommand(p), versionCommand(p))
	root.AddCommand(hookCommand(p), manCommand(p))
	root.SetHelpCommand(helpCommand(root))
	complete(p, root)
	refuseUnknown(root)
	return root
}

// group adds commands under a title of their own in the help.
func group(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

// helpCommand is cobra's, with our exit status for a command that is not there.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{Use: "help [COMMAND]", Short: "print the help of a command", GroupID: "This program:",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(root, strings.Join(args, " "))
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		}}
}

// refuseUnknown makes every command with commands below it print its help, and
// refuse a name that none of them has.
func refuseUnknown(cmd *cobra.Command) {
	for _, below := range cmd.Commands() {
		refuseUnknown(below)
	}
	if !cmd.HasSubCommands() {
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return cmd.Help()
	}
}

// unknownCommand names the command that was meant, where one is close.
func unknownCommand(above *cobra.Command, name string) error {
	var names []string
	for _, cmd := range above.Commands() {
		if !cmd.Hidden {
			names = append(names, cmd.Name())
		}
	}
	err := fmt.Errorf("unknown command %q", name)
	if above.HasParent() {
		err = fmt.Errorf("unknown command %q of %s", name, above.CommandPath())
	}
	if near := lanes.Nearest(name, names); near != "" {
		return hintedUse(err, fmt.Sprintf("did you mean %s? see: %s %[1]s --help", near, above.CommandPath()))
	}
	return hintedUse(err, "see: "+above.CommandPath()+" --help")
}
