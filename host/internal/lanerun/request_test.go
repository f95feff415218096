package lanerun

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/egress"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// service is what requests are sent to: it shows what it got.
func service(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/echo":
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Saw", r.Header.Get("Authorization"))
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.Header.Get("Authorization"), body)
	case "/bytes":
		w.Write([]byte{0xff, 0})
	case "/moved":
		http.Redirect(w, r, "/echo", http.StatusFound)
	case "/large":
		w.Write(make([]byte, 2000))
	case "/slow":
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	default:
		http.NotFound(w, r)
	}
}

// asking is a lane run that may send requests to a host, with one secret.
func asking(t *testing.T, server *httptest.Server, hosts ...string) *operations {
	t.Helper()
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "secrets"), "TOKEN", "hush-hush-hush\n")
	if err := os.Chmod(filepath.Join(dir, "secrets", "TOKEN"), 0o600); err != nil {
		t.Fatal(err)
	}
	policy := config.Policy{State: dir, Capabilities: []string{"http", "secret"}, HTTPHosts: hosts,
		Secrets: filepath.Join(dir, "secrets")}
	r := &Runner{State: dir}
	if server.TLS != nil {
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		r.tls = &tls.Config{RootCAs: roots}
	}
	at := strings.TrimPrefix(strings.TrimPrefix(server.URL, "https://"), "http://")
	manifest := sdk.Manifest{Capabilities: []sdk.Capability{{Name: "http", Scope: []string{"*"}},
		{Name: "secret", Scope: []string{"*"}}}}
	grant := lanes.Grant{HTTP: []string{at, "example.org", "127.0.0.1:1"}, Secrets: []string{"TOKEN"}}
	j := &gate.Run{Policy: policy, Updates: []gate.Update{{Update: hooks.Update{}}},
		LaneRuns: []gate.LaneRun{{Picked: lanes.Picked{Lane: lanes.Lane{ID: "l", Plugin: "p", Grant: grant}}}}}
	l := &Lane{access: &access{runner: r, j: j, rec: record.Of(nil, store.Run{}),
		permits: permitted(manifest, grant, policy)}}
	l.log = newLaneLog(func() string { return filepath.Join(dir, "log") }, func(string) {})
	return &operations{run: l}
}

// fetch sends a request and waits for the answer.
func (o *operations) fetch(t *testing.T, a HTTPRequest) (HTTPResponse, error) {
	t.Helper()
	world := &wasm.Local{Ops: o}
	defer world.Close()
	data, _ := json.Marshal(a)
	answer, err := world.Ask(t.Context(), wasm.Question{Kind: wasm.AskCall, Name: OpRequest, Data: data})
	if err != nil || answer.Code < 0 {
		return HTTPResponse{}, fmt.Errorf("%d %s %w", answer.Code, answer.Data, err)
	}
	if _, err := world.Ask(t.Context(), wasm.Question{Kind: wasm.AskWait, Data: []byte{1, 0, 0, 0},
		Count: -1}); err != nil {
		return HTTPResponse{}, err
	}
	answer, err = world.Ask(t.Context(), wasm.Question{Kind: wasm.AskCall, Name: OpResponse, Data: answer.Data})
	if err != nil || answer.Code < 0 {
		return HTTPResponse{}, fmt.Errorf("%d %s %w", answer.Code, answer.Data, err)
	}
	var r HTTPResponse
	return r, json.Unmarshal(answer.Data, &r)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(service))
	defer server.Close()
	at := strings.TrimPrefix(server.URL, "https://")
	o := asking(t, server, at)
	for name, test := range map[string]struct {
		ask  HTTPRequest
		want HTTPResponse
	}{
		"get": {HTTPRequest{URL: server.URL + "/echo"}, HTTPResponse{Status: 200, Body: "GET " + at + "  "}},
		"post": {HTTPRequest{URL: server.URL + "/echo", Method: "POST", Body: "hello"},
			HTTPResponse{Status: 200, Body: "POST " + at + "  hello"}},
		"bytes in": {HTTPRequest{URL: server.URL + "/echo", Method: "PUT",
			Base64: base64.StdEncoding.EncodeToString([]byte("hi"))},
			HTTPResponse{Status: 200, Body: "PUT " + at + "  hi"}},
		"bytes out": {HTTPRequest{URL: server.URL + "/bytes"}, HTTPResponse{Status: 200, Base64: "/wA="}},
		"not there": {HTTPRequest{URL: server.URL + "/none"}, HTTPResponse{Status: 404, Body: "404 page not found\n"}},
		"moved": {HTTPRequest{URL: server.URL + "/moved"},
			HTTPResponse{Status: 302, Body: "<a href=\"/echo\">Found</a>.\n\n"}},
		"a secret that the other side sends back": {HTTPRequest{URL: server.URL + "/echo",
			Secrets: map[string]string{"Authorization": "Bearer {{TOKEN}}"}},
			HTTPResponse{Status: 200, Body: "GET " + at + " Bearer *** "}},
	} {
		got, err := o.fetch(t, test.ask)
		if err != nil || got.Status != test.want.Status || got.Body != test.want.Body || got.Base64 != test.want.Base64 {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		if strings.Contains(fmt.Sprint(got), "hush") {
			t.Errorf("%s: the plugin sees the secret: %+v", name, got)
		}
	}
	if o.run.uncacheableWhy == "" {
		t.Error("a run that sends requests would be remembered")
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(service))
	defer server.Close()
	at := strings.TrimPrefix(server.URL, "https://")
	o := asking(t, server, at, "127.0.0.1:1", "*.org")
	for name, test := range map[string]struct {
		ask  HTTPRequest
		want string
	}{
		"another host": {HTTPRequest{URL: "https://example.com/"},
			`-13 {"code":-13,"message":"plugin \"p\" asks for http \"example.com\", which lane \"l\" does not grant"`},
		"another port":          {HTTPRequest{URL: "https://127.0.0.1:2/"}, "-13 "},
		"a user in the address": {HTTPRequest{URL: "https://example.org@" + at + "/"}, "-22 "},
		"a host like another":   {HTTPRequest{URL: "https://example.org.example.com/"}, "-13 "},
		"no scheme":             {HTTPRequest{URL: "file:///etc/passwd"}, "-22 "},
		"plain http elsewhere":  {HTTPRequest{URL: "http://example.org/"}, `plain http is allowed only to this machine`},
		"a method":              {HTTPRequest{URL: server.URL, Method: "CONNECT"}, "-22 "},
		"a header of ours": {HTTPRequest{URL: server.URL, Headers: map[string]string{"host": "evil"}},
			`header \"host\" is set by the host`},
		"a header in a header": {HTTPRequest{URL: server.URL + "/echo",
			Headers: map[string]string{"X": "a\r\nHost: b"}}, "-5 "},
		"too long":     {HTTPRequest{URL: server.URL + "/large", Max: 1000}, "it is longer than 1000 bytes"},
		"too slow":     {HTTPRequest{URL: server.URL + "/slow", Millis: 50}, "deadline exceeded"},
		"nobody there": {HTTPRequest{URL: "https://127.0.0.1:1/"}, "connection refused"},
		"a secret not granted": {HTTPRequest{URL: server.URL, Secrets: map[string]string{"A": "{{OTHER}}"}},
			`asks for secret \"OTHER\", which lane \"l\" does not grant`},
		"a path for a secret": {HTTPRequest{URL: server.URL,
			Secrets: map[string]string{"A": "{{../../etc/passwd}}"}}, "-13 "},
		"no secret in it": {HTTPRequest{URL: server.URL, Secrets: map[string]string{"A": "plain"}},
			`does not name a secret: write {{NAME}}`},
		"a secret as the host": {HTTPRequest{URL: server.URL, Secrets: map[string]string{"Host": "{{TOKEN}}"}}, "-22 "},
	} {
		_, err := o.fetch(t, test.ask)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
	o.requests.Store(maxRequests)
	if _, err := o.fetch(t, HTTPRequest{URL: server.URL}); err == nil || !strings.Contains(err.Error(), "-24 ") {
		t.Errorf("one too many: %v", err)
	}
}

// TestPrivateAddresses: a name that leads to the machine's own network is not
// reached by a pattern of the policy, only where the policy names it.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(service))
	defer server.Close()
	for hosts, wantErr := range map[string]bool{"*": true, strings.TrimPrefix(server.URL, "http://"): false} {
		_, err := asking(t, server, hosts).fetch(t, HTTPRequest{URL: server.URL + "/echo"})
		if (err != nil) != wantErr || wantErr && !strings.Contains(err.Error(),
			"is not a public address, and http.hosts of the policy does not name") {
			t.Errorf("http.hosts = %q: %v", hosts, err)
		}
	}
	for address, want := range map[string]bool{"127.0.0.1:80": false, "10.1.2.3:80": false, "192.168.0.1:1": false,
		"169.254.169.254:80": false, "100.64.0.1:80": false,
		"[::1]:80": false, "[fe80::1]:80": false, "[fd00::1]:80": false, "[::ffff:127.0.0.1]:80": false, "0.0.0.0:80": false,
		"224.0.0.1:80": false, "8.8.8.8:443": true, "[2001:4860:4860::8888]:443": true, "x": false} {
		if egress.Public(address) != want {
			t.Errorf("%s: public %v", address, !want)
		}
	}
}

func TestPermits(t *testing.T) {
	t.Parallel()
	m := sdk.Manifest{Capabilities: []sdk.Capability{{Name: "repo.read", Scope: []string{"**/*.go"}},
		{Name: "http", Scope: []string{"a.org", "b.org"}}, {Name: "env", Scope: []string{"*"}}, {Name: "kv"}}}
	g := lanes.Grant{Read: true, Files: []string{"src/**"}, HTTP: []string{"b.org", "c.org", "d.b.org"},
		Env: []string{"CI"}, KV: true, Clock: true}
	p := permitted(m, g, config.Policy{Capabilities: []string{"repo.read", "http", "env", "clock"},
		HTTPHosts: []string{"*.org"}})
	if got := strings.Join(p.names(m), " "); got != "repo.read http env" {
		t.Errorf("got %q", got)
	}
	for path, want := range map[string]bool{"src/a.go": true, "src/a.txt": false, "a.go": false} {
		if p.sees(path) != want {
			t.Errorf("%s: seen %v", path, !want)
		}
	}
	for host, want := range map[string]bool{"b.org": true, "a.org": false, "c.org": false, "d.b.org": false} {
		if p.reaches("http", host) != want {
			t.Errorf("%s: reached %v", host, !want)
		}
	}
}
