package config

import (
	"fmt"
	"testing"

	"github.com/pushlane/pushlane/host/internal/zone"
)

func TestNetworkKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"network.hosts = [\"*\", \"*.a.org:8443\"]\nnetwork.private = [\"10.1.2.0/24\", \"fd00::/8\"]": "",
		"network.hosts = [\"10.1.2.3\"]": `cannot read the policy: network.hosts: "10.1.2.3" is not a name such as ` +
			"registry.example.org, *.example.org or *.example.org:8443",
		"network.private = [\"10.1.2.3\"]": `cannot read the policy: network.private: "10.1.2.3" is not a block of ` +
			"addresses such as 10.1.2.0/24",
		"network.private = [\"10.1.2.3/24\"]": `cannot read the policy: network.private: "10.1.2.3/24" is not a block of ` +
			"addresses such as 10.1.2.0/24",
		"network.private = [\"127.0.0.1/32\"]": "cannot read the policy: network.private: 127.0.0.1/32 has addresses " +
			"of this machine or of its link",
		"network.private = [\"0.0.0.0/0\"]": "cannot read the policy: network.private: 0.0.0.0/0 has addresses of this " +
			"machine or of its link",
		"network.private = [\"169.254.169.254/32\"]": "cannot read the policy: network.private: 169.254.169.254/32 has " +
			"addresses of this machine or of its link",
		"network.private = [\"::ffff:10.0.0.0/104\"]": "cannot read the policy: network.private: ::ffff:10.0.0.0/104 has " +
			"addresses of this machine or of its link",
		"limits.network = \"much\"": `cannot read the policy: limits.network: ` +
			`"much" is not a size such as 512MiB or 2GiB`,
		"[[allow]]\nrepository = \"*\"\nnetwork = [\"*.a.org\"]": "",
		"[[allow]]\nrepository = \"*\"\nnetwork = true":          "",
		"[[allow]]\nrepository = \"*\"\nnetwork = \"a.org\"": "cannot read the policy: allow: network is a.org, want true, " +
			"false or a list of names",
		"[[allow]]\nrepository = \"*\"\nnetwork = [1]": "cannot read the policy: allow: network is [1], want true, " +
			"false or a list of names",
		"[[allow]]\nrepository = \"*\"\nnetwork = [\"a b\"]": `cannot read the policy: allow: network: "a b" is not a name ` +
			"such as registry.example.org, *.example.org or *.example.org:8443",
	} {
		_, err := Load(variables("HOME=/h", "PUSHLANE_CONFIG="+policyFile(t, text+"\n")))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestNetworkOfTables: a bridge reaches everything, so a table that lists names gives none.
func TestNetworkOfTables(t *testing.T) {
	t.Parallel()
	p := Policy{Capabilities: []string{"container", "container.network"}, IncusNetworks: []string{"lan"},
		NetworkHosts: []string{"*"}}
	for name, c := range map[string]struct {
		allows []Allow
		trust  zone.Trust
		want   string // bridges; a.org; b.org
	}{
		"no tables":           {nil, zone.Protected, "[lan] true true"},
		"no tables, a branch": {nil, zone.Unprotected, "[] false false"},
		"true":                {[]Allow{{Repository: "*", Network: true}}, zone.Protected, "[lan] true true"},
		"names":               {[]Allow{{Repository: "*", Network: []any{"a.org"}}}, zone.Protected, "[] true false"},
		"names and true": {[]Allow{{Repository: "*", Network: []any{"a.org"}}, {Repository: "*", Network: true}},
			zone.Protected, "[lan] true true"},
		"two lists": {[]Allow{{Repository: "*", Network: []any{"a.org"}}, {Repository: "*", Network: []any{"b.org"}}},
			zone.Protected, "[] true true"},
		"another table":   {[]Allow{{Repository: "*", HTTP: []string{"x"}}}, zone.Protected, "[] false false"},
		"names, a branch": {[]Allow{{Repository: "*", Network: []any{"a.org"}}}, zone.Unprotected, "[] false false"},
		"names for every branch": {[]Allow{{Repository: "*", Network: []any{"a.org"}, Unprotected: true}},
			zone.Unprotected, "[] true false"},
	} {
		p.Allows = c.allows
		of := p.Within(zone.Zone{Repository: "/srv/app.git", Trust: c.trust}, "l", false)
		got := fmt.Sprint(of.IncusNetworks, of.AllowsNetwork("a.org"), of.AllowsNetwork("b.org"))
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
