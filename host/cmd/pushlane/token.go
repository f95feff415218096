package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/web"
)

func tokenCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "manage access to the page of this host",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tokenAddCommand(p), tokenListCommand(p), tokenDropCommand(p))
	return cmd
}

func tokenAddCommand(p *program) *cobra.Command {
	var scope string
	var repositories []string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "create a token and print it; it is not shown again", Args: exactly(1),
		Example: "  pushlane token add ann --scope run\n" +
			"  pushlane token add bot --repository /srv/git/app.git --repository alice/web",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(web.Scopes(), scope) {
				return wrongUse(fmt.Errorf("cannot add the token: unknown scope %q, want one of %s", scope,
					strings.Join(web.Scopes(), ", ")))
			}
			return p.withStore(cmd, func(st *store.Store) error {
				keys, err := repositoryKeys(cmd.Context(), st, repositories)
				if err != nil {
					return err
				}
				token := web.NewToken()
				err = st.Tokens().Add(cmd.Context(), store.Token{Name: printable.Clean(args[0]), Scope: scope, Repositories: keys,
					Hash: web.HashToken(token)})
				if err != nil {
					return err
				}
				fmt.Fprintln(p.out, token)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&scope, "scope", "read",
		"`SCOPE` of the token: read, run (also cancel and rerun) or admin (also paths on the host)")
	cmd.Flags().StringArrayVar(&repositories, "repository", nil,
		"limit the token to a repository: path of its git directory, or its `NAME` on the page (may be repeated)")
	return cmd
}

// repositoryKeys finds repositories by path or by name. A name of several
// repositories is refused: a token must not be valid for the wrong one.
func repositoryKeys(ctx context.Context, st *store.Store, names []string) (keys []string, err error) {
	all, err := st.Repositories().List(ctx)
	if err != nil {
		return nil, err
	}
	addresses := store.Addresses(all)
	for _, name := range names {
		var found []string
		for _, r := range all {
			if r.Called(name) || filepath.IsAbs(name) && isAt(r.Key, name) {
				found = append(found, r.Key)
			}
		}
		switch len(found) {
		case 0:
			return nil, hintedUse(fmt.Errorf("cannot add the token: there is no repository %q", name),
				"guard it first: pushlane install --server PATH")
		case 1:
			keys = append(keys, found[0])
		default:
			return nil, hintedUse(fmt.Errorf("cannot add the token: more than one repository is called %q", name),
				fmt.Sprintf("name one of them: --repository %s", addresses[found[0]]))
		}
	}
	return keys, nil
}

// isAt reports whether a repository's key is at a path, through links too.
func isAt(key, path string) bool {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return key == filepath.Clean(path) || key == filepath.Join(path, ".git")
}

func tokenListCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the tokens", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withStore(cmd, func(st *store.Store) error {
				all, err := st.Tokens().List(cmd.Context())
				for _, t := range all {
					fmt.Fprintf(p.out, "%s  %s  created %s", t.Name, t.Scope, t.Created.UTC().Format("2006-01-02"))
					for _, key := range t.Repositories {
						fmt.Fprintf(p.out, "  %s", printable.Clean(key))
					}
					fmt.Fprintln(p.out)
				}
				return err
			})
		},
	}
}

func tokenDropCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "revoke a token and its sessions", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withStore(cmd, func(st *store.Store) error {
				err := st.Tokens().Drop(cmd.Context(), args[0])
				if errors.Is(err, store.ErrNoToken) {
					return wrongUse(err)
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
