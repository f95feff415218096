package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host/internal/console"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
)

func lanesCheckCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "check lanes, their settings and grants before a push does", Args: exactly(0),
		Long: `check reads the lanes file as pushlane run does, a file that is not committed too, and
says what would keep a lane from running: a plugin that does not load, settings that it
does not know, something that the lane does not grant or the policy does not allow. It
runs no lane.

Exit status: 0 nothing found, 1 a fault, 2 wrong use, 3 could not check.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, policy, err := p.host()
			if err != nil {
				return err
			}
			defer h.Close(cmd.Context())
			all, err := console.CheckLanes(cmd.Context(), h, policy, p.call("manual"))
			if err != nil {
				return err
			}
			p.printChecks(all)
			return nil
		},
	}
}

func (p *program) printChecks(all []console.LaneCheck) {
	width := 0
	for _, c := range all {
		width = max(width, len(c.Lane))
	}
	for _, c := range all {
		switch {
		case len(c.Faults) > 0:
			p.exit = gate.ExitRefuse
		case len(c.Notes) == 0:
			fmt.Fprintf(p.out, "ok     %s\n", c.Lane)
		}
		for _, err := range c.Faults {
			fmt.Fprintf(p.out, "FAIL   %-*s  %s: %s\n", width, c.Lane, c.Source, printable.CleanText(err.Error()))
			if hint := problem.Hint(err); hint != "" {
				fmt.Fprintf(p.out, "       hint: %s\n", printable.Indent(printable.CleanText(hint)))
			}
		}
		for _, note := range c.Notes {
			fmt.Fprintf(p.out, "note   %-*s  %s: %s\n", width, c.Lane, c.Source, printable.CleanText(note))
		}
	}
}
