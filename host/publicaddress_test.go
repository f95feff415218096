package host

import (
	"testing"

	"github.com/pushlane/pushlane/host/internal/lanerun"
)

// public is whether a plugin's request may reach an address.
func public(address string) bool { return lanerun.Public(address) }

// TestPluginsReachPublicAddressesOnly: a host that a lane may send requests to is
// one of the public internet, also where its name resolves to this network.
func TestPluginsReachPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"1.1.1.1:443": true, "[2606:4700::1111]:443": true,
		"127.0.0.1:443": false, "169.254.169.254:80": false, "[64:ff9b::a9fe:a9fe]:443": false, "no address": false} {
		if got := public(address); got != want {
			t.Errorf("%s: public is %t, want %t", address, got, want)
		}
	}
}
