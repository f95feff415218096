package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/hookclient"
)

// installation is what `pushlane install` was asked for.
type installation struct {
	preCommit, commitMsg bool

	server bool
	perRef bool   // server: accept or refuse each ref separately
	policy string // server: the policy file that the hooks name
	print  string // server: a gate whose hook is printed instead
}

func installCommand(p *program) *cobra.Command {
	var in installation
	cmd := &cobra.Command{
		Use: "install [--server REPO.git…]", Short: "install the hooks in this repository, or on a git server",
		Long: `install writes a pre-push hook, and with flags other hooks. An existing hook stays where
it is and runs first: git's core.hooksPath is then set to a folder of pushlane. If the
pushlane program is missing, the hook refuses. "pushlane uninstall" restores the
previous state. Hooks call pushlane-hook if it is next to pushlane, else pushlane.

With --server it guards the named repositories: pre-receive decides before anything is
accepted, post-receive runs the lanes that come after. The hooks name the policy file
and the state folder, so that a pusher's variables cannot change them.`,
		Example: "  pushlane install\n  pushlane install --server /srv/git/app.git\n  pushlane install --server --print " +
			"pre-receive > hooks/pre-receive.d/pushlane",
		RunE: func(cmd *cobra.Command, args []string) error {
			bin, err := hookClient()
			if err != nil {
				return err
			}
			switch {
			case in.server:
				return p.installServer(cmd.Context(), in, bin, args)
			case len(args) > 0:
				return wrongUse(fmt.Errorf("install takes repositories only with --server"))
			}
			o := hooks.InstallOptions{Gates: in.gates(), Bin: bin, Args: hookclient.Args(bin)}
			lines, err := hooks.Install(cmd.Context(), p.hooksEnv(), o)
			p.lines(lines)
			return err
		},
	}
	cmd.Flags().BoolVar(&in.preCommit, "pre-commit", false, "also judge the tree of every commit")
	cmd.Flags().BoolVar(&in.commitMsg, "commit-msg", false, "also judge commit messages")
	cmd.Flags().Bool("force", false, "")
	_ = cmd.Flags().MarkDeprecated("force",
		"it has no effect: install never writes into a hooks folder that other repositories share")
	cmd.Flags().BoolVar(&in.server, "server", false, "guard the named repositories on a git server")
	cmd.Flags().BoolVar(&in.perRef, "per-ref", false,
		"with --server: accept or refuse each ref separately, so that one bad ref does not block the others")
	cmd.Flags().StringVar(&in.policy, "policy", config.PolicyFile, "with --server: policy `FILE` of the server")
	cmd.Flags().StringVar(&in.print, "print", "", "with --server: print the hook of `GATE` and install nothing")
	return cmd
}

func (in installation) gates() []string {
	gates := []string{"pre-push"}
	if in.preCommit {
		gates = append(gates, "pre-commit")
	}
	if in.commitMsg {
		gates = append(gates, "commit-msg")
	}
	return gates
}

func uninstallCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "uninstall", Short: "remove the hooks and restore the previous state", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			lines, err := hooks.Uninstall(cmd.Context(), p.hooksEnv())
			p.lines(lines)
			return err
		},
	}
}

func (p *program) hooksEnv() hooks.Env {
	return hooks.Env{Dir: p.call("").Dir, Getenv: p.getenv}
}

func (p *program) lines(lines []string) {
	for _, line := range lines {
		fmt.Fprintln(p.out, line)
	}
}

// hookClient is the program that hooks call: the small one next to this one, else
// this one, as after `go install`.
func hookClient() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find the hook client: %w", err)
	}
	bin := filepath.Join(filepath.Dir(exe), hookclient.Name)
	if info, err := os.Stat(bin); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return bin, nil
	}
	return exe, nil
}
