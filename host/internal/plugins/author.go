package plugins

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/scaffold"
	"github.com/pushlane/pushlane/host/internal/settings"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

// Pack puts a manifest, as TOML, into a module.
func Pack(module, manifest []byte) ([]byte, error) {
	packed, err := wasm.Pack(module, manifest)
	if err == nil {
		_, err = CheckModule("", packed)
	}
	if err != nil {
		return nil, err
	}
	return packed, nil
}

// checkedModule is a module that can be loaded, with its schema of settings.
type checkedModule struct {
	*wasm.Checked
	*settings.Schema
}

// CheckModule looks at a module and its manifest, without running it.
func CheckModule(name string, module []byte) (m checkedModule, err error) {
	if m.Checked, err = wasm.Check(name, module); err == nil {
		m.Schema, err = settings.Of(m.Checked)
	}
	return m, err
}

// ReadSettings is settings.Of for a sandbox.
func ReadSettings(module *wasm.Checked) (sandbox.Settings, error) { return settings.Of(module) }

// Inspect prints what a module is and asks for, without running it.
func Inspect(w io.Writer, module []byte) error {
	m, err := wasm.ReadManifest(module)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s\nabi %d, output %s\n", m.Name, m.Version, m.ABI, m.Output)
	for _, c := range m.Capabilities {
		fmt.Fprintf(w, "asks for %s: %s\n", c.Name, printable.Clean(c.Why))
	}
	return nil
}

// Begin begins a plugin in a folder of its name.
func Begin(name, lang string) ([]string, error) {
	files, err := scaffold.Write(name, lang, filepath.Base(name))
	if err != nil {
		return files, problem.Usage(err)
	}
	return files, nil
}

// Languages lists the languages that a plugin can be begun in.
func Languages() string {
	var b strings.Builder
	for _, l := range scaffold.Langs() {
		tested := ""
		if !l.Tested {
			tested = " (not tested)"
		}
		fmt.Fprintf(&b, "  %-15s%s%s; needs %s\n", l.Name, l.About, tested, l.Needs)
	}
	return b.String()
}
