package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/hooks"
)

func installCommand(p *program) *cobra.Command {
	var preCommit, commitMsg, force bool
	cmd := &cobra.Command{
		Use: "install", Short: "put pushlane's hooks in this repository", Args: exactly(0),
		Long: "install writes a pre-push hook, and with flags others. A hook that is there is kept\nand runs first. The hook refuses when pushlane is gone; `pushlane uninstall` restores\nwhat was there.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			gates := []string{"pre-push"}
			if preCommit {
				gates = append(gates, "pre-commit")
			}
			if commitMsg {
				gates = append(gates, "commit-msg")
			}
			bin, err := hookClient()
			if err != nil {
				return err
			}
			lines, err := hooks.Install(cmd.Context(), p.hooksEnv(), hooks.InstallOptions{Gates: gates, Bin: bin, Force: force})
			p.lines(lines)
			return err
		},
	}
	cmd.Flags().BoolVar(&preCommit, "pre-commit", false, "judge every commit's tree as well")
	cmd.Flags().BoolVar(&commitMsg, "commit-msg", false, "judge commit messages as well")
	cmd.Flags().BoolVar(&force, "force", false, "install in a hooks folder that other repositories share")
	return cmd
}

func uninstallCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "uninstall", Short: "take pushlane's hooks out and restore what was there", Args: exactly(0),
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

// hookClient is the small program beside this one that hooks call.
func hookClient() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find the hook client: %w", err)
	}
	bin := filepath.Join(filepath.Dir(exe), "pushlane-hook")
	if _, err := os.Stat(bin); err != nil {
		return "", hint{fmt.Errorf("cannot find the hook client: %w", err), "put both programs in place with: ./install.sh"}
	}
	return bin, nil
}

// hint is an error with the command that mends it.
type hint struct {
	error
	text string
}

func (h hint) Hint() string { return h.text }
