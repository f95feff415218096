package plugins

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// inTree is a judged tree that has one module, or fails.
func inTree(module []byte, err error, signatures ...registry.Signature) ModuleSource {
	return ModuleSource{Zone: zone.Zone{Repository: "/r", Trust: zone.Protected},
		Tree: func(_ context.Context, name string) (registry.Package, error) {
			if name != "look.wasm" {
				return registry.Package{}, errors.New("no file " + name)
			}
			return registry.Package{Module: module, Signatures: signatures}, err
		}}
}

// TestFindModule: a module is the very one that is pinned, found where its lock says and this run may look.
func TestFindModule(t *testing.T) {
	t.Parallel()
	module := []byte("\x00asm a module")
	digest := digestOf(module)
	zeros := strings.Repeat("0", 64)
	const fetch = `cannot load plugin "look": it is not on this host, and may not be fetched for this run ` +
		`(fetch_plugins, ` +
		`protected refs only); hint: its owner can store it here: pushlane plugin fetch `
	for name, c := range map[string]struct {
		pinned lanes.Locked
		from   ModuleSource
		want   string // the refusal; "": it is found
	}{
		"in the tree": {lanes.Locked{Source: "look.wasm", SHA256: digest}, inTree(module, nil), ""},
		"where it was found": {lanes.Locked{Source: "https://x/y", Resolved: "look.wasm", SHA256: digest}, inTree(module,
			nil), ""},
		"another module": {lanes.Locked{Source: "look.wasm", SHA256: zeros}, inTree(module, nil),
			`cannot load plugin "look": look.wasm is now sha256 ` + digest[:12] + `, and 000000000000 is pinned; hint: ` +
				`to accept this update: pushlane plugin update look`},
		"a digest in capitals": {lanes.Locked{Source: "look.wasm", SHA256: strings.ToUpper(digest)}, inTree(module, nil),
			`cannot load plugin "look": look.wasm is now sha256 ` + digest[:12] + `, and ` + strings.ToUpper(digest[:12]) +
				` is pinned; hint: to accept this update: pushlane plugin update look`},
		"not a module": {lanes.Locked{Source: "look.wasm", SHA256: digestOf([]byte("x"))}, inTree([]byte("x"), nil),
			`cannot load plugin "look": look.wasm is not a WebAssembly module; hint: `},
		"not in the tree": {lanes.Locked{Source: "other.wasm", SHA256: digest}, inTree(module, nil),
			`cannot load plugin "look": no file other.wasm; hint: `},
		"a tree that fails": {lanes.Locked{Source: "look.wasm", SHA256: digest}, inTree(nil, errors.New("it is damaged")),
			`cannot load plugin "look": it is damaged; hint: `},
		"a source that is none": {lanes.Locked{Source: "ftp://x/y", SHA256: digest}, inTree(module, nil),
			`cannot load plugin "look": "ftp://x/y" is not a source: write oci:HOST/NAME:TAG, an https address or a path; ` +
				`hint: `},
		"an address, not to be asked": {lanes.Locked{Source: "https://x.example/y.wasm", SHA256: digest},
			inTree(module, nil), fetch + "https://x.example/y.wasm"},
		"a registry, not to be asked": {lanes.Locked{Source: "oci:x.example/y", SHA256: digest}, inTree(module, nil),
			fetch + "oci:x.example/y:latest"},
	} {
		c.pinned.Name = "look"
		pack, signer, err := moduleStore(t).PinnedModule(t.Context(), config.Policy{}, c.pinned, c.from)
		got := ""
		if err != nil {
			got = err.Error() + "; hint: " + problem.Hint(err)
		}
		if got != c.want || signer != "" || (pack.Digest() == digest) != (c.want == "") {
			t.Errorf("%s\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestStoredModules: a stored module counts by its bytes and by signatures that count today; else it is looked for
// anew.
func TestStoredModules(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	pinned := lanes.Locked{Name: "look", Source: "look.wasm", SHA256: digestOf(s.module)}
	gone := inTree(nil, errors.New("it is not there"))
	for name, c := range map[string]struct {
		stored []registry.Signature // with which it was stored
		spoil  func(t *testing.T, path string)
		policy config.Policy
		from   ModuleSource
		signer string
		want   string
	}{
		"as it was stored": {nil, nil, config.Policy{}, gone, "", ""},
		"with a signature": {[]registry.Signature{s.byAnn}, nil, s.ssh(), gone, "ann@x", ""},
		"without the signature that is asked for now": {nil, nil, s.ssh(), gone, "",
			`cannot load plugin "look": it is not signed`},
		"with another's, and the tree has the right one": {[]registry.Signature{s.byEve}, nil, s.ssh(),
			inTree(s.module, nil, s.byAnn), "ann@x", ""},
		"damaged": {nil, func(t *testing.T, path string) {
			putPrivate(t, filepath.Dir(path), filepath.Base(path), []byte("\x00asm other"))
		}, config.Policy{}, gone, "", `cannot load plugin "look": it is not there`},
		"damaged, and the tree has it": {nil, func(t *testing.T, path string) {
			putPrivate(t, filepath.Dir(path), filepath.Base(path), []byte("\x00asm other"))
		}, config.Policy{}, inTree(s.module, nil), "", ""},
	} {
		h := moduleStore(t)
		first := inTree(s.module, nil, c.stored...)
		if _, _, err := h.PinnedModule(t.Context(), config.Policy{}, pinned, first); err != nil {
			t.Fatal(err)
		}
		path := moduleFile(h.moduleFolders(first.Zone)[0], pinned.SHA256)
		if c.spoil != nil {
			c.spoil(t, path)
		}
		pack, signer, err := h.PinnedModule(t.Context(), c.policy, pinned, c.from)
		if signer != c.signer || (err == nil) != (c.want == "") || err != nil && err.Error() != c.want ||
			err == nil && pack.Digest() != pinned.SHA256 {
			t.Errorf("%s: %q, %v", name, signer, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s: stored as %v, %v", name, info, err)
		}
	}
}

// TestZonesOfModules: a branch reads what protected runs stored, and they nothing that a branch stored.
func TestZonesOfModules(t *testing.T) {
	t.Parallel()
	module := []byte("\x00asm a module")
	pinned := lanes.Locked{Name: "look", Source: "look.wasm", SHA256: digestOf(module)}
	for _, by := range []zone.Trust{zone.Protected, zone.Unprotected, zone.Local} {
		for _, to := range []zone.Trust{zone.Protected, zone.Unprotected, zone.Local} {
			h := moduleStore(t)
			first := inTree(module, nil)
			first.Zone.Trust = by
			if _, _, err := h.PinnedModule(t.Context(), config.Policy{}, pinned, first); err != nil {
				t.Fatal(err)
			}
			then := inTree(nil, errors.New("it is not there"))
			then.Zone = zone.Zone{Repository: "/another", Trust: to}
			_, _, err := h.PinnedModule(t.Context(), config.Policy{}, pinned, then)
			if want := by != zone.Unprotected || to == zone.Unprotected; (err == nil) != want {
				t.Errorf("stored by a %s run, read by a %s one: %v", by, to, err)
			}
		}
	}
}

// TestFirstParty: plugins that come with the host are those in its folder, by plain names.
func TestFirstParty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putPrivate(t, dir, "look.wasm", []byte("\x00asm"))
	putPrivate(t, filepath.Dir(dir), "out.wasm", []byte("\x00asm"))
	h, policy := moduleStore(t), config.Policy{Plugins: dir}
	if !h.FirstParty(policy, "look") || h.FirstParty(policy, "Look") || h.FirstParty(policy, "other") {
		t.Error("the plugins here are not look")
	}
	for name, want := range map[string]string{
		"../out": `cannot load plugin "../out": not a plugin's name; hint: `,
		"Look":   `cannot load plugin "Look": not a plugin's name; hint: `,
		"":       `cannot load plugin "": not a plugin's name; hint: `,
		"other":  `cannot load plugin "other": not found in ` + dir + `; hint: available plugins: look`,
	} {
		_, err := h.Load(t.Context(), policy, name)
		if err == nil || err.Error()+"; hint: "+problem.Hint(err) != want {
			t.Errorf("%q: %v, hint %q", name, err, problem.Hint(err))
		}
	}
	empty := t.TempDir()
	err := MissingPlugin(config.Policy{Plugins: empty}, "look")
	if err.Error() != `cannot load plugin "look": not found in `+empty ||
		problem.Hint(err) != "install the first-party plugins with: ./install.sh" {
		t.Errorf("%v, hint %q", err, problem.Hint(err))
	}
	asked := Granted(sdk.Manifest{Capabilities: []sdk.Capability{{Name: "kv", Why: "counts"},
		{Name: "http", Scope: []string{"x"}}}})
	if len(asked) != 2 || asked[0].Name != "kv" || asked[0].Why != "counts" || asked[1].Scope[0] != "x" {
		t.Errorf("asked for %+v", asked)
	}
}
