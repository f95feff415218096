package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/console"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
)

func statusCommand(p *program) *cobra.Command {
	var asJSON bool
	var there away
	cmd := &cobra.Command{
		Use: "status [BRANCH]", Short: "say whether the lanes of a branch passed", Args: atMostOne,
		Long: `status joins all runs of the commit at the tip of a branch: of each lane the newest run
counts. The default is the current branch, with --url as the host there has it.

Exit status: 0 passed, 1 a required lane failed, 3 not decided.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			head, err := p.head(cmd.Context(), &there, args)
			if err != nil {
				return err
			}
			p.exit = head.Exit()
			if asJSON {
				return p.printJSON(head)
			}
			p.printHead(head)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	there.flags(cmd)
	return cmd
}

// waitEvery is how often wait looks.
const waitEvery = time.Second

func waitCommand(p *program) *cobra.Command {
	var there away
	var most time.Duration
	cmd := &cobra.Command{
		Use: "wait [BRANCH]", Short: "wait until the lanes of a branch have ended", Args: atMostOne,
		Long: `wait is status once every lane of the commit has ended.

Exit status: 0 passed, 1 a required lane failed, 3 not decided, or --timeout was over.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), most,
				problem.WithHint(fmt.Errorf("cannot wait longer than %s: the lanes have not ended", most),
					"wait longer: pushlane wait --timeout "+(2*most).String()))
			defer cancel()
			for {
				head, err := p.head(ctx, &there, args)
				if err != nil {
					return err
				}
				if head.Decided() {
					p.exit = head.Exit()
					p.printHead(head)
					return nil
				}
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-time.After(waitEvery):
				}
			}
		},
	}
	cmd.Flags().DurationVar(&most, "timeout", time.Hour, "wait at most for `DURATION`")
	there.flags(cmd)
	return cmd
}

// head is the state of a branch here, or where --url says.
func (p *program) head(ctx context.Context, there *away, args []string) (console.Head, error) {
	branch := strings.Join(args, "")
	c, name, ok, err := there.client(ctx, p)
	if err != nil {
		return console.Head{}, err
	}
	if !ok {
		h, _, err := p.host()
		if err != nil {
			return console.Head{}, err
		}
		defer h.Close(ctx)
		return console.LocalHead(ctx, h, p.call("manual"), branch)
	}
	ref, commit := "refs/heads/"+branch, ""
	if branch == "" {
		repo, err := hooks.Open(ctx, p.call("manual").HooksEnv())
		if err != nil {
			return console.Head{}, err
		}
		defer repo.Close()
		if ref, commit, err = console.BranchOf(ctx, repo, ""); err != nil {
			return console.Head{}, err
		}
	}
	runs, err := c.Runs(ctx, name, strings.TrimPrefix(ref, "refs/heads/"), "", 0)
	return console.HeadOf(runs, ref, commit), err
}

func (p *program) printHead(h console.Head) {
	name := printable.Ref(h.Ref) + " " + printable.Short(h.Commit)
	if h.State == console.Unknown {
		fmt.Fprintf(p.out, "%s: no run judged this commit\n", name)
		return
	}
	why := fmt.Sprintf("run #%d", h.Run)
	if h.Lane != "" {
		why = fmt.Sprintf("lane %q, %s", h.Lane, why)
	}
	fmt.Fprintf(p.out, "%s: %s (%s)\n", name, h.State, why)
	for _, l := range h.Lanes {
		if store.State(l.State) != store.Passed || !l.Required {
			fmt.Fprintf(p.out, "  %-9s  %s  %s\n", l.State, printable.Clean(l.Lane), printable.FirstLine(l.Message))
		}
	}
}
