package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host/internal/plugins"
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
	cmd.AddCommand(pack, inspect)
	cmd.AddCommand(authorCommands(p)...)
	cmd.AddCommand(lockCommands(p)...)
	return cmd
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
