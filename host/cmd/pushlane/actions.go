package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/web/api"
)

func cancelCommand(p *program) *cobra.Command {
	var asJSON bool
	var there away
	cmd := &cobra.Command{
		Use: "cancel RUN", Short: "cancel a queued or running run", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if done, err := there.withRun(ctx, p, args[0], func(c api.Client, repo string, number int64) error {
				run, err := c.Cancel(ctx, repo, number)
				if err != nil {
					return err
				}
				return p.printJSON(run)
			}); done {
				return err
			}
			return p.withHost(cmd, func(h *host.Host) error {
				run, err := h.CancelRun(cmd.Context(), p.call("manual"), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(p.out).Encode(map[string]any{"run": run.Number, "state": run.State,
						"cancel_requested_by": run.CancelBy})
				}
				word := "run #%d is cancelled\n"
				if !run.State.Final() {
					word = "run #%d is being cancelled\n"
				}
				fmt.Fprintf(p.out, word, run.Number)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	there.flags(cmd)
	return cmd
}

func rerunCommand(p *program) *cobra.Command {
	var asJSON, failed bool
	var there away
	cmd := &cobra.Command{
		Use: "rerun RUN", Short: "queue a run again: all lanes, or those that failed", Args: exactly(1),
		Long: `rerun judges the same commits with the same lanes again, on the server (pushlane
serve). Before a push, use pushlane run instead.`,
		Example: "  pushlane rerun 12\n  pushlane rerun 12 --failed",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if done, err := there.withRun(ctx, p, args[0], func(c api.Client, repo string, number int64) error {
				run, err := c.Rerun(ctx, repo, number, failed)
				if err != nil {
					return err
				}
				return p.printJSON(run)
			}); done {
				return err
			}
			return p.withHost(cmd, func(h *host.Host) error {
				number, err := h.RerunRun(cmd.Context(), p.call("manual"), args[0], failed)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(p.out).Encode(map[string]any{"run": number})
				}
				fmt.Fprintf(p.out, "run #%d is queued\n", number)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "run only the lanes that did not pass")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	there.flags(cmd)
	return cmd
}

func showCommand(p *program) *cobra.Command {
	var asJSON bool
	var there away
	cmd := &cobra.Command{
		Use: "show [RUN]", Short: "show a run: lanes, findings, every decision", Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			which := "last"
			if len(args) == 1 {
				which = args[0]
			}
			if done, err := there.show(cmd.Context(), p, which, asJSON); done {
				return err
			}
			return p.withHost(cmd, func(h *host.Host) error {
				return h.ShowRun(cmd.Context(), p.call("manual"), which, asJSON, p.out)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	there.flags(cmd)
	return cmd
}

// withHost opens the host for one command.
func (p *program) withHost(cmd *cobra.Command, do func(*host.Host) error) error {
	h, _, err := p.host()
	if err != nil {
		return err
	}
	defer h.Close(cmd.Context())
	return do(h)
}
