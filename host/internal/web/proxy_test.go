package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestWhomAProxyNames(t *testing.T) {
	t.Parallel()
	listed := Proxy{Header: "X-Forwarded-User", Scope: "run",
		Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.1.0.0/16"),
			netip.MustParsePrefix("::1/128")}}
	for _, test := range []struct {
		proxy  Proxy
		remote string
		head   http.Header
		want   string // "" no one
	}{
		{listed, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {"ann"}}, "ann"},
		{listed, "10.1.255.9:4000", http.Header{"X-Forwarded-User": {" ann "}}, "ann"},
		{listed, "[::ffff:127.0.0.1]:4000", http.Header{"X-Forwarded-User": {"ann"}}, "ann"},
		{listed, "[::1]:4000", http.Header{"X-Forwarded-User": {"ann"}}, "ann"},
		{listed, "127.0.0.2:4000", http.Header{"X-Forwarded-User": {"ann"}}, ""},
		{listed, "10.2.0.1:4000", http.Header{"X-Forwarded-User": {"ann"}}, ""},
		{listed, "[::2]:4000", http.Header{"X-Forwarded-User": {"ann"}}, ""},
		{listed, "10.2.0.1:4000", http.Header{"X-Forwarded-User": {"ann"}, "X-Forwarded-For": {"127.0.0.1"},
			"X-Real-Ip": {"127.0.0.1"},
			"Forwarded": {"for=127.0.0.1"}}, ""},
		{listed, "@", http.Header{"X-Forwarded-User": {"ann"}}, ""},
		{listed, "", http.Header{"X-Forwarded-User": {"ann"}}, ""},
		{listed, "127.0.0.1:4000", http.Header{}, ""},
		{listed, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {""}}, ""},
		{listed, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {" "}}, ""},
		{listed, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {"admin", "ann"}}, ""},
		{listed, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {"", "ann"}}, ""},
		{listed, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {"admin, ann"}}, ""},
		{listed, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {strings.Repeat("a", maxUser+1)}}, ""},
		{Proxy{Header: "X-Forwarded-User"}, "127.0.0.1:4000", http.Header{"X-Forwarded-User": {"ann"}}, ""},
		{Proxy{Header: "X-Forwarded-User", Socket: true}, "@", http.Header{"X-Forwarded-User": {"ann"}}, "ann"},
		{Proxy{Socket: true, Addresses: listed.Addresses}, "127.0.0.1:4000",
			http.Header{"": {"ann"}, "X-Forwarded-User": {"ann"}}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header = test.remote, test.head
		if got, ok := test.proxy.user(r); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%s %v: got %q %t, want %q", test.remote, test.head, got, ok, test.want)
		}
	}
}

// A user of a proxy has the scope of the policy, and no one else gets in by
// the header, in whatever way the page listens.
func TestProxiedUsers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin("post-receive")
	f.opts.Loopback = false
	httptests := netip.MustParsePrefix("192.0.2.1/32")
	f.opts.Proxy = Proxy{Header: "X-Forwarded-User", Scope: "read", Addresses: []netip.Prefix{httptests}}
	user := []string{"X-Forwarded-User", "ann"}
	if got := get(t, f.handler(), "/r/app", user...); got.Code != http.StatusOK {
		t.Errorf("scope read: %d", got.Code)
	}
	if got := ask(f.handler(), http.MethodPost, "/r/app/runs/1/cancel", "x=1", user...); got.Code != http.StatusForbidden {
		t.Errorf("scope read cancels: %d", got.Code)
	}
	f.opts.Proxy.Scope = "run"
	got := ask(f.handler(), http.MethodPost, "/r/app/runs/1/cancel", "x=1", user...)
	if got.Header().Get("Location") != "/r/app/runs/1" {
		t.Errorf("scope run: %d %s", got.Code, got.Body)
	}
	f.opts.Proxy.Addresses = nil
	if got := get(t, f.handler(), "/r/app", user...); got.Header().Get("Location") != "/login" {
		t.Errorf("no proxy is listed: %d", got.Code)
	}
	if got := get(t, f.handler(), "/api/v1/repositories", user...); got.Code != http.StatusUnauthorized {
		t.Errorf("no proxy is listed: %d", got.Code)
	}
}
