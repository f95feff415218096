package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/console"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/lanes"
)

func lanesCommand(p *program) *cobra.Command {
	var explain, asJSON bool
	var ask console.LanesQuestion
	cmd := &cobra.Command{
		Use: "lanes", Short: "list the lanes; explain which of them a push would run", Args: exactly(0),
		Long: `lanes lists the lanes of a revision. With --explain it prints for every lane whether a
push would run it, and the path and glob that decided. It works in a bare repository
too.`,
		Example: "  pushlane lanes\n  pushlane lanes --explain\n  pushlane lanes --explain --range v1.2..HEAD --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			call := p.call("manual")
			ask.Memory = explain
			h, policy, err := p.host()
			if err != nil {
				return err
			}
			defer h.Close(cmd.Context())
			answer, err := console.ExplainLanes(cmd.Context(), h, policy, call, ask)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				enc := json.NewEncoder(p.out)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(answer)
			case explain:
				printExplained(p, answer)
			default:
				printLanes(p, answer)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&explain, "explain", false, "print for every lane whether a push would run it, and why")
	f.StringVar(&ask.Range, "range", "", "explain the change `A..B`; default: what a push would update")
	f.StringVar(&ask.Gate, "gate", "pre-push", "explain for `GATE`: pre-commit, pre-push, pre-receive, …")
	f.StringVar(&ask.Ref, "ref", "",
		"explain for a push to `REF`; default: the ref that a push would update, with --range any branch")
	f.BoolVar(&asJSON, "json", false, "print JSON: range and lanes, in file order")
	return cmd
}

func printExplained(p *program, e report.ExplainJSON) {
	if e.Nothing != "" {
		fmt.Fprintf(p.out, "nothing to push: %s\n", e.Nothing)
	}
	width := 0
	for _, l := range e.Lanes {
		width = max(width, len(l.ID))
	}
	for _, l := range e.Lanes {
		mark := "-"
		if l.Picked {
			mark = "+"
		}
		line := fmt.Sprintf("%s %-*s  %s", mark, width, l.ID, l.Reason)
		if l.Path != "" {
			line += ": " + printable.Clean(l.Path)
		}
		fmt.Fprintln(p.out, line)
		if l.Memory != "" {
			fmt.Fprintf(p.out, "  %-*s  %s\n", width, "", l.Memory)
		}
	}
}

func printLanes(p *program, e report.ExplainJSON) {
	for _, l := range e.Lanes {
		fmt.Fprintln(p.out, l.ID)
	}
}

func importCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "import TOOL FILE", Short: "convert another tool's configuration to lanes.toml", Args: exactly(2),
		Long: `import prints a lanes.toml on standard output that never checks less than FILE. A check
that cannot be converted becomes a lane that refuses every push until you write its
command; standard error names these lanes. TOOL is forge-lanes, lefthook or pre-commit.`,
		Example: "  pushlane import lefthook lefthook.yml > .pushlane/lanes.toml",
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := readImport(args[1])
			if err != nil {
				return wrongUse(fmt.Errorf("cannot import: %w", err))
			}
			root, err := os.OpenRoot(importRoot(args[1]))
			if err != nil {
				return wrongUse(fmt.Errorf("cannot import: %w", err))
			}
			defer root.Close()
			got, err := lanes.Import(args[0], args[1], data, root.FS())
			if err != nil {
				return err
			}
			if _, err = p.out.Write(got.Text); err == nil {
				sayImported(p, got)
			}
			return err
		},
	}
}

func readImport(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := bounded.ReadAll(f, lanes.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// importRoot is the folder that names in a file are relative to: the
// repository's top, one above .config.
func importRoot(file string) string {
	dir := filepath.Dir(file)
	if filepath.Base(dir) == ".config" {
		return filepath.Dir(dir)
	}
	return dir
}

// sayImported prints which lanes still need a command.
func sayImported(p *program, got lanes.Imported) {
	if len(got.Refuse) == 0 {
		fmt.Fprintf(p.err, "pushlane: imported: %s\n", count(got.Lanes, "lane"))
		return
	}
	fmt.Fprintf(p.err, "pushlane: imported: %s; refusing until you write their command: %s\n",
		count(got.Lanes, "lane"), strings.Join(got.Refuse, ", "))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
