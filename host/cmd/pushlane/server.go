package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/hookclient"
)

// serverGates are the hooks of a guarded repository.
func (in installation) serverGates() []string {
	if in.perRef {
		return []string{"pre-receive", "proc-receive", "post-receive"}
	}
	return []string{"pre-receive", "post-receive"}
}

// installServer guards repositories: it installs the hooks, enables push options
// and registers the repositories in the store.
func (p *program) installServer(ctx context.Context, in installation, bin string, repos []string) error {
	policyFile, err := filepath.Abs(in.policy)
	if err != nil {
		return err
	}
	policy, err := config.LoadServer(p.serverEnv(policyFile))
	if err != nil {
		return err
	}
	args := append(hookclient.Args(bin), "--policy="+policyFile, "--state="+policy.State)
	if in.perRef {
		args = append(args, "--per-ref=1")
	}
	switch {
	case in.print != "" && !slices.Contains(in.serverGates(), in.print):
		return wrongUse(fmt.Errorf("cannot print the hook of %q: the hooks of a server are %s", in.print,
			strings.Join(in.serverGates(), ", ")))
	case in.print != "":
		fmt.Fprint(p.out, hooks.Script(in.print, bin, "", args...))
		return nil
	case len(repos) == 0:
		return wrongUse(errors.New("install --server needs the repositories to guard"))
	}
	h, err := host.Open(policy, 0)
	if err != nil {
		return err
	}
	defer h.Close(ctx)
	for _, repo := range repos {
		if err := p.guard(ctx, h, in, repo, hooks.InstallOptions{Gates: in.serverGates(), Bin: bin, Args: args}); err != nil {
			return fmt.Errorf("%s: %w", repo, err)
		}
	}
	return nil
}

func (p *program) guard(ctx context.Context, h *host.Host, in installation, repo string, o hooks.InstallOptions) error {
	dir, err := filepath.Abs(repo)
	if err != nil {
		return err
	}
	env := hooks.Env{Dir: dir, Getenv: p.getenv}
	lines, err := hooks.Install(ctx, env, o)
	p.lines(lines)
	if err != nil {
		return err
	}
	if err := hooks.SetConfig(ctx, env, "receive.advertisePushOptions", "true"); err != nil {
		return err
	}
	if in.perRef {
		if err := hooks.SetConfig(ctx, env, hooks.PerRefKey, hooks.PerRefValue); err != nil {
			return err
		}
	}
	name, err := h.Guard(ctx, env)
	if err == nil {
		fmt.Fprintf(p.out, "%s is guarded\n", name)
	}
	return err
}

// serverEnv is this process's environment with the policy file named.
func (p *program) serverEnv(policyFile string) func(string) string {
	return func(key string) string {
		if key == "PUSHLANE_CONFIG" {
			return policyFile
		}
		return p.getenv(key)
	}
}
