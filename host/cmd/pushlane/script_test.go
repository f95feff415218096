package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// prefix is where TestMain installs the programs and plugins, laid out as
// install.sh does. Written once before the tests, then only read.
var prefix string

// TestMain builds the real programs and the real plugins: the scripts run what
// a user runs, hooks and all.
func TestMain(m *testing.M) {
	if os.Getenv("ASK_SOCKET") != "" { // the other process of a test: it needs no programs
		os.Exit(m.Run())
	}
	if os.Getenv(oldKernel) != "" {
		withoutProtections(os.Args[1:])
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "pushlane-script-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		prefix = dir
		if err := buildAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func buildAll(prefix string) error {
	bin, plugins := filepath.Join(prefix, "bin"), filepath.Join(prefix, "lib", "pushlane", "plugins")
	for _, dir := range []string{bin, plugins} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	asInstalled := []string{"CGO_ENABLED=0"} // as install.sh builds them
	if err := tool(asInstalled, "go", "build", "-o", bin+"/", ".", "../pushlane-hook", "../pushlane-plugin"); err != nil {
		return err
	}
	manifests, err := filepath.Glob("../../../plugins/*/manifest.toml")
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		name := filepath.Base(filepath.Dir(manifest))
		if err := buildPlugin(prefix, "plugins/"+name, "plugins/"+name+"/manifest.toml", name); err != nil {
			return err
		}
	}
	// constant: it wants nothing of what a push changes
	for name, folder := range map[string]string{"probe": "probe", "constant": "probe", "grep": "grep",
		"refguard": "refguard"} {
		if err := buildPlugin(prefix, "testdata/plugins/"+folder, "testdata/plugins/"+folder+"/"+name+".toml",
			name); err != nil {
			return err
		}
	}
	return buildHostile(prefix)
}

// buildHostile builds the guests that mean harm as plugins of their own names.
func buildHostile(prefix string) error {
	manifest := filepath.Join(prefix, "hostile.toml")
	text := "name = \"hostile\"\nversion = \"1\"\nabi = 1\noutput = \"jsonl\"\n[[capabilities]]\nname = \"repo.read\"\n" +
		"why = \"harm\"\n"
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		return err
	}
	for _, name := range []string{"trap", "spin", "floodlog", "floodout", "garbage", "eat", "sleep", "escape"} {
		if err := buildPlugin(prefix, "testdata/hostile/"+name, manifest, name); err != nil {
			return err
		}
	}
	return nil
}

// buildPlugin builds a folder of the repository into <prefix>'s plugins.
func buildPlugin(prefix, folder, manifest, name string) error {
	top := filepath.Join("..", "..", "..")
	raw := filepath.Join(prefix, name+".raw")
	if err := tool([]string{"GOOS=wasip1", "GOARCH=wasm"}, "go", "build", "-o", raw,
		filepath.Join(top, folder)); err != nil {
		return err
	}
	if !filepath.IsAbs(manifest) {
		manifest = filepath.Join(top, manifest)
	}
	return packPlugin(manifest, raw, filepath.Join(prefix, "lib", "pushlane", "plugins", name+".wasm"))
}

func tool(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	incus := incusHere(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "../../../testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			env.Setenv("PATH", filepath.Join(prefix, "bin")+":"+env.Getenv("PATH"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(prefix, "cache"))
			env.Setenv("PUSHLANE_CONFIG", filepath.Join(env.WorkDir, "config.toml"))
			env.Setenv("PUSHLANE_RESIDENT", "off")
			env.Setenv("PLUGINS", filepath.Join(prefix, "lib", "pushlane", "plugins"))
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("USER", "tester")
			config := "[user]\nname = Tester\nemail = tester@example.org\n[init]\ndefaultBranch = main\n[advice]\n" +
				"pushUpdateRejected = false\n"
			if err := os.MkdirAll(home, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(env.WorkDir, "config.toml"), append([]byte(cacheKey()), incusConfig()...),
				0o644); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(config), 0o644)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "incus" {
				return incus, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// cacheKey shares the compiled plugins with gates of servers, which look
// nowhere but in the policy.
func cacheKey() string { return fmt.Sprintf("cache = %q\n", filepath.Join(prefix, "cache")) }

// incusConfig is this machine's own policy, so that the scripts use the
// project and pool that install.sh made.
func incusConfig() []byte {
	data, err := os.ReadFile("/etc/pushlane/config.toml")
	if err != nil {
		return nil
	}
	return data
}

// incusHere says whether a real Incus with the test image answers. Without
// one the tests that need it are skipped aloud, or fail where they must run.
func incusHere(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command(filepath.Join(prefix, "bin", "pushlane"), "doctor", "--incus", "--image",
		"busybox").CombinedOutput()
	if err == nil {
		return true
	}
	if os.Getenv("PUSHLANE_REQUIRE_INCUS") != "" {
		t.Fatalf("Incus is required here and does not answer:\n%s", out)
	}
	t.Logf("SKIPPED: every test that needs a container; Incus does not answer:\n%s", out)
	fmt.Fprintln(os.Stderr, "SKIPPED: the tests that need Incus; install it with ./install.sh")
	return false
}
