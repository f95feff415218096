package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/lanes"
)

// lockCommands change and list the third-party plugins of a repository.
func lockCommands(p *program) []*cobra.Command {
	return []*cobra.Command{addCommand(p), updateCommand(p), approveCommand(p), removeCommand(p), listCommand(p),
		verifyCommand(p), auditCommand(p),
		pushPluginCommand(p), signCommand(p), fetchCommand(p)}
}

// locked is a command on the work tree's lanes.lock and this user's host.
func (p *program) locked(do func(cmd *cobra.Command, args []string, h *host.Host, policy config.Policy,
	lock plugins.LockFile) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		h, policy, err := p.host()
		if err != nil {
			return err
		}
		defer h.Close(cmd.Context())
		lock, err := plugins.OpenLock(cmd.Context(), p.call("manual"))
		if err != nil {
			return err
		}
		return do(cmd, args, h, policy, lock)
	}
}

// agree asks the user to confirm, unless --yes was given.
func (p *program) agree(yes bool, question string) error {
	if yes {
		return nil
	}
	if !p.terminal.Live {
		return hintedUse(fmt.Errorf("cannot ask %q: there is no terminal", question),
			"run the command again with --yes to agree")
	}
	fmt.Fprintf(p.err, "%s [y/N] ", question)
	line, _ := bufio.NewReader(p.in).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return wrongUse(fmt.Errorf("cancelled at %q", question))
	}
	return nil
}

func addCommand(p *program) *cobra.Command {
	var name string
	var yes bool
	cmd := &cobra.Command{
		Use: "add SOURCE", Short: "add a third-party plugin to lanes.lock", Args: exactly(1),
		Long: `add fetches a plugin, shows the permissions that it requests and who signed it, and pins
exactly this module with these permissions in lanes.lock. SOURCE is oci:HOST/NAME:TAG,
an https address, or a path. A path that begins with ./ is relative to lanes.lock, and
the module is committed with it.`,
		Example: "  pushlane plugin add oci:registry.example.org/team/look:1",
		RunE: p.locked(func(cmd *cobra.Command, args []string, h *host.Host, policy config.Policy,
			lock plugins.LockFile) error {
			o, err := h.Plugins().Offer(cmd.Context(), policy, lock, args[0], name)
			if err != nil {
				return err
			}
			if _, known := lock.Find(o.Name); known {
				return hintedUse(fmt.Errorf("cannot add plugin %q: it is already in %s", o.Name, lock.Path),
					"pushlane plugin update "+o.Name)
			}
			o.Describe(p.out)
			if err := p.agree(yes, "add it?"); err != nil {
				return err
			}
			if err := h.Plugins().Take(o); err != nil {
				return err
			}
			lock.Put(o.Locked)
			fmt.Fprintf(p.out, "added to %s; a lane uses it with: plugin = %q\n", lock.Path, o.Name)
			return lock.Save()
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the plugin in lanes; default: the name in its manifest")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func updateCommand(p *program) *cobra.Command {
	var older bool
	cmd := &cobra.Command{
		Use: "update [NAME]", Short: "update pinned plugins to newer versions", Args: atMostOne,
		Long: `update fetches every pinned plugin, or one of them, from its source again. A newer version
that requests no further permissions is pinned at once. A version is held back if it is
not clearly newer, requests more permissions, rejects the settings of a lane, or is signed
by another signer or key. The pinned version then stays in use until you approve the new
one with "pushlane plugin approve NAME". Exit status 1: a version is held back.`,
		RunE: p.locked(func(cmd *cobra.Command, args []string, h *host.Host, policy config.Policy,
			lock plugins.LockFile) error {
			all, err := wanted(lock, args)
			if err != nil {
				return err
			}
			var failed error
			for _, pinned := range all {
				now, err := p.update(cmd.Context(), h, policy, lock, h.Plugins().OwnVersion(pinned), older)
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("cannot update plugin %q: %w", pinned.Name, err))
					continue
				}
				lock.Put(now)
			}
			return errors.Join(failed, lock.Save())
		}),
	}
	cmd.Flags().BoolVar(&older, "allow-downgrade", false, "accept a version that is older, or not clearly newer")
	return cmd
}

// update fetches the newest version of one plugin and prints the outcome.
func (p *program) update(ctx context.Context, h *host.Host, policy config.Policy, lock plugins.LockFile,
	pinned lanes.Locked, older bool) (lanes.Locked, error) {
	o, err := h.Plugins().Offer(ctx, policy, lock, pinned.Source, pinned.Name)
	if err != nil {
		return pinned, err
	}
	refused, err := o.RefusedSettings(lock)
	if err != nil {
		return pinned, err
	}
	if err := h.Plugins().Take(o); err != nil {
		return pinned, err
	}
	now, lines, held := plugins.Update(pinned, o, refused, older)
	for _, line := range lines {
		fmt.Fprintln(p.out, line)
	}
	if held {
		fmt.Fprintf(p.out, "approve it with: pushlane plugin approve %s\n", pinned.Name)
		p.exit = gate.ExitRefuse
	}
	return now, nil
}

// wanted returns the named plugin, or all.
func wanted(lock plugins.LockFile, names []string) ([]lanes.Locked, error) {
	if len(names) == 0 {
		return slices.Clone(lock.Plugins), nil
	}
	one, found := lock.Find(names[0])
	if !found {
		return nil, hintedUse(fmt.Errorf("cannot find plugin %q in %s", names[0], lock.Path), "pushlane plugin ls")
	}
	return []lanes.Locked{one}, nil
}

func approveCommand(p *program) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "approve NAME", Short: "pin a version that is held back, with its permissions", Args: exactly(1),
		RunE: p.locked(func(_ *cobra.Command, args []string, h *host.Host, _ config.Policy, lock plugins.LockFile) error {
			all, err := wanted(lock, args)
			if err != nil {
				return err
			}
			now, lines, err := plugins.Approve(h.Plugins().OwnVersion(all[0]))
			if err != nil {
				return err
			}
			for _, line := range lines {
				fmt.Fprintln(p.out, line)
			}
			if err := p.agree(yes, "approve it?"); err != nil {
				return err
			}
			lock.Put(now)
			return lock.Save()
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func removeCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "remove a plugin from lanes.lock", Args: exactly(1),
		RunE: p.locked(func(_ *cobra.Command, args []string, _ *host.Host, _ config.Policy, lock plugins.LockFile) error {
			if _, err := wanted(lock, args); err != nil {
				return err
			}
			lock.Drop(args[0])
			return lock.Save()
		}),
	}
}

func listCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the plugins that lanes can use", Args: exactly(0),
		RunE: p.locked(func(_ *cobra.Command, _ []string, h *host.Host, policy config.Policy, lock plugins.LockFile) error {
			return h.Plugins().ListPlugins(p.out, policy, lock)
		}),
	}
}

func verifyCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "verify [NAME]", Short: "check pinned plugins as a push would: module, signature, capabilities", Args: atMostOne,
		RunE: p.locked(func(cmd *cobra.Command, args []string, h *host.Host, policy config.Policy,
			lock plugins.LockFile) error {
			all, err := wanted(lock, args)
			for _, pinned := range all {
				signer, err := h.Plugins().VerifyPlugin(cmd.Context(), policy, lock, pinned)
				if err != nil {
					return err
				}
				line := fmt.Sprintf("ok    %s %s", pinned.Name, pinned.SHA256)
				if signer != "" {
					line += ", signed by " + printable.Clean(signer)
				}
				fmt.Fprintln(p.out, line)
			}
			return err
		}),
	}
}

func auditCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "audit", Short: "list what to review about the pinned plugins", Args: exactly(0),
		Long: `audit checks every pinned plugin. It lists plugins that are unsigned, held back or
unused, and permissions that a lane grants although the plugin does not request them.
Exit status 1: there is something to review.`,
		RunE: p.locked(func(cmd *cobra.Command, _ []string, h *host.Host, policy config.Policy, lock plugins.LockFile) error {
			lines, err := h.Plugins().Audit(cmd.Context(), p.call("manual"), policy, lock)
			for _, line := range lines {
				fmt.Fprintln(p.out, line)
				p.exit = gate.ExitRefuse
			}
			if err == nil && len(lines) == 0 {
				fmt.Fprintln(p.out, "nothing to review")
			}
			return err
		}),
	}
}

func pushPluginCommand(p *program) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use: "push FILE.wasm TO", Short: "publish a plugin to an OCI registry or a folder", Args: exactly(2),
		Example: "  pushlane plugin push todo.wasm oci:registry.example.org/lanes/todo:1.2 --sign ~/.ssh/id_ed25519",
		RunE: func(cmd *cobra.Command, args []string) error {
			h, _, err := p.host()
			if err != nil {
				return err
			}
			defer h.Close(cmd.Context())
			at, err := h.Plugins().PushPlugin(cmd.Context(), args[0], args[1], key)
			if err == nil {
				fmt.Fprintln(p.out, at)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&key, "sign", "", "sign with the SSH private key `FILE`")
	return cmd
}

func signCommand(p *program) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use: "sign FILE.wasm", Short: "write FILE.wasm.sig, as ssh-keygen -Y sign -n pushlane-plugin would", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := plugins.Sign(args[0], key)
			if err == nil {
				fmt.Fprintln(p.out, file)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "SSH private key `FILE`")
	_ = cmd.MarkFlagRequired("key")
	return cmd
}

func fetchCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "fetch SOURCE", Short: "store a plugin on this host, for lanes.lock files that pin it", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, _, err := p.host()
			if err != nil {
				return err
			}
			defer h.Close(cmd.Context())
			digest, err := h.Plugins().FetchPlugin(cmd.Context(), args[0])
			if err == nil {
				fmt.Fprintln(p.out, digest)
			}
			return err
		},
	}
}
