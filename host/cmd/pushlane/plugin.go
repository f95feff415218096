package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/problem"
)

func pluginCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "plugin", Short: "write, add, update and check lane plugins"}
	var manifest string
	pack := &cobra.Command{
		Use: "pack IN.wasm OUT.wasm", Short: "add a manifest to a module", Args: exactly(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return packPlugin(manifest, args[0], args[1])
		},
	}
	pack.Flags().StringVar(&manifest, "manifest", "manifest.toml", "manifest `FILE`")
	inspect := &cobra.Command{
		Use: "inspect FILE.wasm", Short: "show the manifest of a module", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return wrongUse(err)
			}
			return plugins.Inspect(p.out, data)
		},
	}
	cmd.AddCommand(pack, inspect, docsCommand(p))
	cmd.AddCommand(authorCommands(p)...)
	cmd.AddCommand(lockCommands(p)...)
	return cmd
}

func docsCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "docs NAME", Short: "print a plugin's settings, what it asks for, and a lane to begin with", Args: exactly(1),
		Long: `docs reads the manifest of a first-party plugin, or of a module if NAME ends in .wasm.
The module is not run.`,
		Example: "  pushlane plugin docs shell",
		RunE: func(_ *cobra.Command, args []string) error {
			policy, err := config.Load(p.getenv)
			if err != nil {
				return err
			}
			name := args[0]
			if filepath.Ext(name) != ".wasm" {
				name = filepath.Join(policy.Plugins, filepath.Base(name)+".wasm")
			}
			data, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				return problem.Usage(plugins.MissingPlugin(policy, args[0]))
			} else if err != nil {
				return wrongUse(fmt.Errorf("cannot read the plugin: %w", err))
			}
			return plugins.Docs(p.out, data)
		},
	}
}

func packPlugin(manifest, in, out string) error {
	if filepath.Ext(out) != ".wasm" { // most likely it is the manifest, which must not be overwritten
		return wrongUse(fmt.Errorf("cannot pack into %q: the name of a module must end in .wasm", out))
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		return wrongUse(fmt.Errorf("cannot pack: %w", err))
	}
	module, err := os.ReadFile(in)
	if err != nil {
		return wrongUse(fmt.Errorf("cannot pack: %w", err))
	}
	packed, err := plugins.Pack(module, text)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, packed, 0o644); err != nil {
		return fmt.Errorf("cannot pack: %w", err)
	}
	return nil
}
