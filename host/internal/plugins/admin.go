package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/durable"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
)

// LockFile is the lock of a work tree, as people change it.
type LockFile struct {
	*lanes.Lock
	Path string
}

// OpenLock reads the lock next to the work tree's lanes file. Neither file needs
// to exist yet.
func OpenLock(ctx context.Context, call gate.Call) (LockFile, error) {
	top, err := gate.Top(ctx, call)
	if err != nil {
		return LockFile{}, err
	}
	beside := gate.LanesFiles[0]
	for _, name := range gate.LanesFiles {
		if _, err := os.Stat(filepath.Join(top, name)); err == nil {
			beside = name
			break
		}
	}
	f := LockFile{&lanes.Lock{Version: 1}, filepath.Join(top, gate.LockBeside(beside))}
	data, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		f.Lock, err = lanes.ReadLock(gate.LockBeside(beside), data)
	}
	return f, err
}

// Save writes the lock.
func (f LockFile) Save() error {
	data, err := f.Bytes()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(f.Path), 0o755)
	}
	if err == nil {
		err = durable.Replace(f.Path, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.Path, err)
	}
	return nil
}

// Offer is a candidate: a plugin that was fetched and is not trusted yet.
type Offer struct {
	lanes.Locked
	pack      registry.Package
	Checked   checkedModule
	unchecked []string // why its signatures were not verified
}

// Offer fetches a plugin and describes it. An empty name means the manifest's.
// Paths that begin with ./ are in the repository, relative to the lock.
func (s *Store) Offer(ctx context.Context, policy config.Policy, lock LockFile, source, name string) (Offer, error) {
	from, err := registry.ParseSource(source)
	if err != nil {
		return Offer{}, problem.Usage(fmt.Errorf("cannot add plugin: %w", err))
	}
	at := from
	if from.Kind == "file" && !filepath.IsAbs(from.Name) {
		at.Name = filepath.Join(filepath.Dir(lock.Path), filepath.FromSlash(from.Name))
	}
	pack, err := s.shipping.Fetch(ctx, at)
	if err != nil {
		return Offer{}, err
	}
	checked, err := CheckModule(filepath.Base(from.Name), pack.Module)
	if err != nil {
		return Offer{}, err
	}
	m := checked.Manifest()
	signer, err := SignerOf(policy, pack)
	if err != nil {
		return Offer{}, problem.WithHint(fmt.Errorf("cannot add plugin %q: %w", m.Name, err), signersHint(policy))
	}
	if name == "" {
		name = m.Name
	}
	if s.FirstParty(policy, name) {
		return Offer{}, problem.Usage(problem.WithHint(
			fmt.Errorf("cannot add plugin %q: a first-party plugin has that name", name),
			"choose another name with --name NAME"))
	}
	pinned := lanes.Locked{Name: name, Source: from.String(), Resolved: pack.Resolved, SHA256: pack.Digest(),
		PluginVer: m.Version,
		Signer:    signer, SignerKey: signerKey(policy, pack), Capabilities: Granted(m)}
	return Offer{pinned, pack, checked, unchecked(policy, pack)}, nil
}

// Take keeps an offered plugin's module on this host.
func (s *Store) Take(o Offer) error { return s.keepModule(zone.Zone{Trust: zone.Local}, o.pack) }

// Describe says what a plugin is and may ask for, a line each.
func (o Offer) Describe(w io.Writer) {
	fmt.Fprintf(w, "%s %s, sha256 %s, from %s\n", o.Name, printable.Clean(o.PluginVer), printable.ShortDigest(o.SHA256),
		o.Source)
	switch {
	case o.Signer != "":
		fmt.Fprintf(w, "signed by %s\n", printable.Clean(o.Signer))
	case o.SignerKey != "":
		fmt.Fprintf(w, "signed with the key %s\n", o.SignerKey)
	case len(o.pack.Signatures) == 0:
		fmt.Fprintln(w, "not signed")
	}
	for _, line := range o.unchecked {
		fmt.Fprintln(w, line)
	}
	WriteAsks(w, o.Capabilities)
}

// WriteAsks lists capabilities, a line each.
func WriteAsks(w io.Writer, all []lanes.Granted) {
	for _, line := range lanes.Difference(nil, all) {
		fmt.Fprintf(w, "asks for %s\n", printable.Clean(strings.TrimPrefix(line, "+ ")))
	}
	if len(all) == 0 {
		fmt.Fprintln(w, "asks for nothing")
	}
}

// RefusedSettings lists the lanes next to the lock whose settings the offered
// version rejects, a line for each.
func (o Offer) RefusedSettings(lock LockFile) ([]string, error) {
	file := filepath.Join(filepath.Dir(lock.Path), "lanes.toml")
	data, err := bounded.ReadFile(file, lanes.MaxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	set, err := lanes.Load("lanes.toml", data)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, l := range set.Lanes {
		if l.Plugin != o.Name {
			continue
		}
		with, err := SettingsJSON(l.With)
		if err == nil {
			err = o.Checked.CheckWith(with)
		}
		if err != nil {
			lines = append(lines, fmt.Sprintf("lane %q: its settings are refused: %s", l.ID,
				printable.FirstLine(printable.CleanText(err.Error()))))
		}
	}
	return lines, nil
}

// Update moves a pinned plugin to an offered version. One that asks for more
// than was granted, that another signer or another key has signed, that refuses
// settings of lanes, or, without allowOlder, that is not clearly newer is held:
// the pinned one stays until a user approves. Lines say what happened.
func Update(p lanes.Locked, o Offer, refused []string, allowOlder bool) (now lanes.Locked, lines []string, held bool) {
	if o.SHA256 == p.SHA256 {
		p.Held = nil
		return p, []string{fmt.Sprintf("%s is up to date (sha256 %s)", p.Name, printable.ShortDigest(p.SHA256))}, false
	}
	next := lanes.HeldVersion{Resolved: o.Resolved, SHA256: o.SHA256, PluginVer: o.PluginVer, Signer: o.Signer,
		SignerKey: o.SignerKey, Capabilities: o.Capabilities}
	lines = moveLines(p, next)
	lines = append(lines, refused...)
	held = p.Signer != o.Signer || otherKey(p, next) || len(refused) > 0 ||
		len(lanes.More(p.Capabilities, o.Capabilities)) > 0
	if why := notNewer(p.PluginVer, o.PluginVer); why != "" {
		lines = append(lines, "not newer: "+why)
		held = held || !allowOlder
	}
	if held {
		p.Held = &next
		return p, append(lines, fmt.Sprintf("held back: %s stays at %s until it is approved", p.Name,
			printable.ShortDigest(p.SHA256))), true
	}
	o.Source = p.Source
	return o.Locked, lines, false
}

// moveLines says what another version of a pinned plugin changes.
func moveLines(p lanes.Locked, next lanes.HeldVersion) []string {
	move := fmt.Sprintf("%s %s -> %s (sha256 %s -> %s)", p.Name, p.PluginVer, next.PluginVer,
		printable.ShortDigest(p.SHA256),
		printable.ShortDigest(next.SHA256))
	lines := append([]string{printable.Clean(move)}, cleanAll(lanes.Difference(p.Capabilities, next.Capabilities))...)
	if p.Signer != next.Signer {
		lines = append(lines, fmt.Sprintf("signer: %s -> %s", orNobody(p.Signer), orNobody(next.Signer)))
	}
	if otherKey(p, next) {
		lines = append(lines, fmt.Sprintf("signing key: %s -> %s", printable.Clean(p.SignerKey), orNobody(next.SignerKey)))
	}
	return lines
}

// otherKey tells whether another key has signed than the one on record. Locks
// of older versions have none on record; sigstore's keys are new each time.
func otherKey(p lanes.Locked, next lanes.HeldVersion) bool {
	return p.SignerKey != "" && p.SignerKey != next.SignerKey
}

// OwnVersion gives a pinned plugin the version that its module says, where this
// host has the module: a lock is a text that anyone may have edited.
func (s *Store) OwnVersion(p lanes.Locked) lanes.Locked {
	kept, err := s.keptModule(s.moduleFolders(zone.Zone{Trust: zone.Local})[0], p.SHA256)
	if err != nil {
		return p
	}
	if m, err := wasm.ReadManifest(kept.Module); err == nil {
		p.PluginVer = m.Version
	}
	return p
}

// Approve puts a held version in the place of the pinned one.
func Approve(p lanes.Locked) (lanes.Locked, []string, error) {
	if p.Held == nil {
		return p, nil, problem.Usage(problem.WithHint(fmt.Errorf("cannot approve plugin %q: no version of it is held back",
			p.Name), "check for one with: pushlane plugin update "+p.Name))
	}
	h := *p.Held
	lines := moveLines(p, h)
	if why := notNewer(p.PluginVer, h.PluginVer); why != "" {
		lines = append(lines, "not newer: "+why)
	}
	p.Resolved, p.SHA256, p.PluginVer, p.Signer, p.SignerKey, p.Capabilities, p.Held = h.Resolved, h.SHA256, h.PluginVer,
		h.Signer,
		h.SignerKey, h.Capabilities, nil
	return p, append(lines, fmt.Sprintf("%s is now %s (sha256 %s)", p.Name, printable.Clean(p.PluginVer),
		printable.ShortDigest(p.SHA256))), nil
}

func orNobody(signer string) string {
	if signer == "" {
		return "no one"
	}
	return printable.Clean(signer)
}

func cleanAll(lines []string) []string {
	for i := range lines {
		lines[i] = printable.Clean(lines[i])
	}
	return lines
}

// ListPlugins prints first-party and pinned plugins.
func (s *Store) ListPlugins(w io.Writer, policy config.Policy, lock LockFile) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	files, err := filepath.Glob(filepath.Join(policy.Plugins, "*.wasm"))
	for _, file := range files {
		module, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		m, err := wasm.ReadManifest(module)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%s\t%s\tfirst-party\t%s\n", m.Name, m.Version, printable.ShortDigest(wasm.Digest(module)),
			strings.Join(gate.GrantedNames(Granted(m)), ", "))
	}
	for _, p := range lock.Plugins {
		state := "signed by " + orNobody(p.Signer)
		if p.Held != nil {
			state += fmt.Sprintf("; %s held back", printable.Clean(p.Held.PluginVer))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Name, printable.Clean(p.PluginVer), printable.ShortDigest(p.SHA256), state,
			strings.Join(gate.GrantedNames(p.Capabilities), ", "))
	}
	return errors.Join(err, t.Flush())
}

// VerifyPlugin checks a pinned plugin as a push would: module, signature,
// capabilities. It returns the signer if this host requires one.
func (s *Store) VerifyPlugin(ctx context.Context, policy config.Policy, lock LockFile,
	p lanes.Locked) (signer string, err error) {
	tree := func(ctx context.Context, name string) (registry.Package, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(lock.Path), filepath.FromSlash(name))
		}
		return s.shipping.Fetch(ctx, registry.Source{Kind: "file", Name: name})
	}
	pack, signer, err := s.PinnedModule(ctx, policy, p,
		ModuleSource{Zone: zone.Zone{Trust: zone.Local}, Tree: tree, Remote: policy.FetchPlugins})
	if err != nil {
		return "", err
	}
	checked, err := CheckModule(p.Name, pack.Module)
	if err != nil {
		return "", err
	}
	if more := lanes.More(p.Capabilities, Granted(checked.Manifest())); len(more) > 0 {
		return "", fmt.Errorf("plugin %q asks for more than %s grants: %s", p.Name, gate.LockName, strings.Join(more, "; "))
	}
	return signer, nil
}

// Audit lists what an owner of a repository should review about its plugins: a
// line for each, worst first.
func (s *Store) Audit(ctx context.Context, call gate.Call, policy config.Policy, lock LockFile) ([]string, error) {
	var lines []string
	for _, p := range lock.Plugins {
		if _, err := s.VerifyPlugin(ctx, policy, lock, p); err != nil {
			lines = append(lines, "cannot be used: "+printable.Clean(err.Error()))
		}
		if p.Signer == "" {
			lines = append(lines,
				fmt.Sprintf("%s: unsigned: it has no verified author", p.Name))
		}
		if p.Held != nil {
			lines = append(lines, fmt.Sprintf("%s: version %s is held back: see it with pushlane plugin approve %s", p.Name,
				printable.Clean(p.Held.PluginVer), p.Name))
		}
		for _, c := range p.Capabilities {
			if slices.Contains(c.Scope, "*") {
				lines = append(lines, fmt.Sprintf("%s: %s reaches everything that a lane grants", p.Name, c.Name))
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(lock.Path), "lanes.toml"))
	if errors.Is(err, fs.ErrNotExist) {
		return lines, nil
	}
	if err != nil {
		return lines, err
	}
	set, err := lanes.Load("lanes.toml", data)
	if err != nil {
		return lines, err
	}
	return append(lines, auditLanes(set, lock)...), nil
}

func auditLanes(set *lanes.Set, lock LockFile) (lines []string) {
	used := map[string]bool{}
	for _, l := range set.Lanes {
		used[l.Plugin] = true
		p, pinned := lock.Find(l.Plugin)
		if !pinned {
			continue
		}
		asked := gate.GrantedNames(p.Capabilities)
		for _, name := range lanes.Capabilities() {
			// What of the tree is read is granted unless written otherwise.
			if l.Grant.Gives(name) && !strings.HasPrefix(name, "repo.") && !slices.Contains(asked, name) {
				lines = append(lines, fmt.Sprintf("lane %s: grants %s, which plugin %s does not ask for", l.ID, name, l.Plugin))
			}
		}
		if l.Grant.Gives("secret") && l.Grant.Gives("http") {
			lines = append(lines, fmt.Sprintf("lane %s: plugin %s may send secrets to %s", l.ID, l.Plugin,
				strings.Join(l.Grant.HTTP, ", ")))
		}
	}
	for _, p := range lock.Plugins {
		if !used[p.Name] {
			lines = append(lines, fmt.Sprintf("%s: no lane uses it", p.Name))
		}
	}
	return lines
}

// PushPlugin publishes a module, signed with an SSH key if one is named, and
// says where it is now.
func (s *Store) PushPlugin(ctx context.Context, file, address, key string) (string, error) {
	to, err := registry.ParseSource(address)
	if err != nil {
		return "", problem.Usage(fmt.Errorf("cannot push plugin: %w", err))
	}
	pack, err := s.shipping.Fetch(ctx, registry.Source{Kind: "file", Name: file})
	if err != nil {
		return "", err
	}
	if _, err := CheckModule(file, pack.Module); err != nil {
		return "", err
	}
	if key != "" {
		sig, err := registry.SignSSH(key, pack.Module)
		if err != nil {
			return "", err
		}
		pack.Signatures = append(slices.DeleteFunc(pack.Signatures,
			func(s registry.Signature) bool { return s.Kind == registry.SSH }), sig)
	}
	return s.shipping.Push(ctx, to, pack)
}

// Sign writes a signature next to a module.
func Sign(file, key string) (string, error) {
	module, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot sign plugin: %w", err)
	}
	if _, err := CheckModule(file, module); err != nil {
		return "", err
	}
	sig, err := registry.SignSSH(key, module)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file+".sig", sig.Data, 0o644); err != nil {
		return "", fmt.Errorf("cannot sign plugin: %w", err)
	}
	return file + ".sig", nil
}

// FetchPlugin brings a module to this host, for locks that pin it.
func (s *Store) FetchPlugin(ctx context.Context, source string) (string, error) {
	from, err := registry.ParseSource(source)
	if err != nil {
		return "", problem.Usage(fmt.Errorf("cannot fetch plugin: %w", err))
	}
	pack, err := s.shipping.Fetch(ctx, from)
	if err == nil {
		_, err = CheckModule(filepath.Base(from.Name), pack.Module)
	}
	if err == nil {
		err = s.keepModule(zone.Zone{Trust: zone.Local}, pack)
	}
	return pack.Digest(), err
}
