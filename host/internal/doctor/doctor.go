// Package doctor looks at what pushlane needs on a machine, says what is missing
// and the command that helps, and tries every known attack on the sandbox.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/hostile"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/store"
)

// Checks checks everything a push depends on, in the order in which it would
// fail. What containers need is CheckIncus.
func Checks(ctx context.Context, h *host.Host, call gate.Call, policy config.Policy) []Check {
	checks := []Check{checkGit(ctx), checkPolicy(call)}
	checks = append(checks, checkFiles(policy)...)
	checks = append(checks, checkRepo(ctx, h, call, policy)...)
	checks = append(checks, checkPlugins(ctx, h, policy)...)
	checks = append(checks, checkSandbox(ctx, h))
	if _, err := h.Store(ctx); err != nil {
		checks = append(checks, bad("store", err, "check the folder "+h.State()))
	} else if err := h.Files().StoreLoss(); err != nil {
		checks = append(checks, bad("store", err, ""))
	} else {
		checks = append(checks, good("store", "%s", h.State()))
	}
	return checks
}

func checkGit(ctx context.Context) Check {
	out, err := exec.CommandContext(ctx, "git", "version").Output()
	if err != nil {
		return bad("git", fmt.Errorf("cannot run git: %w", err), "install git 2.28 or later")
	}
	return good("git", "%s", strings.TrimSpace(string(out)))
}

func checkPolicy(call gate.Call) Check {
	var read []string
	for _, name := range config.PolicyFiles(call.Getenv) {
		if _, err := os.Stat(name); err == nil {
			read = append(read, name)
		}
	}
	if len(read) == 0 {
		return good("policy", "no policy file; the defaults apply")
	}
	return good("policy", "%s", strings.Join(read, ", "))
}

// checkRepo looks at the hooks and the lanes of the repository at hand; none
// is no fault.
func checkRepo(ctx context.Context, h *host.Host, call gate.Call, policy config.Policy) []Check {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return []Check{bad("repo", err, "run doctor inside a repository")}
	}
	defer repo.Close()
	checks := checkHooks(ctx, h, call, repo)
	head, err := repo.Resolve(ctx, "HEAD")
	if err != nil {
		return append(checks, good("lanes", "no commit yet"))
	}
	if call, err = call.Aimed(ctx, repo); err != nil {
		return append(checks, bad("lanes", err, "see: git remote --verbose"))
	}
	by, err := gate.LocalLanes(ctx, repo, hooks.Update{Ref: call.Target.Ref, New: head, Old: hooks.ZeroID}, call, policy)
	if err != nil {
		return append(checks, bad("lanes", err, "fix the lanes file and commit it"))
	}
	checks = append(checks, good("lanes", "%s in %s", printable.Count(len(by.Set.Lanes), "lane"), by.Set.Source))
	lock, err := by.Lock(ctx, repo)
	if err != nil {
		return append(checks, bad("lanes", err, "fix the lock and commit it"))
	}
	return append(checks, checkImages(ctx, by.Set, lock, policy)...)
}

// checkHooks looks for the hooks that the repository at hand needs: a server's
// where it is guarded or bare, else a developer's.
func checkHooks(ctx context.Context, h *host.Host, call gate.Call, repo *hooks.Repo) []Check {
	all, err := hooks.Status(ctx, call.HooksEnv())
	if err != nil {
		return []Check{bad("hooks", err, "pushlane install")}
	}
	needed, hint := []string{"pre-push"}, "pushlane install"
	if server, args := guards(ctx, h, call, repo); server || slices.ContainsFunc(all, decides) {
		needed, hint = []string{"pre-receive", "post-receive"}, "pushlane install --server "+args+repo.CommonDir()
	}
	var checks []Check
	tried := false
	for _, s := range all {
		switch {
		case s.State == hooks.Installed && s.Kept != "":
			checks = append(checks, checkEarlier(s))
			tried = true
		case s.State == hooks.Installed:
			checks = append(checks, good("hooks", "%s: %s", s.Gate, s.State))
		case s.State == hooks.Stale:
			checks = append(checks, bad("hooks", fmt.Errorf("%s: %s", s.Gate,
				strings.TrimSuffix(s.Detail, "; run: pushlane install")), hint))
		case slices.Contains(needed, s.Gate):
			checks = append(checks, bad("hooks", fmt.Errorf("%s: %s", s.Gate, s.State), hint))
		}
	}
	if tried {
		checks = append(checks, tryEarlier(ctx, call, all))
	}
	return checks
}

// decides tells whether the gate is one of a server that pushlane judges at.
func decides(s hooks.HookStatus) bool { return s.Gate == "pre-receive" && s.Bin != "" }

// guards tells whether the repository is a server's: this host guards it, or
// no one can work in it. Args are what the hint's command needs.
func guards(ctx context.Context, h *host.Host, call gate.Call, repo *hooks.Repo) (server bool, args string) {
	if file := call.Getenv("PUSHLANE_CONFIG"); file != "" {
		args = "--policy " + file + " "
	}
	if st, err := h.Store(ctx); err == nil {
		known, err := st.Repositories().Known(ctx)
		if err == nil && slices.ContainsFunc(known, func(r store.Repository) bool {
			return r.Served &&
				r.Key == repo.CommonDir()
		}) {
			return true, args
		}
	}
	return repo.Bare(), args
}

// checkSandbox starts a plugin that does nothing, to see what holds it.
func checkSandbox(ctx context.Context, h *host.Host) Check {
	pool, err := h.Sandbox()
	if err == nil {
		_, err = pool.Load(ctx, "plain", hostile.Plain())
	}
	if err != nil {
		return bad("sandbox", err, "check the folder "+h.Cache())
	}
	if why := h.Unconfined(); why != "" {
		return bad("sandbox", errors.New(why), report.SealHint)
	}
	return good("sandbox", "plugins run in separate processes, confined by landlock and seccomp")
}

func checkPlugins(ctx context.Context, h *host.Host, policy config.Policy) []Check {
	files, _ := filepath.Glob(filepath.Join(policy.Plugins, "*.wasm"))
	if len(files) == 0 {
		return []Check{bad("plugins", fmt.Errorf("none in %s: %w", policy.Plugins, fs.ErrNotExist), "./install.sh")}
	}
	var checks []Check
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".wasm")
		m, err := h.Plugins().Load(ctx, policy, name)
		if err != nil {
			checks = append(checks, bad("plugins", err, "./install.sh"))
			continue
		}
		checks = append(checks, good("plugins", "%s %s, sha256 %s", name, m.Manifest().Version, printable.Short(m.Digest())))
	}
	return checks
}
