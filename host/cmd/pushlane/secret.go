package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/secret"
)

func secretCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "secret", Short: "manage the secrets that lanes of this host may use",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(secretSetCommand(p), secretListCommand(p), secretDropCommand(p))
	return cmd
}

func secretSetCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "set NAME", Short: "store a secret, encrypted; its value is read from standard input or asked for",
		Example: "  pushlane secret set NPM_TOKEN < token.txt\n  pass show npm | pushlane secret set NPM_TOKEN",
		Args:    secretName,
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := p.secrets()
			if err != nil {
				return err
			}
			value, err := p.secretValue(args[0])
			if err == nil {
				err = st.Set(args[0], value)
			}
			if err != nil {
				return secretError("set", args[0], err)
			}
			fmt.Fprintf(p.out, "stored secret %s in %s\n", args[0], st.Dir)
			return nil
		},
	}
}

// secretName takes a name. A value on the command line is refused: other users of
// the machine could read it there.
func secretName(cmd *cobra.Command, args []string) error {
	if len(args) > 1 && cmd.Name() == "set" {
		return hintedUse(errors.New("the value of a secret is not an argument: other users can read the command line"),
			"give it on standard input: pushlane secret set NAME < FILE")
	}
	if err := exactly(1)(cmd, args); err != nil {
		return err
	}
	if err := secret.CheckName(args[0]); err != nil {
		return wrongUse(fmt.Errorf("cannot use the secret: %w", err))
	}
	return nil
}

// secretValue reads the value, from a terminal without showing it.
func (p *program) secretValue(name string) ([]byte, error) {
	if f, ok := p.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(p.err, "value of %s: ", name)
		value, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.err)
		return value, err
	}
	if p.in == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return bounded.ReadAll(p.in, secret.Max)
}

func secretError(verb, name string, err error) error {
	wrapped := fmt.Errorf("cannot %s secret %s: %w", verb, name, err)
	if hint := problem.Hint(err); hint != "" {
		return problem.WithHint(wrapped, hint)
	}
	return wrapped
}

// secrets is the store that the policy names.
func (p *program) secrets() (secret.Store, error) {
	policy, err := config.Load(p.getenv)
	return policy.SecretStore(), err
}

func secretListCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the names of the secrets", Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			st, err := p.secrets()
			if err != nil {
				return err
			}
			all, err := st.List()
			if err != nil {
				return fmt.Errorf("cannot list secrets: %w", err)
			}
			for _, e := range all {
				if e.Encrypted {
					fmt.Fprintln(p.out, e.Name)
					continue
				}
				fmt.Fprintf(p.out, "%s  not encrypted; encrypt it with: pushlane secret set %s < %s/%s\n", e.Name, e.Name, st.Dir,
					e.Name)
			}
			return nil
		},
	}
}

func secretDropCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "delete a secret", Args: secretName,
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := p.secrets()
			if err != nil {
				return err
			}
			err = st.Remove(args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return hintedUse(fmt.Errorf("cannot rm secret %s: there is none in %s", args[0], st.Dir), "see: pushlane secret ls")
			}
			if err != nil {
				return secretError("rm", args[0], err)
			}
			fmt.Fprintf(p.out, "deleted secret %s\n", args[0])
			return nil
		},
	}
}
