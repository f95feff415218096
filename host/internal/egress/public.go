package egress

import (
	"net/netip"
)

// specialBlock is a block of addresses that are not on the public internet.
type specialBlock struct {
	prefix string
	name   string // in IANA's registry
}

// specialV4 is IANA's IPv4 special-purpose address registry (RFC 6890), the
// multicast space, and services of clouds at addresses that look public. Blocks
// that the registry calls globally reachable are here as well: the network that
// a host is in answers at them.
func specialV4() []specialBlock {
	return []specialBlock{
		{"0.0.0.0/8", "This network"},
		{"10.0.0.0/8", "Private-Use"},
		{"100.64.0.0/10", "Shared Address Space"},
		{"127.0.0.0/8", "Loopback"},
		{"168.63.129.16/32", "Azure's host of a virtual machine"},
		{"169.254.0.0/16", "Link Local"},
		{"172.16.0.0/12", "Private-Use"},
		{"192.0.0.0/24", "IETF Protocol Assignments"},
		{"192.0.2.0/24", "Documentation (TEST-NET-1)"},
		{"192.31.196.0/24", "AS112-v4"},
		{"192.52.193.0/24", "AMT"},
		{"192.88.99.0/24", "Deprecated (6to4 Relay Anycast)"},
		{"192.168.0.0/16", "Private-Use"},
		{"192.175.48.0/24", "Direct Delegation AS112 Service"},
		{"198.18.0.0/15", "Benchmarking"},
		{"198.51.100.0/24", "Documentation (TEST-NET-2)"},
		{"203.0.113.0/24", "Documentation (TEST-NET-3)"},
		{"224.0.0.0/4", "Multicast"},
		{"240.0.0.0/4", "Reserved"},
	}
}

// globalV6 is the only block that IANA gives public addresses from. Loopback,
// mapped, translated and compatible IPv4, SRv6, unique local, link-local,
// site-local and multicast addresses are outside of it.
const globalV6 = "2000::/3"

// specialV6 is what IANA's IPv6 special-purpose address registry has inside of
// globalV6.
func specialV6() []specialBlock {
	return []specialBlock{
		{"2001::/23", "IETF Protocol Assignments"}, // Teredo, benchmarking, AMT, ORCHID among them
		{"2001:db8::/32", "Documentation"},
		{"2002::/16", "6to4"},
		{"2620:4f:8000::/48", "Direct Delegation AS112 Service"},
		{"3fff::/20", "Documentation"},
	}
}

// nat64 is IPv4 as a translator in the network shows it to IPv6 (RFC 6052):
// what is behind an address decides.
const nat64 = "64:ff9b::/96"

// Public reports whether an address, "IP:port", is on the public internet, and
// not of this machine, its network or its cloud.
func Public(address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil || at.Addr().Zone() != "" {
		return false
	}
	ip := at.Addr().Unmap()
	if ip.Is4() {
		return !inBlocks(ip, specialV4())
	}
	if netip.MustParsePrefix(nat64).Contains(ip) {
		return !inBlocks(lastFour(ip), specialV4())
	}
	if isatap(ip) && inBlocks(lastFour(ip), specialV4()) {
		return false
	}
	return netip.MustParsePrefix(globalV6).Contains(ip) && !inBlocks(ip, specialV6())
}

func inBlocks(ip netip.Addr, blocks []specialBlock) bool {
	for _, b := range blocks {
		if netip.MustParsePrefix(b.prefix).Contains(ip) {
			return true
		}
	}
	return false
}

// lastFour is the IPv4 address in the last four bytes of an IPv6 address.
func lastFour(ip netip.Addr) netip.Addr {
	b := ip.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// isatap reports whether an IPv6 address has an IPv4 address as its interface
// identifier (RFC 5214): 0:5efe or 200:5efe, then the address.
func isatap(ip netip.Addr) bool {
	b := ip.As16()
	return b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
