package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/web"
)

func tokenCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "let people and programs in at the page of this host",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tokenAddCommand(p), tokenListCommand(p), tokenDropCommand(p))
	return cmd
}

func tokenAddCommand(p *program) *cobra.Command {
	var scope string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "make a token; it is shown this once", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(web.Scopes(), scope) {
				return wrongUse{fmt.Errorf("there is no scope %q: say %s", scope, strings.Join(web.Scopes(), ", "))}
			}
			return p.withStore(cmd, func(st *store.Store) error {
				token := web.NewToken()
				if err := st.AddToken(cmd.Context(), store.Token{Name: host.Clean(args[0]), Scope: scope, Hash: web.HashToken(token)}); err != nil {
					return err
				}
				fmt.Fprintln(p.out, token)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&scope, "scope", "read", "what it may do: `read`, run (cancel and rerun) or admin")
	return cmd
}

func tokenListCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the tokens by name", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withStore(cmd, func(st *store.Store) error {
				all, err := st.Tokens(cmd.Context())
				for _, t := range all {
					fmt.Fprintf(p.out, "%s  %s  made %s\n", t.Name, t.Scope, t.Created.UTC().Format("2006-01-02"))
				}
				return err
			})
		},
	}
}

func tokenDropCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "revoke a token, with its sessions", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withStore(cmd, func(st *store.Store) error {
				err := st.DropToken(cmd.Context(), args[0])
				if errors.Is(err, store.ErrNoToken) {
					return wrongUse{err}
				}
				return err
			})
		},
	}
}

func (p *program) withStore(cmd *cobra.Command, do func(*store.Store) error) error {
	return p.withHost(cmd, func(h *host.Host) error {
		st, err := h.Store(cmd.Context())
		if err != nil {
			return err
		}
		return do(st)
	})
}
