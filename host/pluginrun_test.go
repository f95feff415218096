package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/author"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
)

// smallModule is a WASI command that does nothing, as a compiler leaves it.
func smallModule() []byte {
	return []byte("\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x05\x03\x01\x00\x01" +
		"\x07\x13\x02\x06_start\x00\x00\x06memory\x02\x00" + "\x0a\x04\x01\x02\x00\x0b")
}

// A module that was just built is packed with the manifest next to it, as the
// build scripts of the templates leave it.
func TestReadModule(t *testing.T) {
	t.Parallel()
	const manifest = "name = \"x\"\nabi = 1\noutput = \"text\"\n"
	packed, err := wasm.Pack(smallModule(), []byte(strings.Replace(manifest, "x", "packed", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		module   []byte
		manifest string // "": there is none
		want     string // name of the plugin
		err      string
	}{
		"built":            {smallModule(), manifest, "x", ""},
		"built alone":      {smallModule(), "", "", "cannot read module: it has no manifest (custom section lane.manifest)"},
		"packed already":   {packed, manifest, "packed", ""},
		"a wrong manifest": {smallModule(), "name = 5", "", "cannot pack plugin: "},
		"not a module":     {[]byte("text"), manifest, "", "cannot read module: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "plugin.wasm")
			if err := os.WriteFile(file, c.module, 0o600); err != nil {
				t.Fatal(err)
			}
			if c.manifest != "" {
				if err := os.WriteFile(filepath.Join(dir, author.ManifestBeside), []byte(c.manifest), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			module, err := author.ReadModule(file)
			m, err2 := wasm.ReadManifest(module)
			if err == nil {
				err = err2
			}
			switch {
			case c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)):
				t.Errorf("got %v, want %s", err, c.err)
			case c.err == "" && (err != nil || m.Name != c.want):
				t.Errorf("got %q, %v, want %q", m.Name, err, c.want)
			}
		})
	}
}

// An offered version that a lane's settings do not suit says so, for each lane.
func TestRefusedSettings(t *testing.T) {
	t.Parallel()
	packed, err := wasm.Pack(smallModule(), []byte(
		"name = \"x\"\nabi = 1\noutput = \"text\"\nschema = "+
			"'{\"additionalProperties\":false,\"properties\":{\"level\":{}}}'\n"))
	if err != nil {
		t.Fatal(err)
	}
	checked, err := plugins.CheckModule("x", packed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lock := plugins.LockFile{Lock: &lanes.Lock{Version: 1}, Path: filepath.Join(dir, gate.LockName)}
	o := plugins.Offer{Locked: lanes.Locked{Name: "x"}, Checked: checked}
	if lines, err := o.RefusedSettings(lock); err != nil || len(lines) > 0 {
		t.Errorf("without a lanes file: %q, %v", lines, err)
	}
	text := "version = 1\n[[lane]]\nid = \"old\"\nplugin = \"x\"\n[lane.with]\ncommand = \"a\"\n[[lane]]\nid = " +
		"\"new\"\nplugin = \"x\"\n[lane.with]\nlevel = 1\n" +
		"[[lane]]\nid = \"other\"\nplugin = \"y\"\n[lane.with]\ncommand = \"a\"\n"
	if err := os.WriteFile(filepath.Join(dir, "lanes.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := o.RefusedSettings(lock)
	if err != nil || len(lines) != 1 || !strings.HasPrefix(lines[0], `lane "old": its settings are refused: `) ||
		!strings.Contains(lines[0], "command") {
		t.Errorf("got %q, %v", lines, err)
	}
}
