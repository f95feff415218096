package lanerun

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// secretsFolder has TOKEN and OTHER in it, and is as private as it must be.
func secretsFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"TOKEN", "OTHER"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("value of "+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestWhoseSecrets: a lane run reads a secret that its manifest asks for, its lane grants and the policy lets this
// repository's protected lanes have; every other is refused in words that say who would have to allow it.
func TestWhoseSecrets(t *testing.T) {
	t.Parallel()
	dir := secretsFolder(t)
	const (
		zone = `plugin "look" asks for %s, which only runs of protected refs have, judged by protected lanes; hint: ` +
			`push to a protected branch whose lanes grant it, or take the grant out of lane deploy`
		repository = `plugin "look" asks for %s, which the policy of this host does not allow lane "deploy" of this ` +
			`repository; hint: the host's owner may add it to an [[allow]] of /srv/app.git in /etc/pushlane/config.toml`
		lane = `plugin "look" asks for secret%s, which lane "deploy" does not grant; hint: grant it in the lane:` +
			"\n[lane.grant]\n" + `secrets = ["%s"]`
		owner = `plugin "look" asks for secret, which the policy of this host does not allow; hint: the host's owner may ` +
			`add it to ` + "`capabilities`" + ` in /etc/pushlane/config.toml`
	)
	words := func(text string, of ...string) string {
		for _, w := range of {
			text = strings.Replace(text, "%s", w, 1)
		}
		return text
	}
	table := func(a config.Allow) []config.Allow { return []config.Allow{a} }
	both := []string{"TOKEN"}
	named := []config.Repository{{Path: "/srv/app.git/", Name: "team/app"}}
	for name, c := range map[string]struct {
		where  judging
		scope  string   // of the manifest; "-": it does not ask
		grants []string // of the lane
		no     bool     // the policy does not allow secrets
		allows []config.Allow
		want   string // the refusal; "": it is read
	}{
		"a protected ref":       {onMain, "TOKEN", both, false, nil, ""},
		"a scope of all":        {onMain, all, both, false, nil, ""},
		"one's own machine":     {onMine, "TOKEN", both, false, nil, ""},
		"another branch":        {onBranch, "TOKEN", both, false, nil, words(zone, "secret")},
		"the first push":        {onFirst, "TOKEN", both, false, nil, words(zone, "secret")},
		"the lane grants none":  {onMain, "TOKEN", nil, false, nil, words(lane, "", "NAME")},
		"the lane grants other": {onMain, "TOKEN", []string{"OTHER"}, false, nil, words(lane, ` "TOKEN"`, "TOKEN")},
		"the manifest asks not": {onMain, "-", both, false, nil,
			`plugin "look" used capability secret, which its manifest does not ask for; hint: `},
		"the manifest asks for another": {onMain, "OTHER", both, false, nil,
			`plugin "look" used secret "TOKEN", which its manifest does not ask for; hint: `},
		"the policy does not":              {onMain, "TOKEN", both, true, nil, owner},
		"the policy does not, on a branch": {onBranch, "TOKEN", both, true, nil, owner},
		"the policy does not, but for tables": {onMain, "TOKEN", both, true,
			table(config.Allow{Repository: "/srv/app.git", Secrets: both}), owner},
		"a table of this repository": {onMain, "TOKEN", both, false,
			table(config.Allow{Repository: "/srv/app.git", Secrets: both}), ""},
		"a table by pattern": {onMain, "TOKEN", both, false, table(config.Allow{Repository: "/srv/*.git", Secrets: both}),
			""},
		"a table of all": {onMain, "TOKEN", both, false, table(config.Allow{Repository: "*", Secrets: both}), ""},
		"a table by its name": {onMain, "TOKEN", both, false, table(config.Allow{Repository: "team/app", Secrets: both}),
			""},
		"a table of another name": {onMain, "TOKEN", both, false, table(config.Allow{Repository: "app", Secrets: both}),
			words(repository, "secret")},
		"a table of another repository": {onMain, "TOKEN", both, false,
			table(config.Allow{Repository: "/srv/b.git", Secrets: both}), words(repository, "secret")},
		"a pattern that is not of its folder": {onMain, "TOKEN", both, false,
			table(config.Allow{Repository: "/*.git", Secrets: both}), words(repository, "secret")},
		"a table of this lane": {onMain, "TOKEN", both, false,
			table(config.Allow{Repository: "*", Lanes: []string{"deploy"}, Secrets: both}), ""},
		"a table of another lane": {onMain, "TOKEN", both, false,
			table(config.Allow{Repository: "*", Lanes: []string{"Deploy", "test"}, Secrets: both}), words(repository, "secret")},
		"a table of another secret": {onMain, "TOKEN", both, false,
			table(config.Allow{Repository: "*", Secrets: []string{"OTHER", "token"}}), words(repository, `secret "TOKEN"`)},
		"a table of no secrets": {onMain, "TOKEN", both, false,
			table(config.Allow{Repository: "*", HTTP: []string{"*"}, Network: true}), words(repository, "secret")},
		"two tables": {onMain, "TOKEN", both, false, []config.Allow{{Repository: "/srv/b.git", Secrets: []string{"OTHER"}},
			{Repository: "*", Secrets: both}}, ""},
		"a table for branches too": {onBranch, "TOKEN", both, false,
			table(config.Allow{Repository: "*", Secrets: both, Unprotected: true}), words(zone, "secret")},
		"a table, the first push": {onFirst, "TOKEN", both, false,
			table(config.Allow{Repository: "*", Secrets: both, Unprotected: true}), words(zone, "secret")},
		"tables on one's own machine": {onMine, "TOKEN", both, false, table(config.Allow{Repository: "/x"}), ""},
	} {
		asks := []string{"repo.read", "secret"}
		if c.scope == "-" {
			asks = asks[:1]
		}
		policy := config.Policy{Secrets: dir, Capabilities: everyCapability(), Allows: c.allows, Repositories: named}
		if c.no {
			policy.Capabilities = []string{"repo.read"}
		}
		l := laneThatAsks(t, c.where, moduleThatAsks(t, c.scope, asks...), granted("secret", c.grants...), policy)
		value, err := l.secret("TOKEN")
		if got := said(err); got != c.want || (string(value) == "value of TOKEN") != (c.want == "") {
			t.Errorf("%s: %q\n got %s\nwant %s", name, value, got, c.want)
		}
		if got := l.unmasked("value of TOKEN"); (got == "***") != (err == nil) {
			t.Errorf("%s: the log shows %q", name, got)
		}
	}
}

// TestSecretThatCannotBeRead names the secret and where it would have to be, and nothing of it.
func TestSecretThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := secretsFolder(t)
	if err := os.Chmod(filepath.Join(dir, "TOKEN"), 0o644); err != nil {
		t.Fatal(err)
	}
	policy := config.Policy{Secrets: dir, Capabilities: everyCapability()}
	l := laneThatAsks(t, onMain, moduleThatAsks(t, all, "secret"), granted("secret", "TOKEN"), policy)
	_, err := l.secret("TOKEN")
	want := `cannot read secret "TOKEN": others can read it; hint: store it as the user of this host: ` +
		`pushlane secret set TOKEN`
	if got := said(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestContainerSecrets: all that a container asks for, or none; and its result is not used again.
func TestContainerSecrets(t *testing.T) {
	t.Parallel()
	policy := config.Policy{Secrets: secretsFolder(t), Capabilities: everyCapability()}
	for name, c := range map[string]struct {
		names []string
		want  int
		why   string // it cannot be cached
		err   string
	}{
		"none":                {nil, 0, "", ""},
		"two":                 {[]string{"TOKEN", "OTHER"}, 2, "it uses secrets", ""},
		"one is not granted":  {[]string{"TOKEN", "THIRD"}, 0, "it uses secrets", `plugin "look" asks for secret "THIRD"`},
		"one that is a path":  {[]string{"../TOKEN"}, 0, "it uses secrets", `plugin "look" asks for secret "../TOKEN"`},
		"one of another case": {[]string{"token"}, 0, "it uses secrets", `plugin "look" asks for secret "token"`},
	} {
		l := laneThatAsks(t, onMain, moduleThatAsks(t, all, "secret"), granted("secret", "TOKEN", "OTHER"), policy)
		got, err := l.containerSecrets(c.names)
		if len(got) != c.want || l.uncacheableWhy != c.why || (err == nil) != (c.err == "") ||
			err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: %q, %q, %v", name, got, l.uncacheableWhy, err)
		}
	}
}

// TestLanesOfTheCommitsThemselves: on a developer's machine, lanes that the judged commits change ask for no secrets;
// those of before, and a file that is named, do.
func TestLanesOfTheCommitsThemselves(t *testing.T) {
	t.Parallel()
	policy := config.Policy{Secrets: secretsFolder(t), Capabilities: everyCapability()}
	const refused = `plugin "look" asks for secret, which lanes do not have that the judged commits themselves change; ` +
		`hint: if the lanes are yours, name the file: pushlane run --config .pushlane/lanes.toml`
	for name, c := range map[string]struct {
		where judging
		rev   string // of the lanes; "": a file that is named
		path  string // that the commits change
		want  string
	}{
		"a changed lanes file":             {onMine, "1", ".pushlane/lanes.toml", refused},
		"a changed lock":                   {onMine, "1", ".pushlane/lanes.lock", refused},
		"a changed file in another place":  {onMine, "1", "ci/lanes.toml", refused},
		"another file":                     {onMine, "1", "sub/.pushlane/lanes.toml", ""},
		"a file that is named":             {onMine, "", ".pushlane/lanes.toml", ""},
		"a protected ref, by lanes before": {onMain, "1", ".pushlane/lanes.toml", ""},
	} {
		m := moduleThatAsks(t, all, "secret")
		l := laneThatAsks(t, c.where, m, granted("secret", "TOKEN"), policy)
		u := &l.j.Updates[0]
		u.LanesFile = gate.LanesFile{Rev: c.rev, Set: &lanes.Set{Source: ".pushlane/lanes.toml"}}
		u.Changes = []hooks.Change{{Path: c.path}}
		l.permits = permitted(m.Manifest(), l.lane().Grant, l.policy())
		if _, err := l.secret("TOKEN"); said(err) != c.want {
			t.Errorf("%s: %s\nwant %s", name, said(err), c.want)
		}
	}
}

// TestSecretVariablesByPolicy: the policy may let secrets be files only.
func TestSecretVariablesByPolicy(t *testing.T) {
	t.Parallel()
	policy := config.Policy{Secrets: secretsFolder(t), Capabilities: everyCapability(), MaxContainers: 8}
	files := sdk.Container{ID: "a", Secrets: []string{"TOKEN"}}
	variables := sdk.Container{ID: "b", SecretEnv: map[string]string{"X": "OTHER"}}
	const (
		byPolicy = `plugin "look" asks for secret "OTHER" as a variable, which the policy of this host does not ` +
			"allow; hint: read it from /run/secrets/OTHER, or have the host's owner " +
			"set `secret_variables = true` in /etc/pushlane/config.toml"
		byLane = `plugin "look" asks for secret "OTHER", which lane "deploy" does not grant; hint: grant it in the lane:` +
			"\n[lane.grant]\n" + `secrets = ["OTHER"]`
	)
	for _, c := range []struct {
		allowed bool
		ask     sdk.Container
		grant   []string
		want    string
	}{
		{false, files, []string{"TOKEN"}, ""}, {true, files, []string{"TOKEN"}, ""},
		{true, variables, []string{"OTHER"}, ""}, {false, variables, []string{"OTHER"}, byPolicy},
		{true, variables, []string{"TOKEN"}, byLane}, {false, variables, []string{"TOKEN"}, byLane},
	} {
		policy.SecretVariables = c.allowed
		l := laneThatAsks(t, onMain, moduleThatAsks(t, all, "secret"), granted("secret", c.grant...), policy)
		if got := said(l.allowSecrets(c.ask)); got != c.want {
			t.Errorf("%t, %v: %s\nwant %s", c.allowed, c.ask, got, c.want)
		}
	}
}

// TestHide: a plugin may have read a secret in a file of its container.
func TestHide(t *testing.T) {
	t.Parallel()
	l := &Lane{access: &access{}}
	l.mask([]byte("hush-hush"))
	r := Result{Reason: "got hush-hush", Findings: []sdk.Finding{{Message: "hush-hush!"}},
		progress: []string{"(hush-hush)"}}
	l.hide(&r)
	if r.Reason != "got ***" || r.Findings[0].Message != "***!" || r.progress[0] != "(***)" {
		t.Errorf("%+v", r)
	}
}

// TestMask: each line of a secret that is long enough is kept out of what containers print.
func TestMask(t *testing.T) {
	t.Parallel()
	l := &Lane{access: &access{}}
	l.mask([]byte("-----BEGIN KEY-----\n  MIIEpAIBAAKCAQEA  \nshort\n\nMIIEpAIBAAKCAQEA\n"))
	for text, want := range map[string]string{
		"key MIIEpAIBAAKCAQEA end":                "key *** end",
		"MIIEpAIBAAKCAQEAMIIEpAIBAAKCAQEA":        "******",
		"-----BEGIN KEY-----":                     "***",
		"short":                                   "short",
		"miiepaibaakcaqea":                        "miiepaibaakcaqea",
		"-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n": "***\n***\n",
	} {
		if got := l.unmasked(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	l = &Lane{access: &access{}}
	l.mask([]byte("a secret/b?"))
	l.mask([]byte("a secret/b?c"))
	for text, want := range map[string]string{
		"a secret/b?c":       "***",
		"x a secret/b?":      "x ***",
		"YSBzZWNyZXQvYj8=":   "***=",
		"YSBzZWNyZXQvYj9j":   "***",
		"?t=a+secret%2Fb%3F": "?t=***",
		"/a%20secret%2Fb%3F": "/***",
	} {
		if got := l.unmasked(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
