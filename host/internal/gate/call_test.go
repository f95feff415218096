package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// TestWhoPushes: at a server's gate as the git server says, elsewhere the system's user; nothing that a terminal obeys.
func TestWhoPushes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gate, env          string // variables separated by commas
		pusher, named, who string
	}{
		"no one":                    {"pre-receive", "", "", "", "an unknown user"},
		"gitolite":                  {"pre-receive", "GL_USER=ann,USER=git", "ann", "ann", "git"},
		"Gitea":                     {"pre-receive", "GITEA_PUSHER_NAME=bob,USER=git", "bob", "bob", "git"},
		"soft-serve":                {"post-receive", "SOFT_SERVE_USERNAME=cid", "cid", "cid", "an unknown user"},
		"a web server":              {"post-receive", "REMOTE_USER=dan", "dan", "dan", "an unknown user"},
		"the first that is named":   {"pre-receive", "REMOTE_USER=dan,GL_USER=ann", "ann", "ann", "an unknown user"},
		"only the system's user":    {"pre-receive", "USER=git", "git", "", "git"},
		"only a login name":         {"pre-receive", "LOGNAME=git", "git", "", "an unknown user"},
		"a server's name elsewhere": {"pre-push", "GL_USER=ann,USER=me", "me", "", "me"},
		"a login name elsewhere":    {"pre-push", "LOGNAME=me", "", "", "an unknown user"},
		"the last value counts":     {"pre-receive", "GL_USER=ann,GL_USER=eve", "eve", "eve", "an unknown user"},
		"an empty name":             {"pre-receive", "GL_USER=,USER=git", "git", "", "git"},
		"a name with escapes":       {"pre-receive", "GL_USER=\x1b[2Jann\u202e,USER=\x1b[1mgit", "ann", "ann", "git"},
	} {
		call := Call{Gate: c.gate, Env: strings.Split(c.env, ",")}
		if p, n, w := call.Pusher(), call.NamedPusher(), call.Who(); p != c.pusher || n != c.named || w != c.who {
			t.Errorf("%s: pusher %q, named %q, who %q", name, p, n, w)
		}
	}
}

// TestGates: which gates are a server's, and which lanes a run by hand asks for.
func TestGates(t *testing.T) {
	t.Parallel()
	for gate, c := range map[string]struct {
		receives, refs bool
		lanes          string
	}{
		"pre-receive": {true, false, "pre-receive"}, "post-receive": {true, false, "post-receive"},
		"pre-push": {false, true, "pre-push"}, "manual": {false, true, "pre-push"},
		"pre-commit": {false, false, "pre-commit"}, "commit-msg": {false, false, "commit-msg"},
		"schedule": {false, false, "schedule"}, "Pre-Receive": {false, false, "Pre-Receive"},
	} {
		call := Call{Gate: gate}
		if call.Receives() != c.receives || hookUpdate(gate) != c.refs || call.laneGate() != c.lanes {
			t.Errorf("%s: %t, %t, %s", gate, call.Receives(), hookUpdate(gate), call.laneGate())
		}
	}
	call := Call{Args: []string{"origin"}, Env: []string{"A=1", "A", "B=x=y", "A=2"}}
	if call.Arg(0) != "origin" || call.Arg(1) != "" || call.url() != "(no URL)" || call.Getenv("A") != "2" ||
		call.Getenv("B") != "x=y" || call.Getenv("C") != "" {
		t.Errorf("%q %q %q %q", call.Arg(1), call.url(), call.Getenv("A"), call.Getenv("B"))
	}
	if call.Args = append(call.Args, "https://example.org"); call.url() != "https://example.org" {
		t.Errorf("url %q", call.url())
	}
}

// TestPolicyOfACall: at a server's gate no variable and no file of the pusher's home has a say.
func TestPolicyOfACall(t *testing.T) {
	t.Parallel()
	home, machine := t.TempDir(), filepath.Join(t.TempDir(), "machine.toml")
	own := filepath.Join(home, ".config", "pushlane", "config.toml")
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{own: "no_lanes = \"accept\"\n", machine: "parallel = 7\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		gate     string
		config   bool // the machine's policy is named
		parallel bool // it counts
		noLanes  string
	}{
		"a server":                        {"pre-receive", true, true, "refuse"},
		"a server after the push":         {"post-receive", true, true, "refuse"},
		"a developer":                     {"pre-push", true, true, "refuse"},
		"a developer, of the own home":    {"pre-push", false, false, "accept"},
		"a server, not of anybody's home": {"pre-receive", false, false, "refuse"},
	} {
		for variable := range map[string]bool{"": true, "PUSHLANE_NO_LANES=accept": true} {
			call := Call{Gate: c.gate, Env: []string{"HOME=" + home, variable}}
			if c.config {
				call.Env = append(call.Env, "PUSHLANE_CONFIG="+machine)
			}
			p, err := call.Policy()
			want := c.noLanes
			if variable != "" && !call.Receives() {
				want = "accept"
			}
			if err != nil || p.NoLanes != want || (p.Parallel == 7) != c.parallel {
				t.Errorf("%s with %q: no_lanes %s, parallel %d, %v", name, variable, p.NoLanes, p.Parallel, err)
			}
		}
	}
}

// TestPushID: one name for all hooks of a push, and another for every other push.
func TestPushID(t *testing.T) {
	t.Parallel()
	call := func(change func(*Call)) string {
		c := Call{Gate: "pre-receive", Dir: "/srv/app.git", Stdin: []byte("a b refs/heads/main\n"),
			Env: []string{"PUSHLANE_PUSH=1.2"}}
		change(&c)
		return c.PushID()
	}
	one := call(func(*Call) {})
	if len(one) != 32 || call(func(c *Call) { c.Gate = "post-receive" }) != one ||
		call(func(c *Call) { c.Env = append(c.Env, "X=1") }) != one {
		t.Errorf("%s is not one push", one)
	}
	for name, change := range map[string]func(*Call){
		"another process":    func(c *Call) { c.Env = []string{"PUSHLANE_PUSH=1.3"} },
		"another repository": func(c *Call) { c.Dir = "/srv/b.git" },
		"other lines":        func(c *Call) { c.Stdin = []byte("a c refs/heads/main\n") },
	} {
		if call(change) == one {
			t.Errorf("%s: the same push", name)
		}
	}
	if got := call(func(c *Call) { c.Origin = "named" }); got != "named" {
		t.Errorf("a push with a name: %s", got)
	}
}

// TestReadConfig: a lanes file that a person names and that cannot be read is wrong use.
func TestReadConfig(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none.toml")
	_, err := readConfig(none)
	if want := "cannot read lanes file: open " + none + ": no such file or directory"; err == nil ||
		err.Error() != want ||
		!problem.IsUsage(err) {
		t.Errorf("got %v", err)
	}
}
