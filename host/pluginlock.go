package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/ship"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// lockName is the lock file's name beside the lanes file.
const lockName = "lanes.lock"

// lockBeside names the lock file that belongs to a lanes file.
func lockBeside(lanesFile string) string { return path.Join(path.Dir(lanesFile), lockName) }

// lock reads the lock that belongs to the lanes that judge: out of the same
// commit, never out of the pushed one. None is an empty one.
func (f lanesFile) lock(ctx context.Context, repo *hooks.Repo) (*lanes.Lock, error) {
	name := lockBeside(f.Set.Source)
	var data []byte
	var err error
	if f.Rev == "" && f.Path == "" {
		err = fs.ErrNotExist
	} else if f.Rev == "" {
		data, err = os.ReadFile(filepath.Join(filepath.Dir(f.Path), lockName))
	} else {
		data, err = repo.File(ctx, f.Rev, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &lanes.Lock{Version: 1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return lanes.ReadLock(name, data)
}

// plugin loads the module that the lane names: a first-party one, else the one
// pinned in the lock.
func (l *laneRun) plugin(ctx context.Context) (*sandbox.Plugin, error) {
	name := l.lane().Plugin
	if l.host.firstParty(l.policy(), name) {
		return l.host.plugin(ctx, l.policy(), name)
	}
	lock, err := l.update().lock(ctx, l.repo)
	if err != nil {
		return nil, err
	}
	pinned, found := lock.Find(name)
	if !found {
		return nil, missingPlugin(l.policy(), name)
	}
	return l.pinned(ctx, pinned)
}

func (h *Host) firstParty(policy Policy, name string) bool {
	_, err := os.Stat(filepath.Join(policy.Plugins, name+".wasm"))
	return err == nil
}

// pinned loads a plugin of others: the very module that was pinned, signed as
// this host wants it, asking for no more than was approved.
func (l *laneRun) pinned(ctx context.Context, p lanes.Locked) (*sandbox.Plugin, error) {
	pool, err := l.host.sandbox()
	if err != nil {
		return nil, err
	}
	pack, err := l.host.pinnedModule(ctx, l.policy(), p, l.fromTree)
	if err != nil {
		return nil, err
	}
	if _, err := checkSigner(l.policy(), p.Name, pack); err != nil {
		return nil, err
	}
	m, err := pool.LoadDigest(ctx, p.Name, pack.Digest(), pack.Module)
	if err != nil {
		return nil, err
	}
	if more := lanes.More(p.Capabilities, grantedOf(m.Manifest())); len(more) > 0 {
		return nil, hinted(fmt.Errorf("plugin %q asks for more than %s grants: %s", p.Name, lockName, strings.Join(more, "; ")), "look at it and approve it: pushlane plugin approve "+p.Name)
	}
	l.signer = p.Signer
	return m, nil
}

// grantedOf is a manifest's capabilities as a lock keeps them.
func grantedOf(m sdk.Manifest) []lanes.Granted {
	var all []lanes.Granted
	for _, c := range m.Capabilities {
		all = append(all, lanes.Granted{Name: c.Name, Why: c.Why, Scope: c.Scope})
	}
	return all
}

// fromTree reads a module that lies in the repository, beside its lock.
func (l *laneRun) fromTree(ctx context.Context, name string) (ship.Package, error) {
	f := l.update().lanesFile
	if f.Rev == "" {
		return ship.Client{}.Fetch(ctx, ship.Source{Kind: "file", Name: filepath.Join(filepath.Dir(f.Path), filepath.FromSlash(name))})
	}
	tree, err := l.repo.Tree(ctx, f.Rev)
	if err != nil {
		return ship.Package{}, err
	}
	return ship.FromTree(tree, path.Join(path.Dir(f.Set.Source), name))
}

// pinnedModule finds the module of a digest: in this host's store, in the
// repository, or where it was published, if the policy lets the host look.
func (h *Host) pinnedModule(ctx context.Context, policy Policy, p lanes.Locked, fromTree func(context.Context, string) (ship.Package, error)) (ship.Package, error) {
	if kept, err := h.keptModule(p.SHA256); err == nil {
		return kept, nil
	}
	at := p.Resolved
	if at == "" {
		at = p.Source
	}
	source, err := ship.ParseSource(at)
	if err != nil {
		return ship.Package{}, fmt.Errorf("cannot load plugin %q: %w", p.Name, err)
	}
	var pack ship.Package
	switch {
	case source.Kind == "file" && !filepath.IsAbs(source.Name) && fromTree != nil:
		pack, err = fromTree(ctx, source.Name)
	case source.Kind != "file" && !policy.FetchPlugins:
		err = hinted(fmt.Errorf("cannot load plugin %q: it is not on this host, and the policy does not let it be fetched (fetch_plugins)", p.Name),
			"its owner may bring it here: pushlane plugin fetch "+source.String())
		return ship.Package{}, err
	default:
		pack, err = h.shipping.Fetch(ctx, source)
	}
	if err != nil {
		return ship.Package{}, fmt.Errorf("cannot load plugin %q: %w", p.Name, err)
	}
	if pack.Digest() != p.SHA256 {
		return ship.Package{}, hinted(fmt.Errorf("cannot load plugin %q: %s is now sha256 %s, and %s is pinned", p.Name, source, short12(pack.Digest()), short12(p.SHA256)),
			"if that is an update you want: pushlane plugin update "+p.Name)
	}
	return pack, h.keepModule(pack)
}

func short12(digest string) string { return digest[:min(12, len(digest))] }

// Modules of others are kept by digest below the state folder.
func (h *Host) moduleFile(digest string) string {
	return filepath.Join(h.state, "plugins", digest+".wasm")
}

func (h *Host) keepModule(p ship.Package) error {
	dir := filepath.Join(h.state, "plugins")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot keep plugin: %w", err)
	}
	scratch, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return fmt.Errorf("cannot keep plugin: %w", err)
	}
	defer os.RemoveAll(scratch)
	temp := ship.Source{Kind: "file", Name: filepath.Join(scratch, "m.wasm")}
	if _, err := (ship.Client{}).Push(context.Background(), temp, p); err != nil {
		return err
	}
	files, err := os.ReadDir(scratch)
	for _, f := range slices.Backward(files) { // the module comes last: then its signatures are there
		if err == nil {
			err = os.Rename(filepath.Join(scratch, f.Name()), h.moduleFile(p.Digest())+strings.TrimPrefix(f.Name(), "m.wasm"))
		}
	}
	return err
}

// kept is a module of others as it was read last.
type kept struct {
	pack  ship.Package
	looks string // of its files
}

// keptModule gives a kept module; one that was damaged is not there. It is read
// again where its files have changed.
func (h *Host) keptModule(digest string) (ship.Package, error) {
	looks := looksOf(h.moduleFile(digest))
	h.mu.Lock()
	known := h.kept[digest]
	h.mu.Unlock()
	if known.looks == looks && looks != "" {
		return known.pack, nil
	}
	p, err := ship.Client{}.Fetch(context.Background(), ship.Source{Kind: "file", Name: h.moduleFile(digest)})
	if err != nil {
		return p, err
	}
	if p = p.Summed(); p.Digest() != digest {
		return p, fmt.Errorf("cannot use kept plugin %s: it is damaged", short12(digest))
	}
	h.mu.Lock()
	h.kept[digest] = kept{p, looks}
	h.mu.Unlock()
	return p, nil
}

// looksOf tells a module's files, signatures and all, from what they were.
func looksOf(module string) string {
	var b strings.Builder
	for _, f := range ship.Files(module) {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", f, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// lockChanges lists what a push changes about pinned plugins.
func lockChanges(old, pushed *lanes.Lock) []string {
	var words []string
	for _, p := range pushed.Plugins {
		was, known := old.Find(p.Name)
		switch {
		case !known:
			words = append(words, fmt.Sprintf("pins plugin %s (%s)", p.Name, strings.Join(namesOf(p.Capabilities), ", ")))
		case was.SHA256 != p.SHA256 || len(lanes.Difference(was.Capabilities, p.Capabilities)) > 0:
			words = append(words, strings.TrimSpace(fmt.Sprintf("moves plugin %s to %s %s", p.Name, short12(p.SHA256), strings.Join(lanes.Difference(was.Capabilities, p.Capabilities), "; "))))
		}
	}
	for _, p := range old.Plugins {
		if _, stays := pushed.Find(p.Name); !stays {
			words = append(words, "drops plugin "+p.Name)
		}
	}
	return words
}

func namesOf(all []lanes.Granted) []string {
	var names []string
	for _, g := range all {
		names = append(names, g.Name)
	}
	return names
}
