package host

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/scaffold"
	"github.com/pushlane/pushlane/host/internal/settings"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

// PackPlugin puts a manifest, as TOML, into a module.
func PackPlugin(module, manifest []byte) ([]byte, error) {
	packed, err := wasm.Pack(module, manifest)
	if err == nil {
		_, err = checkModule("", packed)
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

// checkModule looks at a module and its manifest, without running it.
func checkModule(name string, module []byte) (m checkedModule, err error) {
	if m.Checked, err = wasm.Check(name, module); err == nil {
		m.Schema, err = settings.Of(m.Checked)
	}
	return m, err
}

// readSettings is settings.Of for a sandbox.
func readSettings(module *wasm.Checked) (sandbox.Settings, error) { return settings.Of(module) }

// InspectPlugin prints what a module is and asks for, without running it.
func InspectPlugin(w io.Writer, module []byte) error {
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

// keepArtifacts copies what the plugin named below /out to the lane run's
// folder.
func (l *laneRun) keepArtifacts(said answer) error {
	if l.out == nil || len(said.artifacts) == 0 {
		return nil
	}
	keep, err := l.artifacts("out")
	if err != nil {
		return err
	}
	defer keep.close()
	if err := l.keepNamed(keep, said.artifacts); err != nil {
		return keep.drop(err)
	}
	l.outcome().Artifacts = append(l.outcome().Artifacts, keep.files...)
	return nil
}

func (l *laneRun) keepNamed(keep *artifactFolder, names []string) error {
	for _, name := range names {
		clean := strings.TrimPrefix(path.Clean("/"+name), "/")
		data, err := l.out.ReadFile(clean)
		if err != nil {
			return fmt.Errorf("plugin %q names artifact %q, which is not below /out", l.lane().Plugin, printable.Clean(name))
		}
		if err := keep.Keep(clean, int64(len(data)), bytes.NewReader(data)); err != nil {
			return fmt.Errorf("cannot keep artifact %q: %w", printable.Clean(name), err)
		}
	}
	return nil
}

// NewPlugin begins a plugin in a folder of its name.
func NewPlugin(name, lang string) ([]string, error) {
	files, err := scaffold.Write(name, lang, filepath.Base(name))
	if err != nil {
		return files, problem.Usage(err)
	}
	return files, nil
}

// PluginLanguages lists the languages that a plugin can be begun in.
func PluginLanguages() string {
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
