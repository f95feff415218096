package egress

import (
	"net/netip"
	"testing"
)

// TestSpecialBlocksAreNotPublic tries the first and the last address of every
// block, and the ones just outside.
func TestSpecialBlocksAreNotPublic(t *testing.T) {
	t.Parallel()
	blocks := append(specialV4(), specialV6()...)
	for _, b := range blocks {
		prefix := netip.MustParsePrefix(b.prefix)
		first, last := prefix.Addr(), lastOf(prefix)
		for _, ip := range []netip.Addr{first, last} {
			if Public(netip.AddrPortFrom(ip, 443).String()) {
				t.Errorf("%s is in %s (%s) and counts as public", ip, b.prefix, b.name)
			}
		}
		for _, ip := range []netip.Addr{first.Prev(), last.Next()} {
			if !ip.IsValid() || inBlocks(ip, blocks) || ip.Is6() && !netip.MustParsePrefix(globalV6).Contains(ip) {
				continue
			}
			if !Public(netip.AddrPortFrom(ip, 443).String()) {
				t.Errorf("%s is next to %s (%s) and does not count as public", ip, b.prefix, b.name)
			}
		}
	}
}

func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	ip, _ := netip.AddrFromSlice(bytes)
	return ip
}

// TestRegistryV6 has the blocks of the IPv6 registry that are wholly outside of
// globalV6 or inside of a larger block, by their first and last addresses.
func TestRegistryV6(t *testing.T) {
	t.Parallel()
	for block, name := range map[string]string{
		"::1/128": "Loopback Address", "::/128": "Unspecified Address", "::/96": "IPv4-compatible",
		"::ffff:0:0/104": "IPv4-mapped this network", "::ffff:a00:0/104": "IPv4-mapped private use",
		"::ffff:7f00:0/104": "IPv4-mapped loopback", "::ffff:a9fe:0/112": "IPv4-mapped link-local",
		"::ffff:0:0:0/96": "IPv4-translated", "64:ff9b::a00:0/104": "IPv4-IPv6 translation of private use",
		"64:ff9b::a9fe:0/112": "IPv4-IPv6 translation of link-local", "64:ff9b::f000:0/100": "translation of reserved",
		"64:ff9b:1::/48": "IPv4-IPv6 Translat., local use", "100::/64": "Discard-Only Address Block",
		"100:0:0:1::/64": "Dummy IPv6 Prefix", "2001::/32": "TEREDO", "2001:1::1/128": "Port Control Protocol Anycast",
		"2001:1::2/128": "TURN Anycast", "2001:1::3/128": "DNS-SD SRP Anycast", "2001:2::/48": "Benchmarking",
		"2001:3::/32": "AMT", "2001:4:112::/48": "AS112-v6", "2001:10::/28": "Deprecated (ORCHID)",
		"2001:20::/28": "ORCHIDv2", "2001:30::/28": "Drone Remote ID", "5f00::/16": "SRv6 SIDs",
		"4000::/2": "not given out", "8000::/2": "not given out", "fc00::/7": "Unique-Local",
		"fd00:ec2::254/128": "metadata of a cloud", "fe80::/10": "Link-Local Unicast", "fec0::/10": "site-local",
		"ff00::/8": "Multicast",
	} {
		prefix := netip.MustParsePrefix(block)
		for _, ip := range []netip.Addr{prefix.Addr(), lastOf(prefix)} {
			if Public(netip.AddrPortFrom(ip, 443).String()) {
				t.Errorf("%s (%s %s) counts as public", ip, block, name)
			}
		}
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"1.1.1.1:443": true, "168.63.129.15:443": true, "168.63.129.16:80": false, "192.0.0.192:80": false,
		"100.100.100.200:80": false, "[fe80::1%eth0]:80": false, "[2606:4700::1111%eth0]:80": false,
		"[::ffff:8.8.8.8]:443": true, "[::ffff:10.0.0.1]:443": false,
		"[64:ff9b::808:808]:443": true, "[64:ff9b::7f00:1]:443": false, "[64:ff9b::1:7f00:1]:443": false,
		"[2002:808:808::1]:443": false, "[2002:7f00:1::]:443": false, "[2001:0:808:808::1]:443": false,
		"[2600::5efe:a00:1]:443": false, "[2600::200:5efe:c0a8:1]:443": false, "[2600::5efe:808:808]:443": true,
		"[2600::5eff:a00:1]:443": true, "[2a00:1450:4001::200e]:443": true, "[1fff:ffff::1]:443": false,
		"1.1.1.1": false, "1.1.1.1:99999": false, "example.org:443": false, "": false, "0x7f.1:443": false,
	} {
		if Public(address) != want {
			t.Errorf("%s: public is %v", address, !want)
		}
	}
}
