package lanes

import (
	"fmt"
	"testing"
)

// Each capability is granted by the line that hints show, and by no other.
func TestGrantLines(t *testing.T) {
	t.Parallel()
	for _, name := range Capabilities() {
		text := "version = 1\n[[lane]]\nid = \"a\"\nplugin = \"p\"\n[lane.grant]\nread = false\nhistory = false\n"
		switch name {
		case "repo.read":
			text = "version = 1\n[[lane]]\nid = \"a\"\nplugin = \"p\"\n[lane.grant]\nhistory = false\n"
		case "repo.history":
			text = "version = 1\n[[lane]]\nid = \"a\"\nplugin = \"p\"\n[lane.grant]\nread = false\n"
		}
		set, err := Load("lanes.toml", []byte(text+GrantHint(name)+"\n"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, other := range Capabilities() {
			if set.Lanes[0].Grant.Gives(other) != (other == name) {
				t.Errorf("%s grants %s: %t", GrantHint(name), other, other != name)
			}
		}
	}
}

// A network is true, false or a list of names; what an address would match is not a name.
func TestGrantNetwork(t *testing.T) {
	t.Parallel()
	const head = "version = 1\n[[lane]]\nid = \"a\"\nplugin = \"p\"\n[lane.grant]\nnetwork = "
	for value, want := range map[string]string{
		"true": "true []", "false": "false []", "[]": "false []",
		`["registry.example.org", "*.example.org:8443", "*"]`: "false [registry.example.org *.example.org:8443 *]",
	} {
		set, err := Load("lanes.toml", []byte(head+value+"\n"))
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		g := set.Lanes[0].Grant
		if got := fmt.Sprint(g.Network, " ", g.Names); got != want ||
			g.Gives("container.network") != (value != "false" && value != "[]") {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
	for _, value := range []string{"127.0.0.1", "::1", "0x7f.1", "1", "a.org:0", "https://a.org", "A.org", "a.org/",
		"*a.org", "a.*.org", "", "a b"} {
		_, err := Load("lanes.toml", []byte(head+fmt.Sprintf("[%q]\n", value)))
		want := fmt.Sprintf("lanes.toml:6: grant.network: %q is not a name, such as \"registry.example.org\", "+
			"\"*.example.org\" or \"example.org:8443\"", value)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", value, err, want)
		}
	}
	_, err := Load("lanes.toml", []byte(head+"\"a.org\"\n"))
	if want := "lanes.toml:6: grant.network must be true, false or a list of names, not a string"; err == nil ||
		err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestGrantItems(t *testing.T) {
	t.Parallel()
	g := Grant{HTTP: []string{"a.example", "b.example"}}
	for _, c := range []struct{ got, want string }{
		{GrantLine("http", g.Items("http")...), `http = ["a.example", "b.example"]`},
		{GrantHint("http"), `http = ["api.example.org"]`}, {GrantHint("secret"), `secrets = ["NAME"]`},
		{GrantLine("env"), `env = []`}, {GrantHint("container.network"), `network = ["registry.example.org"]`},
		{GrantLine("nonesuch"), ""}, {fmt.Sprint(g.Items("kv"), g.Gives("nonesuch"), g.Gives("secret")), "[] false false"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
