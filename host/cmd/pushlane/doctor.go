package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host/internal/doctor"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
)

func doctorCommand(p *program) *cobra.Command {
	var onlyIncus, attacks, asJSON bool
	var image string
	cmd := &cobra.Command{
		Use: "doctor", Short: "check the installation: git, hooks, lanes, plugins, Incus, images, policy", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, policy, err := p.host()
			if err != nil {
				return p.showChecks(asJSON, doctor.Unusable(err))
			}
			defer h.Close(cmd.Context())
			checks := doctor.Incus(cmd.Context(), p.getenv, image)
			if !onlyIncus {
				checks = append(doctor.Checks(cmd.Context(), h, p.call("manual"), policy), checks...)
			}
			if attacks {
				checks = append(checks, doctor.Hostile(cmd.Context(), h)...)
			}
			return p.showChecks(asJSON, checks...)
		},
	}
	cmd.Flags().BoolVar(&onlyIncus, "incus", false, "check only what containers need")
	cmd.Flags().BoolVar(&attacks, "hostile", false,
		"also run every known hostile module on this machine; takes a minute")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: ok, and checks with name, ok, warn, message and hint")
	cmd.Flags().StringVar(&image, "image", "", "check for the lane image `ALIAS`")
	return cmd
}

// showChecks prints checks as text or as JSON.
func (p *program) showChecks(asJSON bool, checks ...doctor.Check) error {
	if !asJSON {
		p.show(checks...)
		return nil
	}
	ok := !slices.ContainsFunc(checks, func(c doctor.Check) bool { return !c.OK })
	if !ok {
		p.exit = gate.ExitUndecided
	}
	out := json.NewEncoder(p.out)
	out.SetIndent("", "  ")
	return out.Encode(struct {
		Schema int            `json:"schema"`
		OK     bool           `json:"ok"`
		Checks []doctor.Check `json:"checks"`
	}{1, ok, checks})
}

// show prints checks, each with its hint.
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
		Use: "gc", Short: "remove leftover containers, and old runs and logs", Args: exactly(0),
		Long: `gc removes this host's containers whose deadline has passed or whose host process has
ended, and marks their runs as broken. It removes runs and logs older than
retention.runs, and the oldest logs beyond limits.logs_total. pushlane serve does the
same every minute.`,
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
