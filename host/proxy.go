package host

import (
	"errors"
	"fmt"
	"net/netip"
)

// checkProxies refuses keys of a proxy that could not have their effect.
func (p Policy) checkProxies() error {
	if p.ProxyScope != "read" && p.ProxyScope != "run" {
		return fmt.Errorf("cannot read the policy: proxy_scope is %q, want read or run", p.ProxyScope)
	}
	if len(p.ProxyAddresses) > 0 && p.ProxyHeader == "" {
		return hinted(errors.New("cannot read the policy: proxy_addresses needs proxy_header"),
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
			return nil, hinted(fmt.Errorf("cannot read the policy: proxy_addresses: %q is not an address", text),
				`set proxy_addresses = ["127.0.0.1/32"]`)
		}
		list = append(list, prefix)
	}
	return list, nil
}
