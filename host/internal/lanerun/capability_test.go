package lanerun

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// TestEachCapability: a plugin has what its manifest asks for, its lane grants and the policy allows, and nothing that
// one of them leaves out.
func TestEachCapability(t *testing.T) {
	t.Parallel()
	for _, name := range everyCapability() {
		manifest, grant := manifestOf(name, "x.org"), granted(name, "x.org")
		policy := config.Policy{Capabilities: []string{name}, HTTPHosts: []string{"*"}}
		others := config.Policy{Capabilities: slices.DeleteFunc(everyCapability(),
			func(c string) bool { return c == name }), HTTPHosts: []string{"*"}}
		for what, c := range map[string]struct {
			manifest sdk.Manifest
			grant    lanes.Grant
			policy   config.Policy
			has      bool
		}{
			"all three":            {manifest, grant, policy, true},
			"not in the manifest":  {sdk.Manifest{}, grant, policy, false},
			"not in the lane":      {manifest, lanes.Grant{}, policy, false},
			"not in the policy":    {manifest, grant, others, false},
			"nothing but a policy": {sdk.Manifest{}, lanes.Grant{}, policy, false},
		} {
			p := permitted(c.manifest, c.grant, c.policy)
			if p.has(name) != c.has || len(p) != len(p.names(c.manifest)) || (len(p) == 1) != c.has {
				t.Errorf("%s, %s: %v", name, what, p)
			}
		}
	}
}

// TestReach: of hosts, secrets and variables what manifest, lane and policy have in common.
func TestReach(t *testing.T) {
	t.Parallel()
	items := []string{"a.org", "b.org", "c.net"}
	hosts := config.Policy{Capabilities: everyCapability(), HTTPHosts: []string{"*.org", "a.org"}}
	within := func(a config.Allow) config.Policy {
		p := hosts
		a.Repository = "*"
		p.Allows = []config.Allow{a}
		return p.Within(zone.Zone{Repository: "/r", Trust: zone.Protected}, "deploy", false)
	}
	for name, c := range map[string]struct {
		capability string
		scope      []string
		policy     config.Policy
		want       string
	}{
		"hosts that the policy has":   {"http", []string{all}, hosts, "a.org b.org"},
		"hosts that the manifest has": {"http", []string{"b.org", "c.net", "d.org"}, hosts, "b.org"},
		"no scope":                    {"http", nil, hosts, ""},
		"hosts that a table has": {"http", []string{all}, within(config.Allow{HTTP: []string{"b.org", "c.net"}}),
			"b.org"},
		"secrets": {"secret", []string{all}, hosts, "a.org b.org c.net"},
		"secrets that a table has": {"secret", []string{all}, within(config.Allow{Secrets: []string{"c.net"}}),
			"c.net"},
		"secrets that the manifest has": {"secret", []string{"a.org"}, hosts, "a.org"},
		"variables":                     {"env", []string{all}, hosts, "a.org b.org c.net"},
		"variables that a table has": {"env", []string{all}, within(config.Allow{Env: []string{"a.org"}}),
			"a.org"},
		"variables that the manifest has": {"env", []string{"B.ORG", "b.org"}, hosts, "b.org"},
	} {
		p := permitted(manifestOf(c.capability, c.scope...), granted(c.capability, items...), c.policy)
		if got := strings.Join(p[c.capability].items, " "); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
		for _, item := range append(items, "d.org", "", all) {
			if want := strings.Contains(" "+c.want+" ", " "+item+" ") && item != ""; p.reaches(c.capability,
				item) != want {
				t.Errorf("%s: %q is reached: %t", name, item, !want)
			}
		}
	}
}

// TestSees: a path has to be in what the manifest asks for and in what the lane grants.
func TestSees(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scope, files []string
		yes, no      string
		patterns     int
	}{
		"every file":            {nil, nil, "a b/c", "", 0},
		"a scope of all":        {[]string{"*.go", all}, nil, "a b/c", "", 0},
		"what the plugin asks":  {[]string{"**/*.go"}, nil, "a.go b/c.go", "a b/c.GO", 1},
		"what the lane grants":  {[]string{all}, []string{"src/**", "docs/*"}, "src/a/b docs/a", "a docs/a/b", 2},
		"both":                  {[]string{"**/*.go"}, []string{"src/**"}, "src/a.go", "a.go src/a.txt", 2},
		"a pattern that is bad": {[]string{"[a"}, nil, "", "a [a", 1},
		"one of two is bad":     {[]string{"[a", "b"}, nil, "b", "a", 2},
	} {
		grant := granted("repo.read", c.files...)
		p := permitted(manifestOf("repo.read", c.scope...), grant, config.Policy{Capabilities: everyCapability()})
		for want, paths := range map[bool]string{true: c.yes, false: c.no} {
			for path := range strings.FieldsSeq(paths) {
				if p.sees(path) != want {
					t.Errorf("%s: %s is seen: %t", name, path, !want)
				}
			}
		}
		if p.patterns() != c.patterns || p.limited() != (c.patterns > 0) {
			t.Errorf("%s: %d patterns, limited %t", name, p.patterns(), p.limited())
		}
	}
}

// TestDenials: who would have to give what is missing, for each capability.
func TestDenials(t *testing.T) {
	t.Parallel()
	grants := map[string]string{"repo.read": "read = true", "repo.history": "history = true",
		"container":         "container = true",
		"container.network": "network = true", "http": `http = ["api.example.org"]`, "secret": `secrets = ["NAME"]`,
		"kv":    "kv = true",
		"clock": "clock = true", "env": `env = ["NAME"]`}
	open := config.Policy{Capabilities: everyCapability(), HTTPHosts: []string{"*"}}
	for _, name := range everyCapability() {
		asks := moduleThatAsks(t, "x.org", name)
		beyond := slices.Contains([]string{"http", "secret", "env", "container.network"}, name)
		for what, c := range map[string]struct {
			of     *Lane
			want   string
			beyond bool // said only of what reaches beyond the run
		}{
			"by the manifest": {laneThatAsks(t, onMain, moduleThatAsks(t, "x.org"), granted(name, "x.org"), open),
				`plugin "look" used capability ` + name + `, which its manifest does not ask for; hint: `, false},
			"by the lane": {laneThatAsks(t, onMain, asks, lanes.Grant{}, open), `plugin "look" asks for ` + name +
				`, which lane "deploy" does not grant; hint: grant it in the lane:` + "\n[lane.grant]\n" +
				grants[name], false},
			"by the policy": {laneThatAsks(t, onMain, asks, granted(name, "x.org"), config.Policy{}),
				`plugin "look" asks for ` +
					name + ", which the policy of this host does not allow; hint: the host's owner may add it to `capabilities` in " +
					"/etc/pushlane/config.toml", false},
			"on a branch": {laneThatAsks(t, onBranch, asks, granted(name, "x.org"), open),
				`plugin "look" asks for ` + name +
					`, which only runs of protected refs have, judged by protected lanes; hint: push to a protected branch whose ` +
					`lanes grant it, or take the grant out of lane deploy`, true},
		} {
			if c.beyond && !beyond {
				continue
			}
			if c.of.can(name) {
				t.Errorf("%s %s: it is allowed", name, what)
			}
			if got := said(c.of.denied(name)); got != c.want {
				t.Errorf("%s %s\n got %s\nwant %s", name, what, got, c.want)
			}
		}
	}
}

// TestOutside: what a capability does not reach, and who would have to widen it.
func TestOutside(t *testing.T) {
	t.Parallel()
	open := config.Policy{Capabilities: everyCapability(), HTTPHosts: []string{"x.org"}}
	bound := open
	bound.HTTPHosts = []string{"*"}
	bound.Allows = []config.Allow{{Repository: "*", HTTP: []string{"x.org"}, Env: []string{"CI"}}}
	for name, c := range map[string]struct {
		capability, scope string
		grant             lanes.Grant
		policy            config.Policy
		item              string
		want              string
	}{
		"a host that the lane grants not": {"http", all, granted("http", "x.org"), open, "y.org\x1b[2J",
			`plugin "look" asks for http "y.org", which lane "deploy" does not grant; hint: grant it in the lane:` +
				"\n[lane.grant]\n" + `http = ["y.org"]`},
		"a variable that the lane grants not": {"env", all, granted("env", "CI"), open, "HOME",
			`plugin "look" asks for env "HOME", which lane "deploy" does not grant; hint: grant it in the lane:` +
				"\n[lane.grant]\n" + `env = ["HOME"]`},
		"a host that the policy has not": {"http", all, granted("http", "x.org", "y.org"), open, "y.org",
			`plugin "look" asks for http "y.org", which the policy of this host does not allow; hint: the host's owner may ` +
				"add it to `http.hosts` in /etc/pushlane/config.toml"},
		"a host that no table has": {"http", all, granted("http", "x.org", "y.org"), bound, "y.org",
			`plugin "look" asks for http "y.org", which the policy of this host does not allow lane "deploy" of this ` +
				`repository; hint: the host's owner may add it to an [[allow]] of /srv/app.git in /etc/pushlane/config.toml`},
		"a variable that no table has": {"env", all, granted("env", "CI", "HOME"), bound, "HOME",
			`plugin "look" asks for env "HOME", which the policy of this host does not allow lane "deploy" of this ` +
				`repository; hint: the host's owner may add it to an [[allow]] of /srv/app.git in /etc/pushlane/config.toml`},
		"a host that the manifest has not": {"http", "x.org", granted("http", "x.org", "y.org"), config.Policy{
			Capabilities: everyCapability(), HTTPHosts: []string{"*"}}, "y.org",
			`plugin "look" used http "y.org", which its manifest does not ask for; hint: `},
	} {
		l := laneThatAsks(t, onMain, moduleThatAsks(t, c.scope, c.capability), c.grant, c.policy)
		if l.permits.reaches(c.capability, c.item) {
			t.Errorf("%s: it is reached", name)
		}
		if got := said(l.outside(c.capability, c.item)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestRefuse: a denial is an answer with its words and hint, and not all of many are put on record.
func TestRefuse(t *testing.T) {
	t.Parallel()
	l := laneThatAsks(t, onMain, moduleThatAsks(t, all), lanes.Grant{}, config.Policy{})
	var last *wasm.OpError
	for i := range maxDenials + 5 {
		err := l.refuse(t.Context(), problem.WithHint(fmt.Errorf("denial %d", i), "ask the owner"))
		if !errors.As(err, &last) || last.Code != wasm.Denied || last.Message != fmt.Sprint("denial ", i) ||
			last.Hint != "ask the owner" {
			t.Fatalf("got %+v", err)
		}
	}
	lines := strings.Join(l.log.lines(), "\n")
	if !strings.Contains(lines, fmt.Sprint("denied: denial ", maxDenials-1)) ||
		strings.Contains(lines, fmt.Sprint("denied: denial ", maxDenials)) {
		t.Errorf("the log ends with\n%s", lines)
	}
}

// TestIdentity: values of a plugin are those of its name and of who was found to have signed it, else of its bytes; of
// one zone.
func TestIdentity(t *testing.T) {
	t.Parallel()
	m, other := moduleThatAsks(t, all), moduleThatAsks(t, all, "kv")
	if identity(m, "") != "sha256:"+m.Digest() || identity(m, "") == identity(other, "") {
		t.Errorf("unsigned: %s, %s", identity(m, ""), identity(other, ""))
	}
	if identity(m, "ann@x") != "look signed by ann@x" || identity(other, "ann@x") != identity(m, "ann@x") ||
		identity(m, "bob@x") == identity(m, "ann@x") {
		t.Errorf("signed: %s", identity(m, "ann@x"))
	}
	seen := map[store.Space]bool{}
	for _, where := range []judging{onMain, onBranch, onFirst, onMine} {
		l := laneThatAsks(t, where, m, lanes.Grant{}, config.Policy{})
		l.who = identity(m, "")
		seen[l.space()] = true
		if l.space().Zone.Repository != "/srv/app.git" || l.space().Plugin != l.who {
			t.Errorf("%+v", l.space())
		}
	}
	if len(seen) != 3 { // a branch and a first push share one
		t.Errorf("spaces %v", seen)
	}
	l := &Lane{access: &access{}}
	l.dependsOutside("the first")
	l.dependsOutside("the second")
	if l.uncacheableWhy != "the first" {
		t.Errorf("why: %q", l.uncacheableWhy)
	}
}

// TestPusherOfALane: as the git server named the pusher; the name of a system's user counts for nothing.
func TestPusherOfALane(t *testing.T) {
	t.Parallel()
	l := laneThatAsks(t, onMain, moduleThatAsks(t, all), lanes.Grant{}, config.Policy{})
	call := gate.Call{Gate: "pre-receive", Env: []string{"USER=git"}}
	l.j.Asked = call.Asked()
	if l.Pusher() != "" {
		t.Errorf("everyone is one user: %q", l.Pusher())
	}
	call.Env = append(call.Env, "GL_USER=ann")
	l.j.Asked = call.Asked()
	if l.Pusher() != "ann" {
		t.Errorf("got %q", l.Pusher())
	}
}

// TestMayFetch: an address in a branch's lock is the pusher's, and is not asked.
func TestMayFetch(t *testing.T) {
	t.Parallel()
	for where, want := range map[judging]bool{onMain: true, onMine: true, onBranch: false, onFirst: false} {
		for _, lets := range []bool{true, false} {
			l := laneThatAsks(t, where, moduleThatAsks(t, all), lanes.Grant{}, config.Policy{FetchPlugins: lets})
			if (modules{l.access}).mayFetch() != (want && lets) {
				t.Errorf("%+v, fetch_plugins %t: %t", where, lets, (modules{l.access}).mayFetch())
			}
		}
	}
}
