package lanerun

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/egress"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// TestWhoseNetwork: containers reach the names that the lane lists and the policy lets this repository's runs have; a
// list of which one name is not allowed is refused and not cut.
func TestWhoseNetwork(t *testing.T) {
	t.Parallel()
	const (
		owner = `lane "deploy" grants a network that reaches "%s", which the policy of this host does not allow; hint: ` +
			"the host's owner may add it to `network.hosts` in /etc/host.toml"
		table = `plugin "look" asks for network "%s", which the policy of this host does not allow lane "deploy" of this ` +
			`repository; hint: the host's owner may add it to an [[allow]] of /srv/app.git in /etc/host.toml`
		branch = `plugin "look" asks for container.network, which only runs of protected refs have, judged by protected ` +
			`lanes; hint: push to a protected branch whose lanes grant it, or take the grant out of lane deploy`
	)
	allow := func(network any, unprotected bool) []config.Allow {
		return []config.Allow{{Repository: "*", Network: network, Unprotected: unprotected}}
	}
	for name, c := range map[string]struct {
		where  judging
		grant  []string
		hosts  []string // of the policy
		allows []config.Allow
		want   string
	}{
		"any name":          {onMain, []string{"a.org", "*.b.org:8443"}, []string{"*", "*:8443"}, nil, ""},
		"one's own machine": {onMine, []string{"a.org"}, []string{"a.org"}, allow(false, false), ""},
		"no name":           {onMain, []string{"a.org"}, nil, nil, fmt.Sprintf(owner, "a.org")},
		"one of two":        {onMain, []string{"a.org", "b.org"}, []string{"a.org"}, nil, fmt.Sprintf(owner, "b.org")},
		"more than the policy": {onMain, []string{"*.a.org"}, []string{"x.a.org"}, nil,
			fmt.Sprintf(owner, "*.a.org")},
		"another port":   {onMain, []string{"a.org:22"}, []string{"*"}, nil, fmt.Sprintf(owner, "a.org:22")},
		"a table of all": {onMain, []string{"a.org"}, []string{"*"}, allow(true, false), ""},
		"a table of it":  {onMain, []string{"a.org"}, []string{"*"}, allow([]any{"*.org"}, false), ""},
		"a table of another": {onMain, []string{"a.org"}, []string{"*"}, allow([]any{"b.org"}, false),
			fmt.Sprintf(table, "a.org")},
		"a table beyond the policy": {onMain, []string{"a.org"}, []string{"b.org"}, allow(true, false),
			fmt.Sprintf(owner, "a.org")},
		"a branch":                   {onBranch, []string{"a.org"}, []string{"*"}, nil, branch},
		"a branch, a table of main":  {onBranch, []string{"a.org"}, []string{"*"}, allow(true, false), branch},
		"a branch, a table of names": {onBranch, []string{"a.org"}, []string{"*"}, allow([]any{"a.org"}, true), ""},
		"the first push":             {onFirst, []string{"a.org"}, []string{"*"}, allow(true, true), branch},
	} {
		policy := config.Policy{Capabilities: everyCapability(), NetworkHosts: c.hosts, Allows: c.allows}
		l := laneThatAsks(t, c.where, moduleThatAsks(t, all, "container", "container.network"),
			lanes.Grant{Container: true, Names: c.grant}, policy)
		got := said(l.allowNetwork(sdk.Container{Network: true}))
		got = strings.ReplaceAll(got, "/etc/pushlane/config.toml", "/etc/host.toml")
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		if err := l.allowNetwork(sdk.Container{}); err != nil {
			t.Errorf("%s, without a network: %v", name, err)
		}
		if !l.limits().Proxied {
			t.Errorf("%s: its containers would have a bridge", name)
		}
	}
}

func TestUnreached(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		"curl: (6) Could not resolve host: a.example.org":                                              "a.example.org",
		"fatal: unable to access 'https://a.org/x/': Could not resolve host: a.org":                    "a.org",
		"ssh: Could not resolve hostname b.org: Temporary failure in name resolution":                  "b.org",
		"  Could not resolve 'deb.example.org'":                                                        "deb.example.org",
		"npm ERR! network request to https://x failed, reason: getaddrinfo EAI_AGAIN npm.example.org":  "npm.example.org",
		"Error: getaddrinfo ENOTFOUND a.org":                                                           "a.org",
		"dial tcp: lookup proxy.example.org on 127.0.0.53:53: read: connection refused":                "proxy.example.org",
		"dial tcp: lookup proxy.example.org: Temporary failure in name resolution":                     "proxy.example.org",
		"wget: bad address 'a.org'":                                                                    "a.org",
		"wget: unable to resolve host address ‘a.org’":                                                 "a.org",
		"Name(\"<x>: Failed to resolve 'pip.example.org' ([Errno -3] Temporary failure":                "pip.example.org",
		"Could not resolve host: a.org\nCould not resolve host: B.org.\nCould not resolve host: a.org": "a.org b.org",
		"connect: Network is unreachable":                                                              "(none)",
		"socket.gaierror: [Errno -3] Temporary failure in name resolution":                             "(none)",
		"connect ENETUNREACH 1.2.3.4:443":                                                              "(none)",
		"Could not resolve host: 127.0.0.1":                                                            "(none)",
		"all tests passed":                                                                             "",
		"could not resolve merge conflicts":                                                            "",
		"":                                                                                             "",
	} {
		names, hit := unreachedIn(output)
		got := strings.Join(names, " ")
		if hit && got == "" {
			got = "(none)"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", output, got, want)
		}
	}
}

// TestNetworkWord: a command that failed for want of a network is told the line that gives it one.
func TestNetworkWord(t *testing.T) {
	t.Parallel()
	const lost = "curl: (6) Could not resolve host: a.org"
	use := &networkUse{names: map[string]*nameUse{}}
	refused := &networkUse{names: map[string]*nameUse{"b.org:443": {notGranted: true, refused: "x"},
		"c.org:8443": {notGranted: true, refused: "x"}, "a.org:443": {}}}
	for name, c := range map[string]struct {
		grant   lanes.Grant
		network bool
		use     *networkUse
		output  string
		want    string
	}{
		"no network": {lanes.Grant{}, false, use, lost,
			`this lane has no network; to let it reach a.org, write in [lane.grant]: network = ["a.org"]`},
		"no network, and no name": {lanes.Grant{}, false, use, "Network is unreachable",
			"this lane has no network; to allow " +
				`it, name in [lane.grant] what it needs: network = ["registry.example.org"]`},
		"another failure": {lanes.Grant{}, false, use, "1 test failed", ""},
		"a container without": {lanes.Grant{Names: []string{"a.org"}}, false, use, lost,
			"this container has no network: the lane grants one, and its settings do not use it"},
		"a bridge": {lanes.Grant{Network: true}, true, use, lost, ""},
		"names that are missing": {lanes.Grant{Names: []string{"a.org"}}, true, refused, lost, "the lane does not grant " +
			`b.org, c.org:8443; to allow it, write in [lane.grant]: network = ["a.org", "b.org", "c.org:8443"]`},
		"a program without a proxy": {lanes.Grant{Names: []string{"a.org"}}, true, use, lost,
			"names are found by the host's proxy alone: the program has to use it (HTTPS_PROXY, HTTP_PROXY)"},
		"names, another failure": {lanes.Grant{Names: []string{"a.org"}}, true, use, "1 test failed", ""},
	} {
		l := laneThatAsks(t, onMine, moduleThatAsks(t, all, "container", "container.network"), c.grant,
			config.Policy{Capabilities: everyCapability()})
		if got := l.networkWord(sdk.Container{Network: c.network}, c.use, c.output); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestNetworkUse: the proxy of a container listens where only this user can connect, ends with the container, and each
// request is in the log.
func TestNetworkUse(t *testing.T) {
	t.Parallel()
	l := laneThatAsks(t, onMine, moduleThatAsks(t, all, "container", "container.network"),
		lanes.Grant{Names: []string{"a.org"}}, config.Policy{Capabilities: everyCapability(), NetworkHosts: []string{"*"},
			MaxNetwork: "1MiB"})
	use, err := l.openNetwork(context.Background(), sdk.Container{ID: "c", Network: true})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(use.proxy.Socket)
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %s: %v %v", folder, info.Mode(), err)
	}
	conn, err := net.Dial("unix", use.proxy.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "CONNECT b.org:443 HTTP/1.1\r\nHost: b.org\r\n\r\n")
	conn.Read(make([]byte, 100))
	use.note(egress.Connection{Name: "a.org:443", Sent: 5, Received: 20_000_000, Took: time.Second})
	l.mask([]byte("a-secret"))
	use.note(egress.Connection{Name: "a-secret.org:443", Refused: "a-secret.org leads nowhere"})
	use.note(egress.Connection{Name: "c\x1b[31m.org:443", Failed: "connection refused"})
	for range maxNetworkLines {
		use.note(egress.Connection{Name: "a.org:443"})
	}
	use.end()
	if _, err := net.Dial("unix", use.proxy.Socket); err == nil {
		t.Error("the proxy outlives its container")
	}
	if missing := use.notGranted(); len(missing) != 1 || missing[0] != "b.org" {
		t.Errorf("not granted: %q", missing)
	}
	log := readLog(t, l)
	if strings.Contains(log, "a-secret") {
		t.Error("the log shows a secret")
	}
	for _, want := range []string{"network: b.org:443: refused: the lane does not grant a network that reaches b.org:443",
		"network: a.org:443: 5 bytes sent, 20 MB received, 1.0s", "network: c.org:443: failed: connection refused",
		"network: ***.org:443: refused: ***.org leads nowhere",
		"network: 4 more requests are not listed"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

// readLog is what a lane's log has so far.
func readLog(t *testing.T, l *Lane) string {
	t.Helper()
	text, err := os.ReadFile(l.logPath())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSocketsLeftBehind: sockets of killed hosts go, those of hosts that live stay.
// A folder with a long path is not used.
func TestSocketsLeftBehind(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("", "p")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	old := time.Now().Add(-time.Hour)
	listen := func() *net.UnixListener {
		t.Helper()
		l, err := listenUnix(folder)
		if err != nil {
			t.Fatal(err)
		}
		os.Chtimes(l.Addr().String(), old, old)
		return l.(*net.UnixListener)
	}
	dead, living := listen(), listen()
	dead.SetUnlinkOnClose(false)
	dead.Close()
	defer living.Close()
	defer listen().Close()
	if _, err := os.Lstat(dead.Addr().String()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dead socket: %v", err)
	}
	if _, err := os.Lstat(living.Addr().String()); err != nil {
		t.Errorf("a living socket: %v", err)
	}
	long, err := listenUnix(filepath.Join(folder, strings.Repeat("x", 90)))
	if err != nil {
		t.Fatal(err)
	}
	at := long.Addr().String()
	if err := long.Close(); err != nil || len(at) > maxSocket {
		t.Errorf("%s: %v", at, err)
	}
	if _, err := os.Stat(filepath.Dir(at)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}
