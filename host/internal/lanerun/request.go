package lanerun

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/egress"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

const (
	maxRequests = 100             // of one lane run
	maxReply    = 8 << 20         // bytes of one answer's body
	maxReplies  = 64 << 20        // bytes of the answers whose handles are open
	requestTime = 5 * time.Minute // of one request
)

// HTTPRequest is a request that a plugin has the host make.
type HTTPRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Secrets map[string]string `json:"secret_headers"` // header: text with {{NAME}} where the secret goes
	Body    string            `json:"body"`
	Base64  string            `json:"body_base64"`
	Max     int64             `json:"max_bytes"`
	Millis  int64             `json:"millis"`
}

// HTTPResponse is what came back.
type HTTPResponse struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"` // names in lower case, several values joined by ", "
	Body    string            `json:"body,omitempty"`
	Base64  string            `json:"body_base64,omitempty"` // instead of body if it is not UTF-8
}

// Address is where the request goes; the error is the answer to one that goes
// nowhere.
func (r HTTPRequest) Address() (*url.URL, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, Invalid("url is not an http or https address without a user: %q", printable.Clean(r.URL))
	}
	return u, nil
}

// prepareRequest builds the request: an *wasm.OpError is a wrong one, any
// other error a denial.
func (l outgoing) prepareRequest(a HTTPRequest) (*http.Request, error) {
	u, err := a.Address()
	if err != nil {
		return nil, err
	}
	if !l.permits.reaches("http", u.Host) {
		return nil, l.outside("http", u.Host)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" &&
		(err != nil || !ip.IsLoopback()) {
		return nil, Invalid("plain http is allowed only to this machine")
	}
	if a.Max < 0 || a.Max > maxReply || a.Millis < 0 {
		return nil, Invalid("max_bytes is 0 to %d and millis not below 0", maxReply)
	}
	body := []byte(a.Body)
	if a.Base64 != "" {
		if body, err = base64.StdEncoding.DecodeString(a.Base64); err != nil || a.Body != "" {
			return nil, Invalid("body_base64 is not base64, or there is a body as well")
		}
	}
	if a.Method == "" {
		a.Method = "GET"
	}
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, a.Method) {
		return nil, Invalid("method is %q, want GET, HEAD, POST, PUT, PATCH or DELETE", printable.Clean(a.Method))
	}
	req, err := http.NewRequest(a.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, Invalid("%s", printable.Clean(err.Error()))
	}
	return req, l.headers(req, a)
}

// ownHeaders are the headers that only the host sets, about the transport.
var ownHeaders = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer",
	"Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Accept-Encoding"}

func (l outgoing) headers(req *http.Request, a HTTPRequest) error {
	req.Header.Set("User-Agent", "pushlane")
	for name, value := range a.Headers {
		if slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) {
			return Invalid("header %q is set by the host", printable.Clean(name))
		}
		req.Header.Set(name, value)
	}
	for name, text := range a.Secrets {
		if slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) {
			return Invalid("header %q is set by the host", printable.Clean(name))
		}
		before, rest, found := strings.Cut(text, "{{")
		secret, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			return Invalid("secret header %q does not name a secret: write {{NAME}}", printable.Clean(name))
		}
		if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) {
			return Invalid("a secret is sent only over https")
		}
		value, err := l.secret(secret)
		if err != nil {
			return err
		}
		req.Header.Set(name, before+string(value)+after)
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// send makes the request. Redirects are answers: where they lead was not
// granted.
func (l outgoing) send(req *http.Request, most int64) (*HTTPResponse, error) {
	if most == 0 {
		most = maxReply
	}
	named := slices.Contains(l.policy().HTTPHosts, req.URL.Host) ||
		slices.Contains(l.policy().HTTPHosts, req.URL.Hostname())
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if !named && !egress.Public(address) {
			return fmt.Errorf("%s is not a public address, and http.hosts of the policy does not name %s", address, req.URL.Host)
		}
		return nil
	}}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
			TLSHandshakeTimeout: 10 * time.Second,
			TLSClientConfig:     l.runner.tls}}
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("cannot reach %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	body, err := bounded.ReadAll(resp.Body, most)
	if err != nil {
		return nil, fmt.Errorf("cannot read the response of %s: %w", req.URL.Host, err)
	}
	return l.replyOf(resp, body), nil
}

// replyOf is an answer as the plugin gets it, without the secrets that the
// other side may have sent back.
func (l outgoing) replyOf(resp *http.Response, body []byte) *HTTPResponse {
	r := &HTTPResponse{Status: resp.StatusCode, Headers: map[string]string{}}
	for name, values := range resp.Header {
		r.Headers[strings.ToLower(name)] = l.unmasked(strings.ToValidUTF8(strings.Join(values, ", "), "\ufffd"))
	}
	if text := l.unmasked(string(body)); utf8.ValidString(text) {
		r.Body = text
	} else {
		r.Base64 = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return r
}

// PendingRequest is a request under way, and its handle.
type PendingRequest struct {
	Cancel context.CancelFunc
	Done   chan struct{}
	Held   *atomic.Int64 // bytes of all answers whose handles are open

	mu     sync.Mutex
	reply  *HTTPResponse
	err    error
	size   int64 // of the reply, as far as held counts it
	closed bool
}

// End notes the response, or why there is none.
func (e *PendingRequest) End(r *HTTPResponse, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer close(e.Done)
	if e.err = err; err != nil || e.closed {
		return
	}
	if e.size = r.size(); e.Held.Add(e.size) > maxReplies {
		e.err = fmt.Errorf("the open responses are larger than %d MiB together: close handles after reading",
			maxReplies>>20)
		return
	}
	e.reply = r
}

// size is what an answer takes, in bytes.
func (r *HTTPResponse) size() int64 {
	n := len(r.Body) + len(r.Base64)
	for name, value := range r.Headers {
		n += len(name) + len(value)
	}
	return int64(n)
}

// Ready says whether the answer is here.
func (e *PendingRequest) Ready() (wasm.Ready, <-chan struct{}) {
	select {
	case <-e.Done:
		if e.err != nil {
			return wasm.Broken | wasm.Done, e.Done
		}
		return wasm.Done, e.Done
	default:
		return 0, e.Done
	}
}

// Close gives up on it.
func (e *PendingRequest) Close() error {
	e.Cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Held.Add(-e.size)
	e.closed, e.size, e.reply = true, 0, nil
	return nil
}

// Response answers http.response@1.
func (e *PendingRequest) Response() ([]byte, error) {
	if ready, _ := e.Ready(); ready == 0 {
		return nil, &wasm.OpError{Code: wasm.WouldBlock, Message: "there is no response yet"}
	}
	if e.err != nil {
		return nil, &wasm.OpError{Code: wasm.Failed, Message: printable.Clean(e.err.Error())}
	}
	return json.Marshal(e.reply)
}

// outgoing sends the requests of one lane run.
type outgoing struct{ *access }
