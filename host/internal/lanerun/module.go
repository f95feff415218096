package lanerun

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// plugin loads the module that the lane names: a first-party one, else the one
// pinned in the lock.
func (l modules) plugin(ctx context.Context) (*sandbox.Plugin, error) {
	name := l.lane().Plugin
	if l.runner.Plugins.FirstParty(l.policy(), name) {
		l.who = "first-party " + name
		return l.runner.Plugins.Load(ctx, l.policy(), name)
	}
	pinned, err := l.pin(ctx)
	if err != nil {
		return nil, err
	}
	return l.pinned(ctx, pinned)
}

// pin is the lock's entry of the lane's plugin.
func (l modules) pin(ctx context.Context) (lanes.Locked, error) {
	lock, err := l.Update().Lock(ctx, l.repo)
	if err != nil {
		return lanes.Locked{}, err
	}
	pinned, found := lock.Find(l.lane().Plugin)
	if !found {
		return pinned, plugins.MissingPlugin(l.policy(), l.lane().Plugin)
	}
	return pinned, nil
}

// Manifest is what the lane's plugin says of itself. A pinned module is not
// compiled for it: that is work of the lane, which takes a slot.
func (l modules) Manifest(ctx context.Context) (sdk.Manifest, error) {
	if l.runner.Plugins.FirstParty(l.policy(), l.lane().Plugin) {
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

// pinned loads a third-party plugin: exactly the pinned module, signed as this host
// requires, with no further requests than were approved.
func (l modules) pinned(ctx context.Context, p lanes.Locked) (*sandbox.Plugin, error) {
	pool, err := l.runner.Sandbox()
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
	if more := lanes.More(p.Capabilities, plugins.Granted(m.Manifest())); len(more) > 0 {
		return nil, problem.WithHint(fmt.Errorf("plugin %q asks for more than %s grants: %s", p.Name, gate.LockName,
			strings.Join(more, "; ")), "review and approve it: pushlane plugin approve "+p.Name)
	}
	l.who = identity(m, signer)
	return m, nil
}

// pinnedPack finds exactly the pinned module, signed as this host requires.
func (l modules) pinnedPack(ctx context.Context, p lanes.Locked) (registry.Package, string, error) {
	policy := l.policy()
	if l.j.Asked.Tried == p.SHA256 {
		policy.AllowedSigners, policy.SigstoreIdentities = "", nil
	}
	return l.runner.Plugins.PinnedModule(ctx, policy, p,
		plugins.ModuleSource{Zone: l.Zone(), Tree: l.fromTree, Remote: l.mayFetch()})
}

// mayFetch: an address in a branch's lock is the pusher's; the host asks it
// for nothing.
func (l modules) mayFetch() bool {
	return l.policy().FetchPlugins && l.Zone().Trust != zone.Unprotected
}

// fromTree reads a module that lies in the repository, next to its lock. A lock
// out of a tree names files of that tree only: any other path is the host's.
func (l modules) fromTree(ctx context.Context, name string) (registry.Package, error) {
	f := l.Update().LanesFile
	if f.Rev == "" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(f.Path), filepath.FromSlash(name))
		}
		return registry.Client{}.Fetch(ctx, registry.Source{Kind: "file", Name: name})
	}
	if path.IsAbs(name) {
		return registry.Package{}, problem.WithHint(fmt.Errorf("its source %q in %s is not a file of the repository",
			printable.Clean(name),
			gate.LockName),
			"commit the module next to "+gate.LockName+" and pin that, or have the host's owner run: pushlane plugin fetch")
	}
	tree, err := l.repo.Tree(ctx, f.Rev)
	if err != nil {
		return registry.Package{}, err
	}
	return registry.FromTree(tree, path.Join(path.Dir(f.Set.Source), name))
}

// modules finds the module of one lane run.
type modules struct{ *access }
