package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func runCommand(p *program) *cobra.Command {
	var ids []string
	var span string
	var all, fresh, asJSON, asJUnit, asSARIF bool
	cmd := &cobra.Command{
		Use: "run", Short: "judge without pushing", Args: exactly(0),
		Long: `run judges what a push of the current branch would update, or the range given. It judges
committed content, never the work tree.`,
		Example: "  pushlane run\n  pushlane run --lane go-test --range origin/main..HEAD\n  pushlane run --all --sarif > " +
			"lanes.sarif",
		RunE: func(cmd *cobra.Command, _ []string) error {
			call := p.call("manual")
			call.Range, call.Lanes, call.All, call.Fresh = span, ids, all, fresh
			format, err := formatOf(asJSON, asJUnit, asSARIF)
			if err != nil {
				return err
			}
			call.Format = format
			return p.judge(cmd.Context(), call, false)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&ids, "lane", nil, "run only the lane `ID`, even if its paths did not change (may be repeated)")
	f.StringVar(&span, "range", "", "judge `A..B` instead of what a push would update")
	f.BoolVar(&all, "all", false, "run every lane, even if its paths did not change")
	f.BoolVar(&fresh, "fresh", false, "do not use cached results")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	f.BoolVar(&asJUnit, "junit", false, "print the result as JUnit XML")
	f.BoolVar(&asSARIF, "sarif", false, "print the result as SARIF 2.1.0")
	return cmd
}

func formatOf(json, junit, sarif bool) (string, error) {
	format, n := "text", 0
	for name, on := range map[string]bool{"json": json, "junit": junit, "sarif": sarif} {
		if on {
			format = name
			n++
		}
	}
	if n > 1 {
		return "", wrongUse(errors.New("--json, --junit and --sarif cannot be combined"))
	}
	return format, nil
}
