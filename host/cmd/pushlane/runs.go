package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/lanelog"
	"github.com/pushlane/pushlane/host/internal/printable"
)

func runsCommand(p *program) *cobra.Command {
	var limit int
	var asJSON bool
	var there away
	cmd := &cobra.Command{
		Use: "runs [RUN]", Short: "list the runs of this repository, or show one", Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if done, err := there.show(cmd.Context(), p, args[0], asJSON); done {
					return err
				}
			} else if done, err := there.runs(cmd.Context(), p, limit, asJSON); done {
				return err
			}
			h, _, err := p.host()
			if err != nil {
				return err
			}
			defer h.Close(cmd.Context())
			if len(args) == 1 {
				return h.ShowRun(cmd.Context(), p.call("manual"), args[0], asJSON, p.out)
			}
			return h.ListRuns(cmd.Context(), p.call("manual"), limit, asJSON, p.out)
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "list at most `N` runs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	there.flags(cmd)
	return cmd
}

func logCommand(p *program) *cobra.Command {
	var times bool
	var there away
	cmd := &cobra.Command{
		Use: "log [RUN[:LANE]]", Short: "print the log of a run or of one lane", Args: atMostOne,
		Long:    "log prints the logs of a run, or of one of its lanes. The default is the last run.",
		Example: "  pushlane log\n  pushlane log 12:go-test",
		RunE: func(cmd *cobra.Command, args []string) error {
			which := "last"
			if len(args) == 1 {
				which = args[0]
			}
			if done, err := there.log(cmd.Context(), p, which); done {
				return err
			}
			h, _, err := p.host()
			if err != nil {
				return err
			}
			defer h.Close(cmd.Context())
			return p.printLogs(cmd, h, which, times)
		},
	}
	there.flags(cmd)
	cmd.Flags().BoolVar(&times, "time", false, "print the time before each line")
	return cmd
}

func (p *program) printLogs(cmd *cobra.Command, h *host.Host, which string, times bool) error {
	logs, err := h.Logs(cmd.Context(), p.call("manual"), which)
	if err != nil {
		return err
	}
	for _, l := range logs {
		if len(logs) > 1 {
			fmt.Fprintf(p.out, "== %s: %s %s\n", l.Lane, l.State, l.Message)
		}
		if l.Path == "" {
			continue
		}
		if err := p.printLog(l.Path, times); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) printLog(path string, times bool) error {
	f, err := lanelog.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot show log: %s was removed", path)
	}
	if err != nil {
		return fmt.Errorf("cannot show log: %w", err)
	}
	defer f.Close()
	_, err = lanelog.Read(f, 0, func(_ int64, l lanelog.Line) error {
		if times {
			fmt.Fprintf(p.out, "%s ", l.At.UTC().Format(time.RFC3339))
		}
		text := printable.Clean(l.Text)
		if p.terminal.Color {
			text = printable.CleanColor(l.Text)
		}
		_, err := fmt.Fprintln(p.out, text)
		return err
	})
	return err
}
