package egress

import (
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "nexus", "registry.example.org", "*.example.org", "*", "*:8443",
		"a-b.c_d.example.org",
		"xn--bcher-kva.example", "example.org:1", "*.example.org:65535", "1.example.org"} {
		if n, err := ParseName(good); err != nil || n.String() != good {
			t.Errorf("%s: %v %v", good, n, err)
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "*.", "**", "*a.org", "a.*.org", "A.org", "a b", "127.0.0.1",
		"0x7f.1",
		"1", "::1", "[::1]", "a:0", "a:65536", "a:+1", "a:01", "a:", "a:b", "a:1:2", "https://a.org", "a.org/", "u@a.org",
		"ä.org", "-a.org", "a-.org", "*.1", strings.Repeat("a.", 127) + "aa", strings.Repeat("a", 64) + ".org"} {
		if n, err := ParseName(bad); err == nil {
			t.Errorf("%q counts as a name: %v", bad, n)
		}
	}
	_, err := ParseName("10.0.0.1")
	want := `"10.0.0.1" is not a name such as registry.example.org, *.example.org or *.example.org:8443`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestAllows: without a port an entry has 443 and 80, a star has one label or more and never the name after it.
func TestAllows(t *testing.T) {
	t.Parallel()
	for entry, hosts := range map[string]map[string]bool{
		"example.org": {"example.org:443": true, "example.org:80": true, "example.org:22": false,
			"a.example.org:443": false},
		"*.example.org": {"a.example.org:443": true, "a.b.example.org:80": true, "example.org:443": false,
			"aexample.org:443": false},
		"*":                  {"a.org:443": true, "nexus:80": true, "a.org:8443": false},
		"*.example.org:8443": {"a.example.org:8443": true, "a.example.org:443": false},
		"example.org:443":    {"example.org:443": true, "example.org:80": false},
	} {
		n, err := ParseName(entry)
		if err != nil {
			t.Fatal(err)
		}
		for address, want := range hosts {
			host, port, _ := strings.Cut(address, ":")
			number, _ := parsePort(port)
			if n.allows(host, number) != want {
				t.Errorf("%s allows %s: %v", entry, address, !want)
			}
		}
	}
	if (Name{}).allows("", 443) || (Name{}).allows("a", 80) {
		t.Error("no name allows something")
	}
}

// TestCovers: what a policy's entry covers of a lane's is what it allows, for every name.
func TestCovers(t *testing.T) {
	t.Parallel()
	entries := []string{"a.org", "b.a.org", "*.a.org", "*.b.a.org", "*", "a.org:443", "*.a.org:443", "*:443", "a.org:22",
		"*:22", "*.a.org:80", "xa.org", "*.xa.org"}
	hosts := []string{"a.org", "b.a.org", "c.b.a.org", "xa.org", "b.xa.org", "org"}
	all, err := ParseNames(entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range all {
		for _, lane := range all {
			want := true
			for _, host := range hosts {
				for _, port := range []uint16{443, 80, 22} {
					want = want && (!lane.allows(host, port) || policy.allows(host, port))
				}
			}
			if got := policy.Covers(lane); got != want {
				t.Errorf("%s covers %s: %v", policy, lane, got)
			}
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("*.example.org:8443", "a.example.org")
	f.Fuzz(func(t *testing.T, text, host string) {
		n, err := ParseName(text)
		if err != nil {
			return
		}
		if again, err := ParseName(n.String()); err != nil || again != n {
			t.Errorf("%q is %v, which reads as %v (%v)", text, n, again, err)
		}
		if !n.Covers(n) {
			t.Errorf("%v does not cover itself", n)
		}
	})
}
