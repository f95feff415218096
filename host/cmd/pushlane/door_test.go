package main

import (
	"net/netip"
	"testing"
)

// TestDoor: so many of one address, so many in all, and room again after one
// has left.
func TestDoor(t *testing.T) {
	t.Parallel()
	d := newDoor(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range maxOfAddress {
		if !d.enter(one, true) {
			t.Fatal("there is no room for one more of an address")
		}
	}
	if d.enter(one, true) || !d.enter(two, true) {
		t.Error("the limit of an address is not its own")
	}
	d.leave(one, true)
	if !d.enter(one, true) {
		t.Error("there is no room after one has left")
	}
	for d.all < maxConnections {
		if !d.enter(one, false) {
			t.Fatal("a proxy has a limit of its own")
		}
	}
	if d.enter(two, true) || d.enter(one, false) {
		t.Error("there is no end")
	}
	for from, counts := range map[string]string{"10.1.2.3:5": "", "192.0.2.1:5": "192.0.2.1",
		"[::ffff:192.0.2.1]:5":  "192.0.2.1",
		"[2001:db8:0:1:2::3]:5": "2001:db8:0:1::", "@": ""} {
		ip, counted := d.counted(from)
		if counted != (counts != "") || counted && ip.String() != counts {
			t.Errorf("%s counts for %v, %v", from, ip, counted)
		}
	}
}
