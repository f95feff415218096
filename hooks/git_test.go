package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// gitRepo is a real repository in a temporary folder, with git's own
// configuration kept out.
type gitRepo struct {
	t   testing.TB
	dir string
	env []string
}

// isolated is an environment in which no configuration of the machine's user
// counts.
func isolated(t testing.TB) []string {
	home := t.TempDir()
	global := filepath.Join(home, "gitconfig")
	text := "[user]\n\tname = Ann\n\temail = ann@example.org\n[init]\n\tdefaultBranch = main\n" +
		"[protocol \"file\"]\n\tallow = always\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n" +
		"[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[advice]\n\tdetachedHead = false\n"
	if err := os.WriteFile(global, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_GLOBAL=" + global, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000", "LC_ALL=C",
		"TMPDIR=" + t.TempDir(),
	}
}

func newRepo(t testing.TB, args ...string) *gitRepo {
	t.Helper()
	g := &gitRepo{t: t, dir: filepath.Join(t.TempDir(), "work"), env: isolated(t)}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.git(append([]string{"init", "-q"}, args...)...)
	return g
}

// in is the same environment in another folder.
func (g *gitRepo) in(dir string) *gitRepo {
	return &gitRepo{t: g.t, dir: dir, env: g.env}
}

// with is the same folder with more variables set.
func (g *gitRepo) with(env ...string) *gitRepo {
	return &gitRepo{t: g.t, dir: g.dir, env: append(append([]string{}, g.env...), env...)}
}

func (g *gitRepo) try(stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = g.dir, g.env, strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSuffix(string(out), "\n"), err
}

func (g *gitRepo) git(args ...string) string {
	g.t.Helper()
	return g.gitIn("", args...)
}

func (g *gitRepo) gitIn(stdin string, args ...string) string {
	g.t.Helper()
	out, err := g.try(stdin, args...)
	if err != nil {
		g.t.Fatal(err)
	}
	return out
}

func (g *gitRepo) write(name, text string) {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// commit makes a commit that writes one file, and returns its id.
func (g *gitRepo) commit(name, text string) string {
	g.t.Helper()
	g.write(name, text)
	g.git("add", "-A")
	g.git("commit", "-q", "--allow-empty", "-m", "change "+name)
	return g.git("rev-parse", "HEAD")
}

func (g *gitRepo) hook(dir, name, text string) {
	g.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		g.t.Fatal(err)
	}
}

// hookEnv is the environment a hook in this repository would see.
func (g *gitRepo) hookEnv() Env {
	vars := make(map[string]string)
	for _, v := range g.env {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	return Env{Dir: g.dir, Getenv: func(name string) string { return vars[name] }}
}

func (g *gitRepo) open() *Repo {
	g.t.Helper()
	r, err := Open(context.Background(), g.hookEnv())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { r.Close() })
	return r
}

func paths(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Status+" "+c.Path)
	}
	return out
}

func sameText(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got: %s\nwant: %s", what, got, want)
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

type hashT = plumbing.Hash

func hash(id string) hashT { return plumbing.NewHash(id) }
