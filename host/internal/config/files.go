package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pushlane/pushlane/host/internal/own"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/secret"
)

// Trusted refuses a file or folder that other users may change: they could then
// decide about pushes.
func Trusted(what, path string) error {
	err := own.Check(path)
	if err == nil {
		return nil
	}
	hint := "check where it is: " + path
	if wrong := (*own.Error)(nil); errors.As(err, &wrong) {
		hint = wrong.Hint()
	}
	return problem.WithHint(fmt.Errorf("cannot use %s %s: %w", what, path, err), hint)
}

// CheckFolder refuses a folder in which others may replace what is in it.
func CheckFolder(path string) error { return Trusted("folder", path) }

// namedFile is a file or folder that a policy names.
type namedFile struct{ what, path string }

// files are those that decide who is trusted and what is accepted, or contain
// secrets. Policy files themselves are checked when they are read.
func (p Policy) files() []namedFile {
	all := []namedFile{{"state folder", p.State}, {"cache folder", p.Cache}, {"plugins folder", p.Plugins},
		{"secrets folder", p.Secrets}, {"secrets key", p.SecretStore().Key},
		{"allowed signers", p.AllowedSigners}, {"sigstore roots", p.SigstoreRoots},
		{"lanes file", p.DefaultLanes}, {"lock file", p.DefaultLock()}, {"notes key", p.NotesKey},
		{"certificate", p.TLSCert}, {"key", p.TLSKey},
		{"Incus certificate", p.IncusCert}, {"Incus key", p.IncusKey}, {"Incus server certificate", p.IncusServerCert}}
	for _, s := range p.Statuses {
		all = append(all, namedFile{"token file", s.TokenFile})
	}
	for _, w := range p.Webhooks {
		all = append(all, namedFile{"secret file", w.SecretFile})
	}
	modules, _ := filepath.Glob(filepath.Join(p.Plugins, "*.wasm")) // its only error is a bad pattern
	for _, m := range modules {
		all = append(all, namedFile{"plugin", m})
	}
	secrets, _ := os.ReadDir(p.Secrets)
	for _, s := range secrets {
		all = append(all, namedFile{"secret", filepath.Join(p.Secrets, s.Name())})
	}
	return append(all, namedFile{"socket", SocketPath(p.State)})
}

// LockName is the name of the lock file next to a lanes file.
const LockName = "lanes.lock"

// DefaultLock is the lock of DefaultLanes, there or not; "" where the policy names no lanes.
func (p Policy) DefaultLock() string {
	if p.DefaultLanes == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(p.DefaultLanes), LockName)
}

// Private lists the folders and files that a policy names: nothing that users of
// the page need to know.
func (p Policy) Private() []string {
	var all []string
	for _, f := range p.files() {
		all = append(all, f.path)
	}
	return all
}

// CheckFiles gives an error for each file that the policy names and others may
// change.
func (p Policy) CheckFiles() (errs []error) {
	for _, f := range p.files() {
		if f.path == "" {
			continue
		}
		if err := Trusted(f.what, f.path); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// SecretStore is where the secrets of this host are.
func (p Policy) SecretStore() secret.Store {
	key := p.SecretsKey
	if key == "" && p.Secrets != "" {
		key = p.Secrets + ".key"
	}
	return secret.Store{Dir: p.Secrets, Key: key}
}

// SocketPath is where the resident of a state folder listens.
func SocketPath(state string) string { return filepath.Join(state, "host.sock") }
