package config

import (
	"github.com/pushlane/pushlane/host/internal/registry"
)

// WantsSigned says whether plugins of others must be signed on this host.
func (p Policy) WantsSigned() bool { return p.AllowedSigners != "" || len(p.SigstoreIdentities) > 0 }

// Identities are those whose sigstore bundles count.
func (p Policy) Identities() ([]registry.Identity, error) {
	var all []registry.Identity
	for _, text := range p.SigstoreIdentities {
		one, err := registry.ParseIdentity(text)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
