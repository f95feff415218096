package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// pipes is a listener whose connections are pipes: their deadlines go by the
// clock of the test.
type pipes struct {
	conns chan net.Conn
	ctx   context.Context
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// served serves the site over pipes and returns how to connect.
func (f *fixture) served(ctx context.Context) func() net.Conn {
	l := pipes{make(chan net.Conn), ctx}
	server := &http.Server{Handler: f.handler()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	f.t.Cleanup(func() { server.Close(); <-done })
	return func() net.Conn {
		ours, theirs := net.Pipe()
		l.conns <- theirs
		f.t.Cleanup(func() { ours.Close() })
		return ours
	}
}

// onFakeClock runs a test with a site whose clock jumps while all wait.
func onFakeClock(t *testing.T, do func(t *testing.T, f *fixture, connect func() net.Conn)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		do(t, f, f.served(ctx))
	})
}

// A body that does not come, or comes in drips, holds a connection for
// bodyTime: at every route, also those that want none or that do not exist.
func TestBodiesThatDoNotCome(t *testing.T) {
	heads := map[string]string{
		"login":        "POST /login HTTP/1.1\r\nContent-Length: 60000\r\n",
		"chunked":      "POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
		"a page":       "GET / HTTP/1.1\r\nContent-Length: 60000\r\n",
		"static":       "GET /static/page.js HTTP/1.1\r\nContent-Length: 60000\r\n",
		"api":          "POST /api/v1/repositories/app/runs/1/rerun HTTP/1.1\r\nContent-Length: 60000\r\n",
		"events":       "GET /changes HTTP/1.1\r\nContent-Length: 60000\r\n",
		"not there":    "PUT /nothing HTTP/1.1\r\nContent-Length: 60000\r\n",
		"other site":   "POST /login HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 60000\r\n",
		"other host":   "POST /login HTTP/1.1\r\nContent-Length: 60000\r\n",
		"with promise": "POST /login HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n",
	}
	onFakeClock(t, func(t *testing.T, _ *fixture, connect func() net.Conn) {
		for name, head := range heads {
			for _, drips := range []bool{false, true} {
				host := "localhost"
				if name == "other host" {
					host = "evil.example"
				}
				began := time.Now()
				answer, err := holdBody(connect(), head+"Host: "+host+"\r\n\r\n", drips)
				answer = bytes.TrimPrefix(answer, []byte("HTTP/1.1 100 Continue\r\n\r\n"))
				if err != nil || len(answer) > 0 {
					t.Errorf("%s, drips %t: got %q, %v", name, drips, answer, err)
				}
				if took := time.Since(began); took < bodyTime || took > bodyTime+5*time.Second {
					t.Errorf("%s, drips %t: closed after %s", name, drips, took)
				}
			}
		}
	})
}

// holdBody sends the head of a request and of its body nothing, or a part every
// three seconds, and returns what the server sent until it closed.
func holdBody(conn net.Conn, head string, drips bool) ([]byte, error) {
	if _, err := io.WriteString(conn, head); err != nil {
		return nil, err
	}
	var dripping sync.WaitGroup
	defer dripping.Wait()
	dripping.Go(func() {
		for drips {
			if _, err := io.WriteString(conn, "1\r\nx\r\n"); err != nil {
				return
			}
			time.Sleep(3 * time.Second)
		}
	})
	return io.ReadAll(conn)
}

func TestABodyThatIsTooLarge(t *testing.T) {
	t.Parallel()
	h := newFixture(t).handler()
	got := ask(h, http.MethodPost, "/login", "token="+strings.Repeat("x", maxBody))
	if got.Code != http.StatusRequestEntityTooLarge || got.Body.String() != errLargeBody.Error()+"\n" ||
		got.Header().Get("Connection") != "close" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

// send writes a request and reads the head of its response.
func send(t *testing.T, conn net.Conn, method, path string, body string) (*http.Response, *bufio.Reader) {
	t.Helper()
	const head = "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
	if _, err := fmt.Fprintf(conn, head, method, path, len(body), body); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp, in
}

// The limits on time are each request's own: the next one of a connection has
// all of them again, and streams have none while they are read.
func TestTimesOfOneConnection(t *testing.T) {
	onFakeClock(t, func(t *testing.T, f *fixture, connect func() net.Conn) {
		run := f.begin("post-receive")
		conn := connect()
		for range 3 {
			for _, path := range []string{"/r/app", "/static/page.js"} {
				resp, _ := send(t, conn, http.MethodGet, path, "ignored")
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
				}
				time.Sleep(2 * (bodyTime + pageTime))
			}
		}
		resp, _ := send(t, conn, http.MethodGet, "/r/app/runs/1/test/events", "ignored")
		go func() {
			time.Sleep(2 * time.Minute)
			f.say(run, "late")
			f.end(run, store.Passed)
		}()
		text, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(text), "late") || !strings.Contains(string(text), "event: end") {
			t.Errorf("%v %s", err, text)
		}
	})
}

// A client that reads a download slowly gets all of it; one that does not read
// is dropped, whatever it asked for.
func TestClientsThatDoNotRead(t *testing.T) {
	onFakeClock(t, func(t *testing.T, f *fixture, connect func() net.Conn) {
		run := f.begin("post-receive")
		f.say(run, strings.Repeat("x", 100_000))
		f.end(run, store.Failed)
		if err := os.WriteFile(filepath.Join(f.dir, "report.html"), make([]byte, 200_000), 0o600); err != nil {
			t.Fatal(err)
		}
		const artifact = "/r/app/runs/1/artifacts/1/out/report.html"
		for _, path := range []string{artifact, "/r/app/runs/1/test?raw=1", "/r/app/runs/1/test/events",
			"/r/app/runs/1", "/r/app/runs/1/test"} {
			conn := connect()
			resp, in := send(t, conn, http.MethodGet, path, "")
			time.Sleep(bodyTime + pageTime + time.Second)
			rest, err := io.ReadAll(in)
			if len(rest) > 8192 || err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: %d, then %d bytes, %v", path, resp.StatusCode, len(rest), err)
			}
		}
		resp, _ := send(t, connect(), http.MethodGet, artifact, "")
		total := 0
		for part := make([]byte, 8192); ; time.Sleep(sendTime / 10) {
			n, err := resp.Body.Read(part)
			if total += n; err != nil {
				break
			}
		}
		if total != 200_000 {
			t.Errorf("%d bytes of a slow download", total)
		}
	})
}

func TestCookiesForTLSAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.opts.Loopback = false
	token := f.token(store.Token{Name: "ann", Scope: "read"})
	for _, https := range []bool{false, true} {
		f.opts.HTTPS = https
		h := f.handler()
		for path, body := range map[string]string{"/login": "token=" + token, "/logout": "x=1"} {
			cookies := ask(h, http.MethodPost, path, body).Result().Cookies()
			if len(cookies) != 1 || cookies[0].Secure != https || !cookies[0].HttpOnly ||
				cookies[0].SameSite != http.SameSiteStrictMode {
				t.Errorf("%s: %v", path, cookies)
			}
		}
	}
}
