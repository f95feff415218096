package gate

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
)

// TestThroughLinks: what a name leads to, over links in a row, out of the tree
// and in circles.
func TestThroughLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git(t, "", os.Environ(), "init", "-q", "-b", "main", dir)
	for _, file := range []string{"docs/a", "docs/sub/a", "other/a", "v1/docs/a", "in/a"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"deploy": "docs", "docs/out": "../other", "current": "./v1", "web": "current/docs", "loop": "pool",
		"pool": "loop",
		"up":   "../../etc", "root": "/etc", "none": "nowhere/x", "in/all": "..", "file": "docs/a",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	id := commit(t, dir, os.Environ(), "links")
	repo, err := hooks.Open(t.Context(), hooks.Env{Dir: dir, Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	tree, err := repo.Tree(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"docs": "", "docs/sub": "", "missing/x": "", "docs/a/below": "",
		"deploy":         "deploy docs",
		"deploy/sub":     "deploy docs/sub",
		"deploy/missing": "deploy docs/missing",
		"deploy/out/x":   "deploy docs/out other/x",
		"web":            "web current v1/docs",
		"file":           "file docs/a",
		"none":           "none nowhere/x",
		"up":             "up",
		"root/passwd":    "root",
		"in/all":         "in/all .",
		"in/all/docs":    "in/all docs",
	} {
		places, err := throughLinks(tree, name)
		if got := strings.Join(places, " "); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	places, err := throughLinks(tree, "loop")
	if err != nil || len(places) != maxLinkHops+1 || !slices.Contains(places, "pool") {
		t.Errorf("a circle: %d places, %v", len(places), err)
	}
}

func git(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, append(env, "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org",
		"GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func commit(t *testing.T, work string, env []string, message string) string {
	t.Helper()
	git(t, work, env, "add", "-A")
	git(t, work, env, "commit", "-qm", message)
	return git(t, work, env, "rev-parse", "HEAD")
}
