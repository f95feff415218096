package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// Access is what one user may do on the page whom the proxy names.
type Access struct {
	User         string   `koanf:"user"`         // as the proxy names the user
	Scope        string   `koanf:"scope"`        // none, read, run or admin
	Repositories []string `koanf:"repositories"` // paths, or names as the page shows them; none: all
}

// checkAccess refuses tables that could not have their effect.
func (p Policy) checkAccess() error {
	seen := map[string]bool{}
	for _, a := range p.Access {
		var why string
		switch {
		case a.User == "" || strings.Contains(a.User, ","):
			why = fmt.Sprintf("user is %q, want the name of one", a.User)
		case seen[a.User]:
			why = "it appears twice"
		case !slices.Contains([]string{"none", "read", "run", "admin"}, a.Scope):
			why = fmt.Sprintf("scope is %q, want none, read, run or admin", a.Scope)
		case slices.Contains(a.Repositories, ""):
			why = "a repository has no name"
		}
		if why != "" {
			return fmt.Errorf("cannot read the policy: [[access]] of %q: %s", a.User, why)
		}
		seen[a.User] = true
	}
	return nil
}

// headerName is that of a header which a proxy sets. One with an underscore is
// the same as one with a hyphen to some proxies, and another to others.
var headerName = regexp.MustCompile(`^[A-Za-z0-9-]*$`)

// checkHeader refuses headers that a client sets itself.
func (p Policy) checkHeader() error {
	own := []string{"host", "cookie", "authorization"}
	if headerName.MatchString(p.ProxyHeader) && !slices.Contains(own, strings.ToLower(p.ProxyHeader)) {
		return nil
	}
	return problem.WithHint(fmt.Errorf("cannot read the policy: proxy_header is %q, want a header that clients do not set",
		p.ProxyHeader),
		`set proxy_header = "X-Forwarded-User"`)
}

// checkProxies refuses keys of a proxy that could not have their effect.
func (p Policy) checkProxies() error {
	if !slices.Contains([]string{"none", "read", "run"}, p.ProxyScope) {
		return fmt.Errorf("cannot read the policy: proxy_scope is %q, want none, read or run", p.ProxyScope)
	}
	if err := cmp.Or(p.checkHeader(), p.checkAccess()); err != nil {
		return err
	}
	if len(p.ProxyAddresses) > 0 && p.ProxyHeader == "" {
		return problem.WithHint(errors.New("cannot read the policy: proxy_addresses needs proxy_header"),
			`set proxy_header = "X-Forwarded-User"`)
	}
	_, err := p.Proxies()
	return err
}

// Proxies are the addresses from which proxy_header is believed.
func (p Policy) Proxies() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range p.ProxyAddresses {
		prefix, err := netip.ParsePrefix(text)
		if ip, ipErr := netip.ParseAddr(text); ipErr == nil && ip.Zone() == "" {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() {
			return nil, problem.WithHint(fmt.Errorf("cannot read the policy: proxy_addresses: %q is not an address", text),
				`set proxy_addresses = ["127.0.0.1/32"]`)
		}
		if prefix.Bits() == 0 {
			return nil, problem.WithHint(fmt.Errorf("cannot read the policy: proxy_addresses: %q is every address", text),
				`set proxy_addresses = ["127.0.0.1/32"]`)
		}
		list = append(list, prefix)
	}
	return list, nil
}
