package nix_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const lanesFile = `version = 1

[[lane]]
id = "inside"
plugin = "shell"
[lane.with]
run = '''
test "$(id -u)" = 1000
grep -q 'made by Nix' greeting.txt
echo changed >greeting.txt
'''
[lane.grant]
container = true

[[lane]]
id = "refuses"
plugin = "shell"
[lane.with]
run = "echo no such luck; exit 7"
[lane.grant]
container = true
`

// world is an installed pushlane whose policy allows one image, and a
// repository with a lanes file.
type world struct {
	t      *testing.T
	dir    string
	env    []string
	binary string
}

func newWorld(t *testing.T, s *space, fingerprint string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.binary = filepath.Join(w.dir, "bin", "pushlane")
	config := fmt.Sprintf("[incus]\nproject = %q\npool = %q\nimages = [%q]\n", s.name, s.name, fingerprint)
	for name, text := range map[string]string{"config.toml": config, "repo/.pushlane/lanes.toml": lanesFile,
		"repo/greeting.txt": "made by Nix\n"} {
		path := filepath.Join(w.dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.install()
	w.env = append(os.Environ(), "HOME="+w.dir, "XDG_CACHE_HOME="+w.dir+"/cache", "XDG_STATE_HOME=",
		"PUSHLANE_STATE="+w.dir+"/state",
		"PUSHLANE_CONFIG="+w.dir+"/config.toml", "PUSHLANE_RESIDENT=off", "GIT_CONFIG_NOSYSTEM=1")
	w.must(w.dir+"/repo", "git", "init", "-q")
	w.must(w.dir+"/repo", "git", "add", ".")
	w.must(w.dir+"/repo", "git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "start")
	return w
}

// install builds what package.nix builds, the way it does.
func (w *world) install() {
	w.t.Helper()
	raw, packed := filepath.Join(w.dir, "shell.raw"), filepath.Join(w.dir, "lib", "pushlane", "plugins", "shell.wasm")
	os.MkdirAll(filepath.Dir(packed), 0o755)
	w.must("..", "go", "build", "-o", w.binary, "./host/cmd/pushlane")
	w.must("..", "env", "GOOS=wasip1", "GOARCH=wasm", "go", "build", "-o", raw, "./plugins/shell")
	w.must("..", w.binary, "plugin", "pack", "--manifest", "plugins/shell/manifest.toml", raw, packed)
}

func (w *world) command(dir, name string, args ...string) (string, int) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, w.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (w *world) must(dir, name string, args ...string) {
	w.t.Helper()
	if out, code := w.command(dir, name, args...); code != 0 {
		w.t.Fatalf("%s %s: exit status %d\n%s", name, strings.Join(args, " "), code, out)
	}
}

func TestLaneRunsInTheImage(t *testing.T) {
	needIncus(t)
	image := newMachine(t).build("image")
	s := newSpace(t, image)
	w := newWorld(t, s, fingerprint(t, image)) // pinned
	for _, c := range []struct {
		says, lane string
		exit       int
		words      string
	}{
		{"a lane that holds is let through", "inside", 0, "inside"},
		{"a lane that fails is refused with its output", "refuses", 1, "no such luck"},
	} {
		out, code := w.command(w.dir+"/repo", w.binary, "run", "--lane", c.lane)
		if code != c.exit || !strings.Contains(out, c.words) {
			t.Errorf("%s: exit status %d, want %d with %q:\n%s", c.says, code, c.exit, c.words, out)
		}
	}
	if left := s.in("list", "-f", "csv", "-c", "n"); left != "" {
		t.Errorf("containers stayed behind: %s", left)
	}
}
