package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// names answers every question for an A record with the next of its addresses, and again from the first.
type names struct {
	mu    sync.Mutex
	addrs []string
	asked []string
}

// resolver is a resolver that asks a name server of the test's own.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			conn.WriteTo(n.answer(slices.Clone(packet[:size])), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// answer makes the response to a packet with one question.
func (n *names) answer(q []byte) []byte {
	end := 12
	var labels []string
	for q[end] != 0 {
		labels = append(labels, string(q[end+1:end+1+int(q[end])]))
		end += 1 + int(q[end])
	}
	end += 5
	reply := slices.Clone(q[:end])
	reply[2], reply[3] = 0x81, 0x80
	binary.BigEndian.PutUint16(reply[6:], 0)
	binary.BigEndian.PutUint16(reply[8:], 0)
	binary.BigEndian.PutUint16(reply[10:], 0)
	if binary.BigEndian.Uint16(q[end-4:]) != 1 { // not A: nothing
		return reply
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	ip := netip.MustParseAddr(n.addrs[len(n.asked)%len(n.addrs)]).As4()
	n.asked = append(n.asked, strings.Join(labels, "."))
	reply[7] = 1
	reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(reply, ip[:]...)
}

// served is a proxy that serves, and what it reported.
type served struct {
	*Proxy
	address string
	stop    func()

	mu   sync.Mutex
	list []Connection
}

// serve starts a proxy whose lane has names, on a network in which every name leads to addrs.
func serve(t *testing.T, private bool, addrs []string, texts ...string) *served {
	t.Helper()
	list, err := ParseNames(texts)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{}
	s.Proxy = &Proxy{Names: list, Budget: NewBudget(1 << 20), Resolver: (&names{addrs: addrs}).resolver(t),
		Report: func(c Connection) { s.mu.Lock(); defer s.mu.Unlock(); s.list = append(s.list, c) }}
	if private {
		s.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	s.address = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", s.address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// reported ends the proxy and returns what it reported.
func (s *served) reported() []Connection {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func (s *served) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// say sends a request and returns the answer's status and body, or its error.
func (s *served) say(t *testing.T, request string) string {
	t.Helper()
	conn := s.dial(t)
	io.WriteString(conn, request)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "no answer"
	}
	body := ""
	if resp.ContentLength > 0 || resp.TransferEncoding != nil {
		text, _ := io.ReadAll(resp.Body)
		body = strings.TrimSpace(string(text))
	}
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", body))
}

// site is a server on loopback, plain and with TLS, and its port.
func site(t *testing.T, secure bool, h http.HandlerFunc) (*httptest.Server, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return server, u.Port()
}

// client uses the proxy as programs do.
func (s *served) client(roots *x509.CertPool) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy"}),
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.address)
		}}}
}

func TestTunnelAndForward(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s%s %s %q", r.Method, r.Host, r.URL, body, r.Header["X-Forwarded-For"])
	}
	secure, securePort := site(t, true, h)
	_, plainPort := site(t, false, h)
	s := serve(t, true, []string{"127.0.0.1"}, "example.com:"+securePort, "*.example.org:"+plainPort)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	for address, want := range map[string]string{
		"https://example.com:" + securePort + "/a?b":     "POST example.com:" + securePort + "/a?b body []",
		"http://x.example.org:" + plainPort + "/%2f?a;b": "POST x.example.org:" + plainPort + "/%2f?a;b body []",
	} {
		resp, err := s.client(roots).Post(address, "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	for _, c := range s.reported() {
		if c.Refused != "" || c.Failed != "" || c.Sent < 100 || c.Received < 100 {
			t.Errorf("reported %+v", c)
		}
	}
	if n := len(s.list); n != 2 {
		t.Errorf("%d requests are reported", n)
	}
}

// TestWhatIsRefused is every way to ask for what the list does not have.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	const (
		granted  = "403 pushlane: the lane does not grant a network that reaches "
		address  = "is not a host name: addresses are refused"
		unplain  = "400 pushlane: the request does not name a host and a port"
		own      = "400 pushlane: this is a proxy for CONNECT and http:// requests"
		bodyless = "400 pushlane: a CONNECT request has no body"
		noTunnel = "403 pushlane: port 80 is for http:// requests, not for CONNECT"
	)
	connect := func(to string) string { return "CONNECT " + to + " HTTP/1.1\r\nHost: example.org\r\n\r\n" }
	get := func(to string) string { return "GET " + to + " HTTP/1.1\r\nHost: example.org\r\n\r\n" }
	for request, want := range map[string]string{
		connect("evil.org:443"):                                          granted + "evil.org:443",
		connect("example.org:22"):                                        granted + "example.org:22",
		connect("example.org:80"):                                        noTunnel,
		connect("EVIL.org.:443"):                                         granted + "evil.org:443",
		connect("a.example.org:443"):                                     granted + "a.example.org:443",
		connect("notexample.org:443"):                                    granted + "notexample.org:443",
		connect("127.0.0.1:443"):                                         `403 pushlane: "127.0.0.1" ` + address,
		connect("[::1]:443"):                                             `403 pushlane: "::1" ` + address,
		connect("[::ffff:10.0.0.1]:443"):                                 `403 pushlane: "::ffff:10.0.0.1" ` + address,
		connect("2130706433:443"):                                        `403 pushlane: "2130706433" ` + address,
		connect("0x7f.1:443"):                                            `403 pushlane: "0x7f.1" ` + address,
		connect("127.1:443"):                                             `403 pushlane: "127.1" ` + address,
		connect("example.org"):                                           unplain,
		connect("example.org:0"):                                         unplain,
		connect("example.org:0443"):                                      unplain,
		connect("example.org:99999"):                                     unplain,
		connect(":443"):                                                  `403 pushlane: "" ` + address,
		connect("example.org:443@evil.org"):                              "400",
		connect("a@example.org:443"):                                     unplain,
		connect("example.org:443/"):                                      unplain,
		connect("example.org:443?x"):                                     unplain,
		connect("http://example.org:443"):                                "400",
		connect("example.org%00.evil.org:443"):                           "400",
		"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": "400",
		"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /":          bodyless,
		"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n": bodyless,
		get("http://evil.org/"):              granted + "evil.org:80",
		get("http://example.org:8080/"):      granted + "example.org:8080",
		get("http://127.0.0.1/"):             `403 pushlane: "127.0.0.1" ` + address,
		get("http://169.254.169.254/latest"): `403 pushlane: "169.254.169.254" ` + address,
		get("http://[fd00:ec2::254]/"):       "403",
		get("http://u:p@example.org/"):       unplain,
		get("https://example.org/"):          own,
		get("ftp://example.org/"):            own,
		get("/"):                             own,
		get("//example.org/"):                own,
		"GET http://example.org/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": "400",
		"GET http://example.org/ HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n": "431",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":  "400",
		"\x16\x03\x01\x00\x05hello\r\n\r\n": "400",
	} {
		s := serve(t, true, []string{"127.0.0.1"}, "example.org")
		if got := s.say(t, request); !strings.HasPrefix(got, want) {
			t.Errorf("%.80q: %s, want %s", request, got, want)
		}
		for _, c := range s.reported() {
			if c.Refused == "" || c.NotGranted != strings.HasPrefix(want, granted) {
				t.Errorf("%.80q is reported as %+v", request, c)
			}
		}
	}
}

// TestWhereNamesLead: a name that is granted leads to no address that is not public, whatever a name server says.
func TestWhereNamesLead(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
		"169.254.169.254", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"} {
		s := serve(t, false, []string{ip}, "example.org")
		for _, request := range []string{"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
			"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n"} {
			got := s.say(t, request)
			want := fmt.Sprintf("403 pushlane: example.org leads to %s:", ip)
			if !strings.HasPrefix(got, want) ||
				!strings.HasSuffix(got, " is not a public address, and network.private of the policy does not have it") {
				t.Errorf("%s: %s", ip, got)
			}
		}
	}
}

// TestNamesThatChange: a name server that gives another address each time it is asked never has a connection made to
// this machine: there is no check that is not of the address connected to.
func TestNamesThatChange(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 100)
	_, port := site(t, false, func(_ http.ResponseWriter, r *http.Request) { reached <- r.Host })
	s := serve(t, false, []string{"127.0.0.9", "127.0.0.1"}, "example.org:"+port)
	s.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")} // where no one listens
	for range 6 {
		got := s.say(t, "GET http://example.org:"+port+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if strings.HasPrefix(got, "200") {
			t.Error(got)
		}
	}
	if len(reached) > 0 {
		t.Errorf("a server of this machine was reached: %s", <-reached)
	}
}

// TestTunnelsAreForTheirName: what goes through a tunnel to port 443 is TLS, for the name that was requested.
func TestTunnelsAreForTheirName(t *testing.T) {
	t.Parallel()
	hello := func(name string) string {
		var sent strings.Builder
		conn := tls.Client(recorded{&sent}, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		conn.Handshake()
		return sent.String()
	}
	for first, want := range map[string]string{
		hello("evil.org"):               `the tunnel to example.org:443 is for the TLS server name "evil.org"`,
		hello("127.0.0.1"):              `the tunnel to example.org:443 is for the TLS server name ""`,
		"GET / HTTP/1.1\r\n\r\n":        "the tunnel to example.org:443 does not begin with a TLS greeting",
		"SSH-2.0-OpenSSH\r\n":           "the tunnel to example.org:443 does not begin with a TLS greeting",
		hello("example.org")[:20]:       "the tunnel to example.org:443 does not begin with a TLS greeting",
		hello("example.org"):            "",
		hello("example.org") + "more":   "",
		"":                              "",
		"\x16\x03\x01\xff\xff" + "aaaa": "the tunnel to example.org:443 does not begin with a TLS greeting",
	} {
		got := make(chan string, 1)
		x := &exchange{target: target{"example.org", 443}}
		go func() {
			seen, err := x.greeting(bufio.NewReader(strings.NewReader(first)))
			if err == nil && string(seen) != first {
				err = fmt.Errorf("passed on %d of %d bytes", len(seen), len(first))
			}
			if err != nil {
				got <- err.Error()
			}
			got <- ""
		}()
		if text := <-got; text != want {
			t.Errorf("%.20q: %s, want %s", first, text, want)
		}
	}
}

// recorded is a connection that keeps what is written and has nothing to read.
type recorded struct{ *strings.Builder }

func (recorded) Read([]byte) (int, error)         { return 0, io.EOF }
func (recorded) Close() error                     { return nil }
func (recorded) LocalAddr() net.Addr              { return nil }
func (recorded) RemoteAddr() net.Addr             { return nil }
func (recorded) SetDeadline(time.Time) error      { return nil }
func (recorded) SetReadDeadline(time.Time) error  { return nil }
func (recorded) SetWriteDeadline(time.Time) error { return nil }

func TestBudget(t *testing.T) {
	t.Parallel()
	_, port := site(t, false, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 300<<10)) })
	s := serve(t, true, []string{"127.0.0.1"}, "example.org:"+port)
	received := 0
	for range 5 {
		resp, err := s.client(nil).Get("http://example.org:" + port + "/")
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			received += len(body)
		}
	}
	if received < 900<<10 || received > 1<<20 {
		t.Errorf("received %d bytes, the budget has %d", received, 1<<20)
	}
	s.Budget.requests.Store(MaxRequests)
	if got := s.say(t, "GET http://example.org:"+port+"/ HTTP/1.1\r\nHost: x\r\n\r\n"); got !=
		"429 pushlane: a lane run makes at most 20000 requests" {
		t.Error(got)
	}
	last := s.reported()
	if why := last[len(last)-2].Refused; why != "the lane run has used its 1048576 bytes of network (limits.network)" {
		t.Errorf("the last that fetched was ended because %q", why)
	}
}

// TestServeEnds: no connection outlives the lane run, and no report comes later.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	_, port := site(t, false, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := serve(t, true, []string{"127.0.0.1"}, "example.org:"+port)
	var waiting []net.Conn
	for _, request := range []string{"", "CONNECT exam", "CONNECT example.org:" + port + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://example.org:" + port + "/ HTTP/1.1\r\nHost: x\r\n\r\n"} {
		conn := s.dial(t)
		io.WriteString(conn, request)
		waiting = append(waiting, conn)
	}
	bufio.NewReader(waiting[2]).ReadString('\n') // it is a tunnel by now
	s.reported()
	for _, conn := range waiting {
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("a connection is open still: %v", err)
		}
	}
}

// TestManyAtOnce: more connections than a container may have are closed, and the others go on.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, true, []string{"127.0.0.1"}, "example.org")
	for range maxOpen {
		s.dial(t)
	}
	closed := 0
	for range 10 {
		conn := s.dial(t)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == io.EOF || err != nil && strings.Contains(err.Error(), "reset") {
			closed++
		}
	}
	if closed != 10 {
		t.Errorf("%d of 10 connections too many were closed", closed)
	}
}
