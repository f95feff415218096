package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
)

// TestWithin: what the runs of a zone have of what the policy allows.
func TestWithin(t *testing.T) {
	t.Parallel()
	const inner, more = "repo.read repo.history container", "kv clock"
	const everything = inner + " " + more + " http secret env container.network"
	allow := func(a Allow) []Allow {
		if a.Repository == "" {
			a.Repository = "*"
		}
		return []Allow{a}
	}
	for name, c := range map[string]struct {
		allows []Allow
		trust  zone.Trust
		strict bool
		want   string // capabilities
		net    bool   // networks of containers
	}{
		"one's own machine":                {nil, zone.Local, false, everything, true},
		"one's own machine, with tables":   {allow(Allow{}), zone.Local, false, everything, true},
		"one's own machine, its own lanes": {nil, zone.Local, true, everything, true},
		"a protected ref":                  {nil, zone.Protected, false, everything, true},
		"a protected ref, with a table of nothing": {allow(Allow{}), zone.Protected, false, inner + " " + more,
			false},
		"a table of secrets": {allow(Allow{Secrets: []string{"T"}}), zone.Protected, false, inner +
			" " + more + " secret", false},
		"a table of hosts": {allow(Allow{HTTP: []string{"x"}}), zone.Protected, false, inner + " " +
			more + " http", false},
		"a table of variables": {allow(Allow{Env: []string{"CI"}}), zone.Protected, false, inner + " " +
			more + " env", false},
		"a table of networks": {allow(Allow{Network: true}), zone.Protected, false, inner + " " + more +
			" container.network", true},
		"a branch": {nil, zone.Unprotected, false, inner + " " + more, false},
		"a branch, and a table of protected runs": {allow(Allow{HTTP: []string{"x"}, Network: true}),
			zone.Unprotected, false,
			inner + " " + more, false},
		"a branch, and a table for branches": {allow(Allow{HTTP: []string{"x"}, Network: true, Secrets: []string{"T"},
			Env: []string{"CI"}, Unprotected: true}), zone.Unprotected, false, inner + " " + more +
			" http container.network",
			true},
		"the first push": {nil, zone.Unprotected, true, inner, false},
		"the first push and a table": {allow(Allow{HTTP: []string{"x"}, Network: true, Unprotected: true}),
			zone.Unprotected,
			true, inner, false},
		"another repository's table": {allow(Allow{Repository: "/srv/b.git", Network: true}), zone.Protected, false,
			inner +
				" " + more, false},
	} {
		p := Policy{Capabilities: strings.Fields(everything), IncusNetworks: []string{"lan"}, Allows: c.allows}
		got := p.Within(zone.Zone{Repository: "/srv/app.git", Trust: c.trust}, "deploy", c.strict)
		want := slices.Sorted(slices.Values(strings.Fields(c.want)))
		if have := slices.Sorted(slices.Values(got.Capabilities)); !slices.Equal(have, want) {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
		if (len(got.IncusNetworks) > 0) != c.net {
			t.Errorf("%s: networks %q", name, got.IncusNetworks)
		}
		if len(p.Capabilities) != 9 || len(p.IncusNetworks) != 1 {
			t.Errorf("%s: the policy itself was changed", name)
		}
	}
	few := Policy{Capabilities: []string{"kv"}, Allows: allow(Allow{HTTP: []string{"x"}})}
	if got := few.Within(zone.Zone{Repository: "/r", Trust: zone.Protected}, "l", false); len(got.Capabilities) != 1 {
		t.Errorf("a table gives more than the policy has: %q", got.Capabilities)
	}
}

// TestLets: which items of a capability a run may reach; tables add up, and another zone's give nothing.
func TestLets(t *testing.T) {
	t.Parallel()
	p := Policy{Allows: []Allow{
		{Repository: "/srv/app.git", Secrets: []string{"A"}, HTTP: []string{"*.org"}},
		{Repository: "*", Lanes: []string{"deploy"}, Secrets: []string{"B"}, Env: []string{"CI"}},
		{Repository: "*", Lanes: []string{"test"}, Secrets: []string{"C"}},
		{Repository: "/srv/app.git", HTTP: []string{"open.net"}, Secrets: []string{"D"}, Env: []string{"X"},
			Unprotected: true}}}
	for name, c := range map[string]struct {
		of   Policy
		want string
	}{
		"no tables": {Policy{}.Within(zone.Zone{Repository: "/srv/app.git", Trust: zone.Protected}, "deploy", false),
			"secret A, secret B, secret C, secret D, env CI, env X, http a.org, http open.net, http b.net, kv x"},
		"a protected ref": {p.Within(zone.Zone{Repository: "/srv/app.git", Trust: zone.Protected}, "deploy", false),
			"secret A, secret B, secret D, env CI, env X, http a.org, http open.net, kv x"},
		"another lane": {p.Within(zone.Zone{Repository: "/srv/app.git", Trust: zone.Protected}, "test", false),
			"secret A, secret C, secret D, env X, http a.org, http open.net, kv x"},
		"another repository": {p.Within(zone.Zone{Repository: "/srv/b.git", Trust: zone.Protected}, "deploy", false),
			"secret B, env CI, kv x"},
		"a branch": {p.Within(zone.Zone{Repository: "/srv/app.git"}, "deploy", false),
			"http open.net, kv x"},
		"a branch without tables": {Policy{}.Within(zone.Zone{Repository: "/srv/app.git"}, "deploy", false), "kv x"},
		"the first push":          {p.Within(zone.Zone{Repository: "/srv/app.git"}, "deploy", true), "kv x"},
		"one's own machine": {p.Within(zone.Zone{Repository: "/srv/app.git", Trust: zone.Local}, "deploy", false),
			"secret A, secret B, secret C, secret D, env CI, env X, http a.org, http open.net, http b.net, kv x"},
	} {
		var got []string
		for _, item := range []string{"secret A", "secret B", "secret C", "secret D", "env CI", "env X", "http a.org",
			"http open.net", "http b.net", "kv x"} {
			if capability, what, _ := strings.Cut(item, " "); c.of.Lets(capability, what) {
				got = append(got, item)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, strings.Join(got, ", "), c.want)
		}
	}
}

// TestRepositories: a repository is known by its full path; a folder's name is anyone's.
func TestRepositories(t *testing.T) {
	t.Parallel()
	p := Policy{Repositories: []Repository{{Path: "/srv/team/app.git/", Name: "team/app"}}}
	for name, c := range map[string]struct {
		allow, at string
		want      bool
	}{
		"its path":                   {"/srv/team/app.git", "/srv/team/app.git", true},
		"a pattern":                  {"/srv/*/app.git", "/srv/team/app.git", true},
		"a star is one name":         {"/srv/*", "/srv/team/app.git", false},
		"its name":                   {"team/app", "/srv/team/app.git", true},
		"its name, of a namesake":    {"team/app", "/home/eve/team/app.git", false},
		"a folder's name":            {"app", "/srv/team/app.git", false},
		"all":                        {"*", "/home/eve/app.git", true},
		"a path that begins with it": {"/srv/team/app.git", "/srv/team/app.git/x", false},
		"another case":               {"/srv/team/App.git", "/srv/team/app.git", false},
	} {
		z := zone.Zone{Repository: c.at, Trust: zone.Protected}
		if got := (Allow{Repository: c.allow}).reaches(p, z, "l"); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if names := p.RepositoryNames(); len(names) != 1 || names["/srv/team/app.git"] != "team/app" {
		t.Errorf("names %v", names)
	}
}

// TestCheckAllows: a table that could reach no repository, or anyone's, is refused.
func TestCheckAllows(t *testing.T) {
	t.Parallel()
	const bad = "cannot read the policy: "
	none := func(name string) string {
		return bad + `allow: repository "` + name +
			`" is not a full path, and no [[repository]] has that name; hint: ` +
			`write the path of its git directory, or "*" for all`
	}
	one := []Repository{{Path: "/srv/app.git", Name: "app"}}
	for name, c := range map[string]struct {
		repositories []Repository
		allow        string // "-": no table
		want         string
	}{
		"nothing":                {nil, "-", ""},
		"all":                    {nil, "*", ""},
		"a path":                 {nil, "/srv/app.git", ""},
		"a pattern":              {nil, "/srv/*.git", ""},
		"a name":                 {one, "app", ""},
		"a name of no one":       {one, "App", none("App")},
		"a pattern of names":     {one, "a*", none("a*")},
		"a pattern that is none": {nil, "/srv/[", none("/srv/[")},
		"a relative path":        {nil, "srv/app.git", none("srv/app.git")},
		"an empty one":           {nil, "", none("")},
		"a repository at a relative path": {[]Repository{{Path: "app.git", Name: "app"}}, "-",
			bad + `repository: path "app.git" is not absolute`},
		"a repository without a name": {[]Repository{{Path: "/a"}}, "-",
			bad + `repository: name "" of /a is empty, begins with a slash or holds a *`},
		"a name like a path": {[]Repository{{Path: "/a", Name: "/b"}}, "-",
			bad + `repository: name "/b" of /a is empty, begins with a slash or holds a *`},
		"a name like a pattern": {[]Repository{{Path: "/a", Name: "b*"}}, "-",
			bad + `repository: name "b*" of /a is empty, begins with a slash or holds a *`},
		"two of one name": {append(one, Repository{Path: "/b", Name: "app"}), "-", bad +
			`repository: two repositories have the name "app"`},
	} {
		p := Policy{Repositories: c.repositories}
		if c.allow != "-" {
			p.Allows = []Allow{{Repository: c.allow}}
		}
		err := p.checkAllows()
		got := ""
		if err != nil {
			if got = err.Error(); problem.Hint(err) != "" {
				got += "; hint: " + problem.Hint(err)
			}
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestAllowsHost: a host is named outright, with its port or any, or by the end of its name.
func TestAllowsHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allowed, yes, no string
	}{
		{"example.org", "example.org example.org:8443", "a.example.org example.org.evil notexample.org EXAMPLE.org"},
		{"example.org:8443", "example.org:8443", "example.org example.org:443"},
		{"*.example.org", "a.example.org a.b.example.org:1", "example.org evilexample.org a.example.org.evil"},
		{"*", "example.org 127.0.0.1:80", ""},
		{"a.org b.org", "a.org b.org", "c.org"},
		{"", "", "example.org"},
	} {
		for want, hosts := range map[bool]string{true: c.yes, false: c.no} {
			for host := range strings.FieldsSeq(hosts) {
				if AllowsHost(strings.Fields(c.allowed), host) != want {
					t.Errorf("%q lets %s: %t", c.allowed, host, !want)
				}
			}
		}
	}
}
