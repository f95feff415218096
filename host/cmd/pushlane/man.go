package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes the manual: a page for each command that the help lists.
// install.sh and .ci/release call it.
func manCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "write a manual page for each command", Hidden: true, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := sourceDate(p.getenv("SOURCE_DATE_EPOCH"))
			if err != nil {
				return wrongUse(err)
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("cannot write the manual: %w", err)
			}
			return writeManual(cmd.Root(), args[0], date)
		},
	}
}

// sourceDate is the date of the pages, so that the same program writes the same
// bytes: seconds since 1970, as reproducible builds set them; none: 1970.
func sourceDate(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read SOURCE_DATE_EPOCH: %q is not a number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func writeManual(root *cobra.Command, dir string, date time.Time) error {
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "pushlane " + version(), Manual: "pushlane"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("cannot write the manual: %w", err)
	}
	return nil
}
