package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLanguages does what an author does on the first day, in every language
// whose compiler is here: a new plugin, built, packed, held to the contract,
// its case run. C and Rust are written from the contract alone.
func TestLanguages(t *testing.T) {
	t.Parallel()
	for lang, needs := range map[string][]string{"c": {"clang"}, "rust": {"/usr/bin/rustc"},
		"assemblyscript": {"npm", "node"}} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			for _, program := range needs {
				if _, err := exec.LookPath(program); err != nil {
					if os.Getenv("PUSHLANE_REQUIRE_TOOLS") != "" {
						t.Fatal(err)
					}
					t.Skipf("SKIPPED: %s is not installed", program)
				}
			}
			dir := t.TempDir()
			env := []string{"HOME=" + dir, "RUSTC=/usr/bin/rustc", "PUSHLANE_CONFIG=" + filepath.Join(dir, "none"),
				"XDG_CACHE_HOME=" + filepath.Join(prefix, "cache")}
			must(t, dir, env, pushlaneBin(), "plugin", "new", "fixme", "--lang", lang)
			work := filepath.Join(dir, "fixme")
			must(t, work, env, "sh", "build.sh")
			must(t, work, env, pushlaneBin(), "plugin", "pack", "plugin.wasm", "fixme.wasm")
			if out := must(t, work, env, pushlaneBin(), "plugin", "check", "fixme.wasm"); !strings.Contains(out,
				"ok    fixme follows the contract, ABI 1") {
				t.Errorf("the contract:\n%s", out)
			}
			if out := must(t, work, env, pushlaneBin(), "plugin", "test", "fixme.wasm"); out != "ok    fixme (wasm)\n" {
				t.Errorf("its case:\n%s", out)
			}
		})
	}
}
