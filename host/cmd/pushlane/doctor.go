package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host/internal/doctor"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
)

func doctorCommand(p *program) *cobra.Command {
	var onlyIncus, attacks bool
	var image string
	cmd := &cobra.Command{
		Use: "doctor", Short: "check git, hooks, lanes, plugins, Incus, images and policy", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, policy, err := p.host()
			if err != nil {
				p.show(doctor.Unusable(err))
				return nil
			}
			defer h.Close(cmd.Context())
			checks := doctor.Incus(cmd.Context(), p.getenv, image)
			if !onlyIncus {
				checks = append(doctor.Checks(cmd.Context(), h, p.call("manual"), policy), checks...)
			}
			if attacks {
				checks = append(checks, doctor.Hostile(cmd.Context(), h)...)
			}
			p.show(checks...)
			return nil
		},
	}
	cmd.Flags().BoolVar(&onlyIncus, "incus", false, "check only what containers need")
	cmd.Flags().BoolVar(&attacks, "hostile", false,
		"try every hostile plugin module we know on this machine, too; takes a minute")
	cmd.Flags().StringVar(&image, "image", "", "the lane image to look for, `ALIAS`")
	return cmd
}

// show prints checks, and what to do about those that are not good.
func (p *program) show(checks ...doctor.Check) {
	for _, c := range checks {
		mark := "ok  "
		switch {
		case !c.OK:
			mark, p.exit = "FAIL", gate.ExitUndecided
		case c.Warn:
			mark = "warn"
		}
		fmt.Fprintf(p.out, "%s  %-9s %s\n", mark, c.Name, printable.Clean(c.Message))
		if c.Hint != "" {
			fmt.Fprintf(p.out, "      hint: %s\n", printable.Clean(c.Hint))
		}
	}
}

func gcCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "gc", Short: "remove containers and logs that were left behind", Args: exactly(0),
		Long: "gc removes this host's containers whose deadline has passed or whose host process\nis gone, marks their " +
			"runs as broken, removes runs and logs older than\nretention.runs, and the oldest logs beyond limits.logs_total. " +
			"pushlane serve does the\nsame every minute.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, policy, err := p.host()
			if err != nil {
				return err
			}
			defer h.Close(cmd.Context())
			lines, err := h.Collect(cmd.Context(), policy)
			p.lines(lines)
			return err
		},
	}
}
