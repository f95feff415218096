package lanerun

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
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

// TestReadSecret: a secret is a regular file of the host's own that no one else can read, of a size that can be masked.
func TestReadSecret(t *testing.T) {
	t.Parallel()
	dir := secretsFolder(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(outside, []byte("outside of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	put("lines", "one\ntwo\r\n\n", 0o600)
	put("readonly", "secret", 0o400)
	put("five", "12345\n", 0o600)
	put("none", "", 0o600)
	put("most", strings.Repeat("x", maxSecret), 0o600)
	put("over", strings.Repeat("x", maxSecret+1), 0o600)
	put("world", "secret", 0o604)
	put("group", "secret", 0o640)
	put("written", "secret", 0o620)
	for name, target := range map[string]string{"inner": "TOKEN", "outer": outside, "dotted": "../outside"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ want, err string }{
		"TOKEN":      {"value of TOKEN", ""},
		"lines":      {"one\ntwo", ""},
		"readonly":   {"secret", ""},
		"inner":      {"value of TOKEN", ""},
		"most":       {strings.Repeat("x", maxSecret), ""},
		"over":       {"", "it is longer than 64 KiB"},
		"five":       {"", "it has 5 bytes, want 6 to 65536"},
		"none":       {"", "it has 0 bytes, want 6 to 65536"},
		"world":      {"", "others can read it"},
		"group":      {"", "others can read it"},
		"written":    {"", "others may write it (mode 0620)"},
		"folder":     {"", "it is not a file"},
		"pipe":       {"", "it is not a file"},
		"outer":      {"", "openat outer: path escapes from parent"},
		"dotted":     {"", "openat dotted: path escapes from parent"},
		"../outside": {"", "openat ../outside: path escapes from parent"},
		"missing":    {"", "openat missing: no such file or directory"},
	} {
		got, err := ReadSecret(dir, name)
		if string(got) != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := ReadSecret(filepath.Join(dir, "nowhere"), "TOKEN"); err == nil {
		t.Error("a folder that is not there has secrets")
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	want := "others may write " + dir + ", which leads to it (mode 0777)"
	if _, err := ReadSecret(dir, "TOKEN"); err == nil || err.Error() != want {
		t.Errorf("a folder that others may write: %v", err)
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
	want := `cannot read secret "TOKEN": others can read it; hint: write it to ` + dir +
		`/TOKEN, readable only by this host (chmod 600)`
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
	if len(l.masked) != 2 {
		t.Errorf("masked %q", l.masked)
	}
}
