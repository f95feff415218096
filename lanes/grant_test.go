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
