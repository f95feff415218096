package incus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/egress"
)

// TestNetworkOfNames: a container whose network is a list of names has no device but its loopback, reaches what is
// listed through the proxy, and nothing else: not this machine, not its own bridge, not past the proxy. Its variables
// and authorities are there.
func TestNetworkOfNames(t *testing.T) {
	c := needIncus(t, testConfig(t))
	if got := c.CheckProxies(context.Background()); got.Warn || got.Err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_INCUS") != "" {
			t.Fatalf("%s; ./install.sh allows it: %v", got.Message, got.Err)
		}
		t.Skipf("SKIPPED: %s; ./install.sh allows it", got.Message)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.URL) }))
	defer site.Close()
	address, _ := url.Parse(site.URL)
	names, err := egress.ParseNames([]string{"localhost:" + address.Port()})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var requests []string
	proxy := &egress.Proxy{Names: names, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Budget: egress.NewBudget(1 << 20), Report: func(c egress.Connection) {
			mu.Lock()
			defer mu.Unlock()
			requests = append(requests, fmt.Sprint(c.Name, " ", c.Refused != ""))
		}}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- proxy.Serve(ctx, l) }()
	s := busybox(`ls /sys/class/net; cat "$SSL_CERT_FILE" "$APT_CONFIG"
get() { (printf 'GET %s HTTP/1.0\r\n\r\n' "$1"; sleep 2) | nc 127.0.0.1 3128 | tr -d '\r' | sed -n '1p;$p'; }
get ` + "http://localhost:" + address.Port() + `/a
get http://other.example/
nc -w 2 ` + strings.Replace(address.Host, ":", " ", 1) + ` </dev/null 2>/dev/null || echo no way past it
`)
	s.Network, s.Max.Proxied, s.CA = true, true, []byte("authorities\n")
	s.Proxy = Proxy{Socket: socket, UID: os.Geteuid(), GID: os.Getegid()}
	ended, out, errOut := run(t, c, s)
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	want := "lo\nauthorities\nAcquire::https::CAInfo \"/work/ca.crt\";\n" +
		"HTTP/1.0 200 OK\n/a\nHTTP/1.0 403 Forbidden\n" +
		"pushlane: the lane does not grant a network that reaches other.example:80\nno way past it\n"
	if ended.Exit != 0 || out != want {
		t.Errorf("exit %d, stdout %q, stderr %q\nwant %q", ended.Exit, out, errOut, want)
	}
	if got := strings.Join(requests, ", "); got != "localhost:"+address.Port()+" false, other.example:80 true" {
		t.Errorf("requests: %s", got)
	}
}

// TestNamesElsewhere: an Incus on another machine cannot connect to the proxy of this one.
func TestNamesElsewhere(t *testing.T) {
	s := busybox("true")
	s.Network, s.Max.Proxied, s.Deadline = true, true, time.Now()
	c := newClient(&connection{cfg: Config{URL: "https://ci.example.org:8443"}})
	_, err := c.Run(context.Background(), s, nil, nil)
	want := `cannot start container "c": a network that is a list of names needs an Incus on this machine, and this one ` +
		`is at https://ci.example.org:8443`
	if err == nil || err.Error() != want {
		t.Fatalf("%v, want %s", err, want)
	}
	want = "grant the lane a bridge, network = true, or run the host on the machine of Incus"
	if hint := err.(*Error).Hint(); hint != want {
		t.Error(hint)
	}
}

// TestNoBridge: a lane that asks for a bridge that the host does not have is told of the list.
func TestNoBridge(t *testing.T) {
	s := busybox("true")
	s.Network = true
	err := s.Check()
	want := `name in [lane.grant] what the lane needs, network = ["registry.example.org"], ` +
		`or have the host's owner make ` +
		"a bridge: ./install.sh --network"
	own := new(Error)
	if !errors.As(err, &own) || own.Hint() != want || !errors.Is(err, ErrAbove) {
		t.Errorf("%v; hint %s", err, own.Hint())
	}
}

// TestNetworkEnv: a container without a network is told of none, one with a bridge of no proxy; a lane's own variables
// count more.
func TestNetworkEnv(t *testing.T) {
	count := func(change func(*Spec)) string {
		s := busybox("true")
		s.Max.Networks = []string{"lan"}
		change(&s)
		p, err := s.plan()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(p.env["https_proxy"], " ", p.env["GIT_SSL_CAINFO"], " ", p.env["npm_config_fetch_retries"], " ",
			len(p.networkDevices()))
	}
	for want, change := range map[string]func(*Spec){
		"  0 0":                     func(s *Spec) { s.CA = []byte("x") },
		"   1":                      func(s *Spec) { s.Network = true },
		" /work/ca.crt  1":          func(s *Spec) { s.Network, s.CA = true, []byte("x") },
		"http://127.0.0.1:3128   1": func(s *Spec) { s.Network, s.Max.Proxied = true, true },
		"mine   1": func(s *Spec) {
			s.Network, s.Max.Proxied, s.Env = true, true, map[string]string{"https_proxy": "mine"}
		},
	} {
		if got := count(change); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
