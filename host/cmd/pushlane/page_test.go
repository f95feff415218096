package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
)

// loadPolicy reads a policy as a server does.
func loadPolicy(t *testing.T, text string) config.Policy {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := config.LoadServer(func(key string) string {
		return map[string]string{"PUSHLANE_CONFIG": file, "HOME": t.TempDir()}[key]
	})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestWhereThePageMayListen(t *testing.T) {
	t.Parallel()
	const beyond = ": for other machines it needs TLS or a trusted proxy"
	for _, test := range []struct {
		policy string
		local  bool
		err    string
	}{
		{`listen = "127.0.0.1:1"`, true, ""},
		{`listen = "localhost:1"`, true, ""},
		{"listen = \"127.0.0.1:1\"\nurl = \"http://localhost:1\"", true, ""},
		{"listen = \"127.0.0.1:1\"\nurl = \"https://ci.example.org\"", false, ""},
		{"listen = \"127.0.0.1:1\"\nproxy_header = \"X-User\"", false, ""},
		{`listen = "unix:/run/page"`, false, ""},
		{`listen = "unix:page"`, false, `cannot serve the page: the socket's path "page" is not absolute`},
		{`listen = "0.0.0.0:1"`, false, "cannot serve the page at 0.0.0.0:1" + beyond},
		{"listen = \":1\"\nproxy_header = \"X-User\"", false, "cannot serve the page at :1" + beyond},
		{"listen = \":1\"\nproxy_header = \"X-User\"\nproxy_addresses = [\"10.0.0.1/32\"]", false, ""},
		{"listen = \":1\"\ntls.cert = \"c\"", false, ""},
	} {
		local, err := checkListen(loadPolicy(t, test.policy))
		if local != test.local || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: got %t, %v", test.policy, local, err)
		}
	}
}

// The page on a socket believes the proxy that may open it. A socket that a
// killed host left is replaced, one in use is not, and no other file is.
func TestThePageOnASocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "page.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	policy := loadPolicy(t, "state = \""+dir+"\"\nproxy_header = \"X-User\"\nlisten = \"unix:"+path+"\"")
	h, err := host.Open(policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	log := logrus.New()
	log.SetOutput(new(bytes.Buffer))
	stop, err := startPage(t.Context(), h, policy, http.NotFoundHandler(), log)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := startPage(t.Context(), h, policy, http.NotFoundHandler(), log); err == nil ||
		err.Error() != "cannot serve the page: another process is listening on "+path {
		t.Errorf("a second page: %v", err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	for user, want := range map[string]int{"": http.StatusUnauthorized, "ann": http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://page/api/v1/repositories", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User", user)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("user %q: %d", user, resp.StatusCode)
		}
	}
	stop()
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := startPage(t.Context(), h, policy, http.NotFoundHandler(), log); err == nil {
		t.Error("a file was replaced by a socket")
	}
}

func TestAnIgnoredProxyHeaderIsSaid(t *testing.T) {
	t.Parallel()
	for text, said := range map[string]bool{"": true, "proxy_addresses = [\"127.0.0.1/32\"]\n": false} {
		policy := loadPolicy(t, text+"state = \""+t.TempDir()+"\"\nproxy_header = \"X-User\"\nlisten = \"127.0.0.1:0\"")
		h, err := host.Open(policy, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close(t.Context())
		var out bytes.Buffer
		log := logrus.New()
		log.SetOutput(&out)
		stop, err := startPage(t.Context(), h, policy, http.NotFoundHandler(), log)
		if err != nil {
			t.Fatal(err)
		}
		stop()
		const want = `proxy_header is ignored: set proxy_addresses = [\"127.0.0.1/32\"]` +
			` to the addresses of the proxy that sets X-User`
		if strings.Contains(out.String(), want) != said {
			t.Errorf("%s: %s", text, out.String())
		}
	}
}

func TestWhetherUsersComeOverTLS(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{``: false, `url = "http://ci"`: false, `url = "https://ci"`: true,
		`url = "HTTPS://ci"`:  true,
		`url = "httpsx://ci"`: false, `url = "ci/https://"`: false, `tls.cert = "c"`: true} {
		if got := overTLS(loadPolicy(t, text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
