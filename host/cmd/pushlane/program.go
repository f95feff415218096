package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/report"
)

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

func terminal() gate.Terminal {
	fd := int(os.Stderr.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" {
		return gate.Terminal{}
	}
	columns, rows, _ := term.GetSize(fd)
	return gate.Terminal{Live: true, Color: os.Getenv("NO_COLOR") == "", Columns: columns, Rows: rows}
}

// wrongUse is an error of the command line.
func wrongUse(err error) error { return hintedUse(err, "see: pushlane --help") }

// hintedUse is a wrong use with its own hint.
func hintedUse(err error, hint string) error { return problem.WithHint(problem.Usage(err), hint) }

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
