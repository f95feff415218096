package plugins

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// FirstParty reports whether a plugin of that name comes with this host.
func (s *Store) FirstParty(policy config.Policy, name string) bool {
	_, err := os.Stat(filepath.Join(policy.Plugins, name+".wasm"))
	return err == nil
}

// Granted is a manifest's capabilities as a lock keeps them.
func Granted(m sdk.Manifest) []lanes.Granted {
	var all []lanes.Granted
	for _, c := range m.Capabilities {
		all = append(all, lanes.Granted{Name: c.Name, Why: c.Why, Scope: c.Scope})
	}
	return all
}

// ModuleSource says for whom a pinned module is looked for, and where.
type ModuleSource struct {
	Zone   zone.Zone                                                        // whose store is used
	Tree   func(ctx context.Context, name string) (registry.Package, error) // reads a path that the lock names
	Remote bool                                                             // registries and addresses may be asked
}

// PinnedModule finds the module of a digest and who signed it: in this host's
// store, in the repository, or where it was published. It is stored once its
// digest and its signature were found to be right. A stored one whose
// signatures do not count here, or no longer, is looked for again.
func (s *Store) PinnedModule(ctx context.Context, policy config.Policy, p lanes.Locked,
	from ModuleSource) (registry.Package,
	string, error) {
	var unsigned error
	for _, folder := range s.moduleFolders(from.Zone) {
		pack, err := s.keptModule(folder, p.SHA256)
		if err != nil {
			continue
		}
		signer, err := checkSigner(policy, p.Name, pack)
		if err == nil {
			return pack, signer, nil
		}
		unsigned = err
	}
	pack, err := s.findModule(ctx, p, from)
	if err != nil {
		if unsigned != nil {
			err = unsigned
		}
		return registry.Package{}, "", err
	}
	signer, err := checkSigner(policy, p.Name, pack)
	if err != nil {
		return registry.Package{}, "", err
	}
	return pack, signer, s.keepModule(from.Zone, pack)
}

// findModule reads a module where the lock says that it is.
func (s *Store) findModule(ctx context.Context, p lanes.Locked, from ModuleSource) (registry.Package, error) {
	source, err := registry.ParseSource(cmp.Or(p.Resolved, p.Source))
	if err != nil {
		return registry.Package{}, fmt.Errorf("cannot load plugin %q: %w", p.Name, err)
	}
	var pack registry.Package
	switch {
	case source.Kind == "file":
		pack, err = from.Tree(ctx, source.Name)
	case !from.Remote:
		return registry.Package{}, problem.WithHint(fmt.Errorf(
			"cannot load plugin %q: it is not on this host, and may not be fetched for this run (fetch_plugins, protected "+
				"refs only)", p.Name),
			"its owner can store it here: pushlane plugin fetch "+source.String())
	default:
		pack, err = s.shipping.Fetch(ctx, source)
	}
	switch {
	case err != nil:
		return registry.Package{}, fmt.Errorf("cannot load plugin %q: %w", p.Name, err)
	case !bytes.HasPrefix(pack.Module, []byte("\x00asm")): // a digest would tell what it is
		return registry.Package{}, fmt.Errorf("cannot load plugin %q: %s is not a WebAssembly module", p.Name, source)
	case pack.Digest() != p.SHA256:
		return registry.Package{}, problem.WithHint(fmt.Errorf("cannot load plugin %q: %s is now sha256 %s, and %s is pinned",
			p.Name, source, printable.ShortDigest(pack.Digest()), printable.ShortDigest(p.SHA256)),
			"to accept this update: pushlane plugin update "+p.Name)
	}
	return pack, nil
}
