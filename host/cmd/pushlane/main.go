// Command pushlane judges git pushes: it installs itself as git hooks, runs
// the lanes that a push asks for, and accepts or refuses it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/report"
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

// program is what a command has of the world: its streams, environment and
// terminal. The exit status is set by commands that judge.
type program struct {
	in       io.Reader
	out, err io.Writer
	env      []string
	terminal gate.Terminal
	config   string // lanes file given with --config
	exit     int
}

func (p *program) getenv(key string) string { return p.call("").Getenv(key) }

// call starts a host.Call with what every call has.
func (p *program) call(name string) gate.Call {
	dir, _ := os.Getwd()
	return gate.Call{Gate: name, Dir: dir, Env: p.env, Term: p.terminal, Config: p.config}
}

func (p *program) output() report.Output {
	return report.Output{Out: p.out, Err: p.err, Version: version()}
}

// host opens the host of this user's state folder, for one command.
func (p *program) host() (*host.Host, config.Policy, error) { return p.openHost(0) }

func (p *program) openHost(warm int) (*host.Host, config.Policy, error) {
	policy, err := config.Load(p.getenv)
	if err != nil {
		return nil, policy, err
	}
	h, err := host.Open(policy, warm)
	return h, policy, err
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

// wrongUse is an error of the command line.
func wrongUse(err error) error { return hintedUse(err, "see: pushlane --help") }

// hintedUse is a wrong use with its own hint.
func hintedUse(err error, hint string) error { return problem.WithHint(problem.Usage(err), hint) }

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
		runsCommand(p), showCommand(p), logCommand(p), artifactCommand(p),
		cancelCommand(p), rerunCommand(p), tokenCommand(p), secretCommand(p),
		doctorCommand(p),
		gcCommand(p),
		demoCommand(p), serveCommand(p), pluginCommand(p), hookCommand(p), versionCommand(p),
	)
	complete(p, root)
	return root
}

// exactly is cobra.ExactArgs with our exit status.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return wrongUse(fmt.Errorf("%s takes %d arguments, got %d", cmd.CommandPath(), n, len(args)))
		}
		return nil
	}
}

// atMostOne takes one argument or none, with our exit status.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return wrongUse(fmt.Errorf("%s takes at most 1 argument, got %d", cmd.CommandPath(), len(args)))
	}
	return nil
}

func terminal() gate.Terminal {
	fd := int(os.Stderr.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" {
		return gate.Terminal{}
	}
	columns, _, _ := term.GetSize(fd)
	return gate.Terminal{Live: true, Color: os.Getenv("NO_COLOR") == "", Columns: columns}
}
