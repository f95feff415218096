package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/egress"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// AllowsNetwork reports whether a lane may be granted an entry of a list of names.
func (p Policy) AllowsNetwork(item string) bool {
	return coveredBy(p.NetworkHosts, item) && p.Lets("container.network", item)
}

// coveredBy reports whether a list of names has all that an entry has; an entry that cannot be read is not covered.
func coveredBy(texts []string, item string) bool {
	list, err := egress.ParseNames(texts)
	if err != nil {
		return false
	}
	n, err := egress.ParseName(item)
	return err == nil && egress.Covered(list, n)
}

// PrivateBlocks are the blocks of network.private.
func (p Policy) PrivateBlocks() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range p.NetworkPrivate {
		if block, err := netip.ParsePrefix(text); err == nil { // validate has refused the others
			all = append(all, block)
		}
	}
	return all
}

// NetworkBytes is limits.network, in bytes.
func (p Policy) NetworkBytes() int64 {
	n, err := incus.ParseSize(p.MaxNetwork)
	if err != nil {
		return 0 // validate has refused it
	}
	return n
}

// maxCA is the longest file of authorities, in bytes.
const maxCA = 4 << 20

// Authorities is the content of network.ca; nil where the policy names none.
func (p Policy) Authorities() ([]byte, error) {
	if p.NetworkCA == "" {
		return nil, nil
	}
	pem, err := bounded.ReadFile(p.NetworkCA, maxCA)
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot read the authorities in %s: %w", p.NetworkCA, err),
			"correct network.ca in "+PolicyFile+", or remove it: containers then have their image's")
	}
	return pem, nil
}

// neverPrivate are blocks that no policy opens: this machine itself, and services at link-local addresses.
func neverPrivate() []string {
	return []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/128", "::1/128", "::ffff:0:0/96",
		"fe80::/10", "ff00::/8"}
}

// checkNetwork refuses names and blocks that cannot be read, and blocks that must not be reached.
func (p Policy) checkNetwork() error {
	if _, err := egress.ParseNames(p.NetworkHosts); err != nil {
		return fmt.Errorf("cannot read the policy: network.hosts: %w", err)
	}
	for _, text := range p.NetworkPrivate {
		block, err := netip.ParsePrefix(text)
		if err != nil || block != block.Masked() {
			return fmt.Errorf("cannot read the policy: network.private: %q is not a block of addresses such as 10.1.2.0/24",
				text)
		}
		overlaps := func(never string) bool { return netip.MustParsePrefix(never).Overlaps(block) }
		if slices.ContainsFunc(neverPrivate(), overlaps) {
			return fmt.Errorf("cannot read the policy: network.private: %s has addresses of this machine or of its link", text)
		}
	}
	return nil
}

// networkNames are the names in a table's network; none where it is true or false.
func (a Allow) networkNames() []string {
	list, _ := a.Network.([]any)
	var names []string
	for _, item := range list {
		if name, ok := item.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// addNetwork joins the networks of two tables: true is more than any list.
func (a *Allow) addNetwork(b Allow) {
	if a.Network == true || b.Network == true {
		a.Network = true
		return
	}
	var both []any
	for _, name := range append(a.networkNames(), b.networkNames()...) {
		both = append(both, name)
	}
	a.Network = both
}

// checkNetwork refuses a network that is neither true or false nor a list of names.
func (a Allow) checkNetwork() error {
	switch list := a.Network.(type) {
	case nil, bool:
		return nil
	case []any:
		if names := a.networkNames(); len(names) == len(list) {
			if _, err := egress.ParseNames(names); err != nil {
				return fmt.Errorf("cannot read the policy: allow: network: %w", err)
			}
			return nil
		}
	}
	return fmt.Errorf("cannot read the policy: allow: network is %v, want true, false or a list of names", a.Network)
}
