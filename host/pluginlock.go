package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/ship"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
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
		l.who = "first-party " + name
		return l.host.plugin(ctx, l.policy(), name)
	}
	pinned, err := l.pin(ctx)
	if err != nil {
		return nil, err
	}
	return l.pinned(ctx, pinned)
}

// pin is the lock's entry of the lane's plugin.
func (l *laneRun) pin(ctx context.Context) (lanes.Locked, error) {
	lock, err := l.update().lock(ctx, l.repo)
	if err != nil {
		return lanes.Locked{}, err
	}
	pinned, found := lock.Find(l.lane().Plugin)
	if !found {
		return pinned, missingPlugin(l.policy(), l.lane().Plugin)
	}
	return pinned, nil
}

// manifest is what the lane's plugin says of itself. A pinned module is not
// compiled for it: that is work of the lane, which takes a slot.
func (l *laneRun) manifest(ctx context.Context) (sdk.Manifest, error) {
	if l.host.firstParty(l.policy(), l.lane().Plugin) {
		m, err := l.plugin(ctx)
		if err != nil {
			return sdk.Manifest{}, err
		}
		return m.Manifest(), nil
	}
	pinned, err := l.pin(ctx)
	if err != nil {
		return sdk.Manifest{}, err
	}
	pack, _, err := l.pinnedPack(ctx, pinned)
	if err != nil {
		return sdk.Manifest{}, err
	}
	checked, err := wasm.Check(pinned.Name, pack.Module)
	if err != nil {
		return sdk.Manifest{}, err
	}
	return checked.Manifest(), nil
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
	pack, signer, err := l.pinnedPack(ctx, p)
	if err != nil {
		return nil, err
	}
	m, err := pool.LoadDigest(ctx, p.Name, pack.Digest(), pack.Module)
	if err != nil {
		return nil, err
	}
	if more := lanes.More(p.Capabilities, grantedOf(m.Manifest())); len(more) > 0 {
		return nil, hinted(fmt.Errorf("plugin %q asks for more than %s grants: %s", p.Name, lockName, strings.Join(more, "; ")), "look at it and approve it: pushlane plugin approve "+p.Name)
	}
	l.who = identity(m, signer)
	return m, nil
}

// pinnedPack finds the very module that was pinned, signed as this host wants it.
func (l *laneRun) pinnedPack(ctx context.Context, p lanes.Locked) (ship.Package, string, error) {
	policy := l.policy()
	if l.call.tried == p.SHA256 && l.call.Gate == "manual" {
		policy.AllowedSigners, policy.SigstoreIdentities = "", nil
	}
	return l.host.pinnedModule(ctx, policy, p,
		moduleSource{zone: l.zone(), tree: l.fromTree, remote: l.mayFetch()})
}

// grantedOf is a manifest's capabilities as a lock keeps them.
func grantedOf(m sdk.Manifest) []lanes.Granted {
	var all []lanes.Granted
	for _, c := range m.Capabilities {
		all = append(all, lanes.Granted{Name: c.Name, Why: c.Why, Scope: c.Scope})
	}
	return all
}

// mayFetch: an address in a branch's lock is the pusher's; the host asks it
// for nothing.
func (l *laneRun) mayFetch() bool {
	return l.policy().FetchPlugins && l.zone().Trust != zone.Unprotected
}

// fromTree reads a module that lies in the repository, next to its lock. A lock
// out of a tree names files of that tree only: any other path is the host's.
func (l *laneRun) fromTree(ctx context.Context, name string) (ship.Package, error) {
	f := l.update().lanesFile
	if f.Rev == "" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(f.Path), filepath.FromSlash(name))
		}
		return ship.Client{}.Fetch(ctx, ship.Source{Kind: "file", Name: name})
	}
	if path.IsAbs(name) {
		return ship.Package{}, hinted(fmt.Errorf("its source %q in %s is not a file of the repository", Clean(name),
			lockName),
			"commit the module next to "+lockName+" and pin that, or have the host's owner run: pushlane plugin fetch")
	}
	tree, err := l.repo.Tree(ctx, f.Rev)
	if err != nil {
		return ship.Package{}, err
	}
	return ship.FromTree(tree, path.Join(path.Dir(f.Set.Source), name))
}

// moduleSource says for whom a pinned module is looked for, and where.
type moduleSource struct {
	zone   zone.Zone                                                    // whose store is used
	tree   func(ctx context.Context, name string) (ship.Package, error) // reads a path that the lock names
	remote bool                                                         // registries and addresses may be asked
}

// pinnedModule finds the module of a digest and who signed it: in this host's
// store, in the repository, or where it was published. It is stored once its
// digest and its signature were found to be right. A stored one whose
// signatures do not count here, or no longer, is looked for again.
func (h *Host) pinnedModule(ctx context.Context, policy Policy, p lanes.Locked, from moduleSource) (ship.Package,
	string, error) {
	var unsigned error
	for _, folder := range h.moduleFolders(from.zone) {
		pack, err := h.keptModule(folder, p.SHA256)
		if err != nil {
			continue
		}
		signer, err := checkSigner(policy, p.Name, pack)
		if err == nil {
			return pack, signer, nil
		}
		unsigned = err
	}
	pack, err := h.findModule(ctx, p, from)
	if err != nil {
		if unsigned != nil {
			err = unsigned
		}
		return ship.Package{}, "", err
	}
	signer, err := checkSigner(policy, p.Name, pack)
	if err != nil {
		return ship.Package{}, "", err
	}
	return pack, signer, h.keepModule(from.zone, pack)
}

// findModule reads a module where the lock says that it is.
func (h *Host) findModule(ctx context.Context, p lanes.Locked, from moduleSource) (ship.Package, error) {
	source, err := ship.ParseSource(cmp.Or(p.Resolved, p.Source))
	if err != nil {
		return ship.Package{}, fmt.Errorf("cannot load plugin %q: %w", p.Name, err)
	}
	var pack ship.Package
	switch {
	case source.Kind == "file":
		pack, err = from.tree(ctx, source.Name)
	case !from.remote:
		return ship.Package{}, hinted(fmt.Errorf("cannot load plugin %q: it is not on this host, and may not be fetched for this run (fetch_plugins, protected refs only)", p.Name),
			"its owner may bring it here: pushlane plugin fetch "+source.String())
	default:
		pack, err = h.shipping.Fetch(ctx, source)
	}
	switch {
	case err != nil:
		return ship.Package{}, fmt.Errorf("cannot load plugin %q: %w", p.Name, err)
	case !bytes.HasPrefix(pack.Module, []byte("\x00asm")): // a digest would tell what it is
		return ship.Package{}, fmt.Errorf("cannot load plugin %q: %s is not a WebAssembly module", p.Name, source)
	case pack.Digest() != p.SHA256:
		return ship.Package{}, hinted(fmt.Errorf("cannot load plugin %q: %s is now sha256 %s, and %s is pinned", p.Name, source, short12(pack.Digest()), short12(p.SHA256)),
			"if that is an update you want: pushlane plugin update "+p.Name)
	}
	return pack, nil
}

func short12(digest string) string { return digest[:min(12, len(digest))] }

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
