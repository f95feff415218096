package host

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/report"
)

// TestHammer judges many pushes at once in one host, as a resident does: every
// one gets its own verdict, number and words.
func TestHammer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := append(os.Environ(), "HOME="+dir, "PUSHLANE_CONFIG=/dev/null", "PUSHLANE_STATE="+filepath.Join(dir, "state"),
		"XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "PUSHLANE_PLUGINS="+buildFiles(t, dir), "GIT_CONFIG_NOSYSTEM=1")
	work := filepath.Join(dir, "work")
	git(t, dir, env, "init", "-q", "-b", "main", work)
	write(t, work, "lanes.toml",
		"version = 1\n[groups.g]\nlimit = 1\n[[lane]]\nid = \"a\"\nplugin = \"files\"\nconcurrency_group = \"g\"\n"+
			"[[lane]]\nid = \"b\"\nplugin = \"files\"\nneeds = [\"a\"]\n")
	base := commit(t, work, env, "base")
	write(t, work, "note", "fine\n")
	good := commit(t, work, env, "good")
	write(t, work, "note", "<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n")
	bad := commit(t, work, env, "bad")

	policy, err := config.Load(gate.Call{Env: env}.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(policy, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	h.program = buildChild(t)
	var all sync.WaitGroup
	numbers := make([]string, 24)
	for i := range numbers {
		all.Go(func() {
			tip, exit, word := good, gate.ExitAccept, "accepted"
			if i%2 == 1 {
				tip, exit, word = bad, gate.ExitRefuse, `refused: lane "a" failed, lane "b" needs "a", which failed`
			}
			var said bytes.Buffer
			call := gate.Call{Gate: "pre-push", Args: []string{"", ""}, Dir: work, Env: env,
				Stdin: fmt.Appendf(nil, "refs/heads/main %s refs/heads/b%d %s\n", tip, i, base)}
			if code := h.Judge(t.Context(), call, report.Output{Out: &said, Err: &said}); code != exit ||
				!strings.Contains(said.String(), word) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, exit, word, said.String())
			}
			numbers[i] = said.String()[strings.LastIndex(said.String(), "#"):]
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, n := range numbers {
		if seen[n] {
			t.Errorf("two runs are called %q", n)
		}
		seen[n] = true
	}
}

// buildChild builds a program that runs plugins; this one is a test.
func buildChild(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "child")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program,
		"./cmd/pushlane-plugin").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// buildFiles builds the plugin files into a separate folder.
func buildFiles(t *testing.T, dir string) string {
	t.Helper()
	raw, folder := filepath.Join(dir, "raw"), filepath.Join(dir, "plugins")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", raw, "../plugins/files")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	module, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("../plugins/files/manifest.toml")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := plugins.Pack(module, manifest)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, "files.wasm", string(packed))
	return folder
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(env, "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T",
		"GIT_COMMITTER_EMAIL=t@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func commit(t *testing.T, work string, env []string, message string) string {
	t.Helper()
	git(t, work, env, "add", "-A")
	git(t, work, env, "commit", "-q", "-m", message)
	return git(t, work, env, "rev-parse", "HEAD")
}
