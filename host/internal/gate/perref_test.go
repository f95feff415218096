package gate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// TestAnswersPerRef: a repository that says that it answers per ref, and would not ask about every ref, is a gate that
// is broken, not one that answers for the whole push.
func TestAnswersPerRef(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	bin := filepath.Join(t.TempDir(), "pushlane-hook")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	const hint = "; hint: pushlane install --server --per-ref REPO.git"
	both := []string{"pre-receive", "proc-receive"}
	for name, c := range map[string]struct {
		gates  []string
		values []string // of the key
		gate   string
		marked bool // the hook says that it was installed with --per-ref
		spoil  func(t *testing.T, g *guarded)
		want   string
	}{
		"installed so":              {both, []string{"refs"}, "pre-receive", true, nil, "yes"},
		"not installed so":          {both[:1], nil, "pre-receive", false, nil, "no"},
		"whatever git asks, not so": {both, []string{"refs"}, "pre-receive", false, nil, "no"},
		"after the push":            {both, []string{"refs"}, "post-receive", true, nil, "no"},
		"before a push":             {both, []string{"refs"}, "pre-push", true, nil, "no"},
		"without the hook that says": {both[:1], []string{"refs"}, "pre-receive", true, nil,
			"cannot decide per ref: the proc-receive hook is not installed" + hint},
		"another's hook": {both[:1], []string{"refs"}, "pre-receive", true, func(t *testing.T, g *guarded) {
			if err := os.WriteFile(filepath.Join(g.dir, "hooks", "proc-receive"), []byte("#!/bin/sh\n"),
				0o700); err != nil {
				t.Fatal(err)
			}
		}, "cannot decide per ref: the proc-receive hook is foreign" + hint},
		"a hook that git passes over": {both, []string{"refs"}, "pre-receive", true, func(t *testing.T, g *guarded) {
			if err := os.Chmod(filepath.Join(g.dir, "hooks", "proc-receive"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "cannot decide per ref: the proc-receive hook is stale" + hint},
		"asked about nothing": {both, nil, "pre-receive", true, nil,
			`cannot decide per ref: receive.procReceiveRefs is [], want "refs"` + hint},
		"asked about branches": {both, []string{"refs/heads"}, "pre-receive", true, nil,
			`cannot decide per ref: receive.procReceiveRefs is ["refs/heads"], want "refs"` + hint},
		"asked about all but some": {both, []string{"refs", "!refs/heads/main"}, "pre-receive", true, nil,
			`cannot decide per ref: receive.procReceiveRefs is ["refs" "!refs/heads/main"], want "refs"` + hint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, "main=one")
			call := g.call(c.gate)
			if _, err := hooks.Install(t.Context(), call.HooksEnv(), hooks.InstallOptions{Gates: c.gates,
				Bin: bin}); err != nil {
				t.Fatal(err)
			}
			for _, value := range c.values {
				git(t, g.dir, g.env, "config", "--add", hooks.PerRefKey, value)
			}
			if c.marked {
				call.Env = append(call.Env, "PUSHLANE_PER_REF=1")
			}
			if c.spoil != nil {
				c.spoil(t, g)
			}
			yes, err := call.AnswersPerRef(t.Context())
			got := map[bool]string{true: "yes", false: "no"}[yes]
			if err != nil {
				got = err.Error() + "; hint: " + problem.Hint(err)
			}
			if got != c.want || yes && err != nil {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
