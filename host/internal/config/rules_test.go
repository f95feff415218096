package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// policyFile writes a policy of the host's own.
func policyFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// variables looks variables "KEY=value" up.
func variables(all ...string) func(string) string {
	return func(key string) string {
		for _, pair := range all {
			if name, value, _ := strings.Cut(pair, "="); name == key {
				return value
			}
		}
		return ""
	}
}

// TestDefaultsDeny: what no file says is what lets least.
func TestDefaultsDeny(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]func(func(string) string) (Policy, error){"server": LoadServer, "developer": Load} {
		p, err := load(variables("PUSHLANE_CONFIG=/dev/null", "HOME=/home/ann"))
		if err != nil {
			t.Fatal(err)
		}
		if p.OnUndecided != "refuse" || p.NoLanes != "refuse" || p.AllowDelete || p.AllowForce || len(p.Protect) > 0 ||
			len(p.IncusNetworks) > 0 || len(p.NetworkHosts) > 0 || len(p.NetworkPrivate) > 0 ||
			len(p.HTTPHosts) > 0 || len(p.ProxyAddresses) > 0 ||
			!slices.Equal(p.PushOptions, []string{OptionPriority}) || p.FetchPlugins != (name == "developer") {
			t.Errorf("%s: %+v", name, p)
		}
		for _, c := range []string{"http", "secret", "env"} {
			if slices.Contains(p.Capabilities, c) {
				t.Errorf("%s: %s is allowed where no one allowed it", name, c)
			}
		}
	}
}

// TestLayers: the machine's file, that of the home, variables, the later over the earlier; of a server the first alone.
func TestLayers(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	own := filepath.Join(home, ".config", "pushlane", "config.toml")
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("parallel = 3\nprotect = [\"own\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := "PUSHLANE_CONFIG=" + policyFile(t, "parallel = 5\ncache = \"/named/cache\"\n")
	at := "HOME=" + home
	for name, c := range map[string]struct {
		server bool
		env    []string
		want   string // parallel, protect, state, cache
	}{
		"the home's file": {false, []string{at}, "3 [own] " + home + "/.local/state/pushlane " + home +
			"/.cache/pushlane"},
		"a file that is named": {false, []string{at, named}, "5 [] " + home +
			"/.local/state/pushlane /named/cache"},
		"a variable over both": {false, []string{at, "PUSHLANE_PARALLEL=7", "PUSHLANE_PROTECT=a,refs/tags/*"},
			"7 [a refs/tags/*] " + home + "/.local/state/pushlane " + home + "/.cache/pushlane"},
		"folders of variables": {false, []string{at, "XDG_STATE_HOME=/s", "XDG_CACHE_HOME=/c"},
			"3 [own] /s/pushlane /c/pushlane"},
		"variables that are not paths": {false, []string{at, "XDG_STATE_HOME=s", "XDG_CACHE_HOME=c",
			"XDG_CONFIG_HOME=x"}, "3 [own] " + home + "/.local/state/pushlane " + home + "/.cache/pushlane"},
		"a state folder": {false, []string{at, "PUSHLANE_STATE=/st", "XDG_STATE_HOME=/s"},
			"3 [own] /st " + home + "/.cache/pushlane"},
		"a server": {true, []string{at, "PUSHLANE_STATE=/st", "PUSHLANE_PARALLEL=7",
			"PUSHLANE_CONFIG=/dev/null"}, "0 [] /st /st/cache"},
		"a server's file": {true, []string{at, "PUSHLANE_STATE=/st", named}, "5 [] /st /named/cache"},
		"a server, and a variable of a key": {true, []string{at, "PUSHLANE_STATE=/st", named, "PUSHLANE_PROTECT=x"},
			"5 [] /st /named/cache"},
	} {
		load := Load
		if c.server {
			load = LoadServer
		}
		p, err := load(variables(c.env...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.HasPrefix(c.want, "0 ") { // as many as processors
			p.Parallel = 0
		}
		if got := fmt.Sprint(p.Parallel, " ", p.Protect, " ", p.State, " ", p.Cache); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, got, c.want)
		}
	}
	if p, err := LoadServer(variables(at)); err == nil && (p.Parallel == 3 || slices.Contains(p.Protect, "own")) {
		t.Errorf("a server reads the policy of a home: %+v", p)
	}
	if tables, err := Load(variables("PUSHLANE_CONFIG=/dev/null", at, "PUSHLANE_ALLOW=x", "PUSHLANE_STATUS=x",
		"PUSHLANE_WEBHOOK=x", "PUSHLANE_ACCESS=x", "PUSHLANE_REPOSITORY=x")); err != nil || len(tables.Allows) > 0 {
		t.Errorf("tables of variables: %+v, %v", tables.Allows, err)
	}
}

// TestPolicyIsRead: a policy that is not understood is none, and is never half of one.
func TestPolicyIsRead(t *testing.T) {
	t.Parallel()
	const bad = "cannot read the policy: "
	const limits = bad + "limits.time, limits.processes and limits.containers must be above zero"
	known := "; hint: known keys: " + strings.Join(policyKeys(), ", ")
	for text, want := range map[string]string{
		"":                             "",
		"# only a remark":              "",
		"\ufeffparallel = 2":           "",
		"parallel = 1024":              "",
		"limits.fuel = 0":              "",
		"on_undecided = \"accept\"":    "",
		"on_undecided = \"pass\"":      bad + `on_undecided is "pass", want refuse or accept`,
		"no_lanes = \"\"":              bad + `no_lanes is "", want refuse or accept`,
		"protect = [\"main\", \"[a\"]": bad + `protect: bad pattern "[a": a [ has no ]`,
		"capabilities = [\"root\"]": bad + `capabilities is ["root"], want some of repo.read, repo.history, container, ` +
			`container.network, http, secret, kv, clock, env`,
		"push_options = [\"lane.all\"]": bad + `push_options is ["lane.all"], want some of lane.skip, lane.only and priority`,
		"parallel = 0":                  bad + "parallel is 0, want 1 to 1024",
		"parallel = 1025":               bad + "parallel is 1025, want 1 to 1024",
		"limits.time = \"0s\"":          limits,
		"limits.processes = 0":          limits,
		"limits.containers = -1":        limits,
		"limits.fuel = -1":              bad + "limits.fuel is -1, want units of work, or 0 for no limit",
		"limits.caches = \"much\"":      bad + `limits.caches: `,
		"limits.artifacts = \"-1GiB\"":  bad + `limits.artifacts: `,
		"limits.artifacts_total = \"\"": bad + `limits.artifacts_total: `,
		"limits.logs_total = \"1 2\"":   bad + `limits.logs_total: `,
		"sigstore_identities = [\"https://a b\"]": bad + "sigstore_identities needs sigstore_roots; hint: name the " +
			"instance's " +
			"trusted_root.json",
		"sigstore_roots = \"/r\"\nsigstore_identities = [\"b\"]": bad + `sigstore_identities: "b" is not an identity`,
		"state = \"state\"": bad + `state is "state" and cache "/home/ann/.cache/pushlane", want absolute paths; hint: ` +
			"set HOME, or state and cache in /etc/pushlane/config.toml",
		"cache = \"cache\"": bad + `state is "/home/ann/.local/state/pushlane" and cache "cache", want absolute paths; ` +
			`hint: ` +
			"set HOME, or state and cache in /etc/pushlane/config.toml",
		"parallel = \"many\"":  bad,
		"protekt = [\"main\"]": `FILE: unknown key "protekt"` + known,
		"Protect = [\"main\"]": `FILE: unknown key "Protect"` + known,
		"limits.cpus = 1":      `FILE: unknown key "limits.cpus"` + known,
		"only = 1":             `FILE: unknown key "only"` + known,
		"[[allow]]\nrepo = \"*\"": `FILE: unknown key "repo" in [[allow]]; hint: known keys: repository, lanes, ` +
			`secrets, http, env, network, images, unprotected`,
		"[[access]]\nname = \"a\"":  `FILE: unknown key "name" in [[access]]; hint: known keys: user, scope, repositories`,
		"[[webhook]]\nbody = \"a\"": `FILE: unknown key "body" in [[webhook]]; hint: known keys: `,
		"[[status]]\nname = \"a\"":  `FILE: unknown key "name" in [[status]]; hint: known keys: `,
		"allow = \"*\"":             `FILE: allow is not a list of tables, write [[allow]]; hint: known keys: `,
		"parallel = ":               "FILE: toml: ",
		"a = 1\na = 2":              "FILE: toml: ",
	} {
		file := policyFile(t, text)
		_, err := Load(variables("PUSHLANE_CONFIG="+file, "HOME=/home/ann"))
		got := ""
		if err != nil {
			got = strings.Replace(err.Error(), "cannot read policy "+file, "FILE", 1)
			if hint := problem.Hint(err); hint != "" {
				got += "; hint: " + hint
			}
		}
		if (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestPolicyFiles: a file that is there and cannot be believed is an error; /dev/null is an explicit empty policy.
func TestPolicyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := policyFile(t, strings.Repeat("#\n", maxPolicy/2+1))
	open := policyFile(t, "")
	pipe := filepath.Join(dir, "pipe")
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"/dev/null":    "",
		dir + "/none":  "",
		long:           "cannot read policy " + long + ": it is longer than 1 MiB",
		open:           "cannot use policy " + open + ": others may write it (mode 0666)",
		pipe:           "cannot read policy " + pipe + ": it is not a regular file",
		dir:            "cannot read policy " + dir + ": it is not a regular file",
		"/dev/zero":    "cannot read policy /dev/zero: it is not a regular file",
		dir + "/\x00x": "",
	} {
		_, err := LoadServer(variables("PUSHLANE_CONFIG="+file, "HOME=/home/ann"))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			if file != dir+"/\x00x" || err == nil { // a name that no file has is refused by the system
				t.Errorf("%q: %v", file, err)
			}
		}
	}
	for name, c := range map[string]struct{ env, want []string }{
		"of a user":      {[]string{"HOME=/home/ann"}, []string{PolicyFile, "/home/ann/.config/pushlane/config.toml"}},
		"of XDG":         {[]string{"HOME=/home/ann", "XDG_CONFIG_HOME=/x"}, []string{PolicyFile, "/x/pushlane/config.toml"}},
		"one that holds": {[]string{"HOME=/home/ann", "PUSHLANE_CONFIG=/c"}, []string{"/c"}},
	} {
		if got := PolicyFiles(variables(c.env...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestLimits: the ceilings of a container are those of the policy, none left out.
func TestLimits(t *testing.T) {
	t.Parallel()
	p, err := Load(variables("HOME=/h", "PUSHLANE_CONFIG="+policyFile(t, `limits.cpu = "3"
limits.memory = "1GiB"
limits.disk = "2GiB"
limits.caches = "3GiB"
limits.processes = 17
limits.time = "90s"
retention.runs = "48h"
incus.networks = ["lan"]
incus.images = ["debian"]
`)))
	if err != nil {
		t.Fatal(err)
	}
	l := p.ContainerLimits()
	if got := fmt.Sprintf("%v %v %v %v %v %v %v", l.CPU, l.Memory, l.Disk, l.Caches, l.Processes, l.Networks,
		l.Images); got != "3 1GiB 2GiB 3GiB 17 [lan] [debian]" {
		t.Errorf("limits %s", got)
	}
	if p.MaxTime != 90*time.Second || p.KeepRuns != 48*time.Hour {
		t.Errorf("times %s, %s", p.MaxTime, p.KeepRuns)
	}
}

// TestSignersOfAPolicy: plugins of others must be signed as soon as one signer is named.
func TestSignersOfAPolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p    Policy
		want bool
	}{
		"no one":     {Policy{SigstoreRoots: "/r"}, false},
		"keys":       {Policy{AllowedSigners: "/k"}, true},
		"identities": {Policy{SigstoreIdentities: []string{"https://a b"}}, true},
	} {
		if c.p.WantsSigned() != c.want {
			t.Errorf("%s: signed %t", name, !c.want)
		}
	}
	got, err := Policy{SigstoreIdentities: []string{"https://a b", "https://c d"}}.Identities()
	if err != nil || len(got) != 2 || got[0] == got[1] {
		t.Errorf("identities %v, %v", got, err)
	}
	if got, err := (Policy{SigstoreIdentities: []string{"https://a b", "c"}}).Identities(); err == nil || got != nil {
		t.Errorf("one of two is none: %v", got)
	}
}

// TestFilesOfAPolicy: what the host keeps to itself is listed, and what others may change is named.
func TestFilesOfAPolicy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sub := range []string{"plugins", "secrets"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, sub, "x.wasm"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := Policy{State: dir, Plugins: filepath.Join(dir, "plugins"), Secrets: filepath.Join(dir, "secrets"),
		DefaultLanes: filepath.Join(dir, "lanes.toml")}
	private := p.Private()
	for _, want := range []string{dir, p.Plugins, filepath.Join(p.Plugins, "x.wasm"), filepath.Join(p.Secrets, "x.wasm"),
		filepath.Join(dir, "lanes.lock"), SocketPath(dir)} {
		if !slices.Contains(private, want) {
			t.Errorf("%s is not private: %q", want, private)
		}
	}
	if errs := p.CheckFiles(); len(errs) > 0 {
		t.Errorf("%v", errs)
	}
	if err := os.Chmod(filepath.Join(p.Plugins, "x.wasm"), 0o602); err != nil {
		t.Fatal(err)
	}
	errs := p.CheckFiles()
	want := "cannot use plugin " + p.Plugins + "/x.wasm: others may write it (mode 0602)"
	if len(errs) != 1 || errs[0].Error() != want || problem.Hint(errs[0]) != "chmod go-w "+p.Plugins+"/x.wasm" {
		t.Errorf("%v", errs)
	}
	if err := CheckFolder(dir); err != nil {
		t.Error(err)
	}
	if (Policy{}).DefaultLock() != "" || p.DefaultLock() != filepath.Join(dir, LockName) {
		t.Errorf("lock %q", p.DefaultLock())
	}
}
