package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pushlane/pushlane/host/internal/ship"
)

func TestFilesThatOthersMayWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	getenv := func(path string) func(string) string {
		return func(key string) string { return map[string]string{"PUSHLANE_CONFIG": path, "HOME": dir}[key] }
	}
	policy, signers, module := file("policy.toml", 0o666), file("signers", 0o664), file("look.wasm", 0o646)
	for want, use := range map[string]func() error{
		"cannot use policy " + policy + ": others may write it (mode 0666)": func() error {
			_, err := LoadServerPolicy(getenv(policy))
			return err
		},
		"cannot use allowed signers " + signers + ": others may write it (mode 0664)": func() error {
			_, err := signerOf(Policy{AllowedSigners: signers}, ship.Package{Signatures: []ship.Signature{{Kind: ship.SSH}}})
			return err
		},
		"cannot use plugin " + module + ": others may write it (mode 0646)": func() error {
			_, err := (&Host{plugins: map[string]*plugin{}}).plugin(t.Context(), Policy{Plugins: dir}, "look")
			return err
		},
	} {
		if err := use(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := LoadServerPolicy(getenv(file("good.toml", 0o644))); err != nil {
		t.Error(err)
	}
}
