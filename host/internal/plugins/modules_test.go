package plugins

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
)

func moduleStore(t *testing.T) *Store {
	t.Helper()
	return New(t.TempDir(), nil)
}

func digestOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// A branch that brings a module without its signature leaves nothing behind
// that another run would find in place of the signed one.
func TestAModuleIsStoredOnceItWasChecked(t *testing.T) {
	t.Parallel()
	h := moduleStore(t)
	signers := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(signers, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	module := []byte("\x00asm unsigned")
	from := ModuleSource{Zone: zone.Zone{Repository: "/r"}, Tree: func(context.Context, string) (registry.Package, error) {
		return registry.Package{Module: module}, nil
	}}
	pinned := lanes.Locked{Name: "p", Source: "p.wasm", SHA256: digestOf(module), Signer: "ann@x"}
	_, _, err := h.PinnedModule(t.Context(), config.Policy{AllowedSigners: signers}, pinned, from)
	if err == nil || err.Error() != `cannot load plugin "p": it is not signed` {
		t.Errorf("unsigned: %v", err)
	}
	for _, folder := range h.moduleFolders(from.Zone) {
		if _, err := h.keptModule(folder, pinned.SHA256); err == nil {
			t.Errorf("it is stored in %s", folder)
		}
	}
	if _, _, err := h.PinnedModule(t.Context(), config.Policy{}, pinned, from); err != nil {
		t.Error(err)
	}
	protected := ModuleSource{Zone: zone.Zone{Repository: "/r", Trust: zone.Protected},
		Tree: func(context.Context, string) (registry.Package, error) {
			return registry.Package{}, errors.New("not asked from an unprotected store")
		}}
	if _, _, err := h.PinnedModule(t.Context(), config.Policy{}, pinned,
		protected); err == nil || !strings.Contains(err.Error(), "not asked") {
		t.Errorf("a protected run took what a branch stored: %v", err)
	}
}

// What is not a module, or not asked for in this zone, is told by no digest.
func TestNoMessageTellsAFile(t *testing.T) {
	t.Parallel()
	h := moduleStore(t)
	secret := []byte("4711")
	from := ModuleSource{Tree: func(context.Context, string) (registry.Package, error) {
		return registry.Package{Module: secret},
			nil
	}}
	for source, want := range map[string]string{
		"pin": `cannot load plugin "p": pin is not a WebAssembly module`,
		"https://example.org/p.wasm": `cannot load plugin "p": it is not on this host, and may not be fetched for this ` +
			`run (fetch_plugins, protected refs only)`,
		"oci:registry.example.org/p:1": `cannot load plugin "p": it is not on this host, and may not be fetched for this ` +
			`run (fetch_plugins, protected refs only)`,
	} {
		_, _, err := h.PinnedModule(t.Context(), config.Policy{},
			lanes.Locked{Name: "p", Source: source, SHA256: strings.Repeat("0", 64)}, from)
		if err == nil || err.Error() != want || strings.Contains(err.Error(), digestOf(secret)[:6]) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestModulesOfBranchesHaveABudget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, name := range []string{"old", "new", "newest"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().AddDate(0, 0, i-9)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := dropOldest(dir, 250); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 2 || left[0].Name() != "new" || left[1].Name() != "newest" {
		t.Errorf("left: %v", left)
	}
}
