package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What a client of the proxy may take.
const (
	maxHeader   = 16 << 10         // bytes of a request's header
	maxReply    = 64 << 10         // bytes of a response's header
	maxOpen     = 128              // connections of one container at once
	helloTime   = 30 * time.Second // until a request's header, or a TLS greeting, is there
	dialTime    = 30 * time.Second // until a server accepts
	replyTime   = 5 * time.Minute  // until a server responds
	idleTime    = 5 * time.Minute  // without a byte in either direction
	MaxRequests = 20_000           // of one lane run
)

// Proxy serves the containers of one lane run.
type Proxy struct {
	Names    []Name           // that may be reached
	Private  []netip.Prefix   // addresses that are not public and may be reached all the same
	Budget   *Budget          // of the lane run
	Report   func(Connection) // gets each request when it has ended; called by several goroutines
	Resolver *net.Resolver    // nil: the system's

	mu    sync.Mutex // guards over, and the start of requests
	over  bool       // no request begins any more
	going sync.WaitGroup
}

// Connection is one request to the proxy, and what became of it.
type Connection struct {
	Name           string // the host and port that were requested; may be anything that a client sends
	Sent, Received int64  // bytes, from and to the container
	Took           time.Duration
	Refused        string // why it was not made, or was ended; "": it was made
	NotGranted     bool   // it was refused because the list of names does not have the host and port
	Failed         string // why the server was not reached
}

// Budget is what the containers of one lane run may use together.
type Budget struct {
	bytes    atomic.Int64 // left
	requests atomic.Int64 // so far
	limit    int64        // bytes
}

// NewBudget returns a budget of so many bytes, in both directions together.
func NewBudget(bytes int64) *Budget {
	b := &Budget{limit: bytes}
	b.bytes.Store(bytes)
	return b
}

// refusal is an answer of the proxy that is not the server's.
type refusal struct {
	status  int
	why     string
	granted bool // the name is in the list, and it is refused all the same
}

func (r *refusal) Error() string { return r.why }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, why: fmt.Sprintf(format, args...), granted: true}
}

// Serve answers requests until ctx ends or the listener is closed. It closes the
// listener, and returns when all requests have ended and were reported.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{Handler: p, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: helloTime, IdleTimeout: idleTime,
		ErrorLog: log.New(io.Discard, "", 0), BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	err := server.Serve(newLimited(l, maxOpen))
	server.Close()
	cancel()
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.going.Wait()
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	over := p.over
	if !over {
		p.going.Add(1)
	}
	p.mu.Unlock()
	if over {
		return
	}
	defer p.going.Done()
	t, err := targetOf(r)
	x := &exchange{proxy: p, target: t, began: time.Now(), named: named(r, t)}
	defer x.report()
	if err == nil {
		err = p.admit(t)
	}
	switch {
	case err != nil:
		x.answer(w, err)
	case r.Method == http.MethodConnect:
		x.tunnel(w, r)
	default:
		x.forward(w, r)
	}
}

// target is where a request leads.
type target struct {
	host string // a name in lower case, without a dot at its end
	port uint16
}

func (t target) String() string { return fmt.Sprintf("%s:%d", t.host, t.port) }

// address is what is dialled: a name with a dot at its end is not looked up below this machine's own domains.
func (t target) address() string {
	host := t.host
	if strings.Contains(host, ".") {
		host += "."
	}
	return net.JoinHostPort(host, fmt.Sprint(t.port))
}

// named is the target for people, of a request that has none its words.
func named(r *http.Request, t target) string {
	if t.host != "" {
		return t.String()
	}
	return fmt.Sprintf("%.300s", r.RequestURI)
}

// targetOf reads where a request leads; what is not plainly a name and a port leads nowhere.
func targetOf(r *http.Request) (target, error) {
	authority, connect := r.URL.Host, r.Method == http.MethodConnect
	switch {
	case r.URL.User != nil, connect && (r.URL.Path != "" || r.URL.RawQuery != "" || authority != r.RequestURI):
		return target{}, refuse(http.StatusBadRequest, "the request does not name a host and a port")
	case connect && (r.ContentLength != 0 || len(r.TransferEncoding) > 0):
		return target{}, refuse(http.StatusBadRequest, "a CONNECT request has no body")
	case !connect && (r.URL.Scheme != "http" || authority == ""):
		return target{}, refuse(http.StatusBadRequest, "this is a proxy for CONNECT and http:// requests")
	}
	host, port, err := net.SplitHostPort(authority)
	if err != nil && !connect {
		host, port, err = authority, "80", nil
	}
	number, ok := parsePort(port)
	if err != nil || !ok {
		return target{}, refuse(http.StatusBadRequest, "the request does not name a host and a port")
	}
	if connect && number == 80 {
		return target{}, refuse(http.StatusForbidden, "port 80 is for http:// requests, not for CONNECT")
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if len(host) > maxName || !hostForm.MatchString(host) {
		return target{}, refuse(http.StatusForbidden, "%.300q is not a host name: addresses are refused", host)
	}
	return target{host, number}, nil
}

// admit says no to a name that is not in the list, and to what is above the budget.
func (p *Proxy) admit(t target) error {
	for _, n := range p.Names {
		if n.allows(t.host, t.port) {
			return p.Budget.request()
		}
	}
	no := refuse(http.StatusForbidden, "the lane does not grant a network that reaches %s", t)
	no.granted = false
	return no
}

func (b *Budget) request() error {
	if b.requests.Add(1) > MaxRequests {
		return refuse(http.StatusTooManyRequests, "a lane run makes at most %d requests", MaxRequests)
	}
	return nil
}

// notPublic is an address that a name must not lead to.
type notPublic struct{ address string }

func (e *notPublic) Error() string {
	return e.address + " is not a public address, and network.private of the policy does not have it"
}

// dial connects to a name. The address is checked when the connection is about to be made.
func (p *Proxy) dial(ctx context.Context, t target) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime, Resolver: p.Resolver, Control: func(_, address string, _ syscall.RawConn) error {
		if !Public(address) && !p.private(address) {
			return &notPublic{address}
		}
		return nil
	}}
	conn, err := d.DialContext(ctx, "tcp", t.address())
	if no := (*notPublic)(nil); errors.As(err, &no) {
		return nil, refuse(http.StatusForbidden, "%s leads to %v", t.host, no)
	}
	return conn, err
}

func (p *Proxy) private(address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil || at.Addr().Zone() != "" {
		return false
	}
	for _, block := range p.Private {
		if block.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// exchange is one request under way.
type exchange struct {
	proxy          *Proxy
	target         target
	named          string
	began          time.Time
	sent, received atomic.Int64
	err            error // why it was refused, or failed; nil: it was not
}

func (x *exchange) report() {
	c := Connection{Name: x.named, Sent: x.sent.Load(), Received: x.received.Load(), Took: time.Since(x.began)}
	no := (*refusal)(nil)
	switch {
	case errors.As(x.err, &no):
		c.Refused, c.NotGranted = no.why, !no.granted
	case x.err != nil:
		c.Failed = x.err.Error()
	}
	x.proxy.Report(c)
}

// answer tells the client why it gets nothing from the server.
func (x *exchange) answer(w http.ResponseWriter, err error) {
	x.err = err
	status, no := http.StatusBadGateway, (*refusal)(nil)
	if errors.As(err, &no) {
		status = no.status
	}
	w.Header().Set("Connection", "close")
	http.Error(w, "pushlane: "+err.Error(), status)
}

// forward passes on a request for http://, over a connection of its own.
func (x *exchange) forward(w http.ResponseWriter, r *http.Request) {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxReply,
		ResponseHeaderTimeout: replyTime, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := x.proxy.dial(ctx, x.target)
			if err != nil {
				return nil, err
			}
			return &metered{Conn: conn, x: x}, nil
		}}
	passed := httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0), FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = &url.URL{Scheme: "http", Host: x.target.String(), Path: p.In.URL.Path, RawPath: p.In.URL.RawPath,
				RawQuery: p.In.URL.RawQuery, ForceQuery: p.In.URL.ForceQuery}
			p.Out.Host = p.In.URL.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { x.answer(w, err) }}
	passed.ServeHTTP(w, r)
}
