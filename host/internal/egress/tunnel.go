package egress

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/bounded"
)

// tunnel connects the client with the server, in both directions.
func (x *exchange) tunnel(w http.ResponseWriter, r *http.Request) {
	conn, err := x.proxy.dial(r.Context(), x.target)
	if err != nil {
		x.answer(w, err)
		return
	}
	server := &metered{Conn: conn, x: x}
	defer server.Close()
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		x.answer(w, errors.New("the connection cannot be a tunnel"))
		return
	}
	client, buffered, err := hijacker.Hijack()
	if err != nil {
		x.err = err
		return
	}
	defer client.Close()
	defer context.AfterFunc(r.Context(), func() { client.Close(); conn.Close() })()
	client.SetDeadline(time.Now().Add(helloTime))
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		x.err = err
		return
	}
	hello, err := x.greeting(buffered.Reader)
	if err != nil {
		x.err = err
		return
	}
	client.SetDeadline(time.Time{})
	x.copy(client, server, io.MultiReader(bytes.NewReader(hello), buffered.Reader))
}

// maxHello is the longest TLS greeting, in bytes.
const maxHello = 64 << 10

var errGreeted = errors.New("the greeting was read")

// greeting reads the first bytes of a tunnel to port 443, which must be a TLS greeting for the name that was
// requested: one server may answer for many names, of which the lane has one.
func (x *exchange) greeting(from *bufio.Reader) ([]byte, error) {
	if x.target.port != 443 {
		return nil, nil
	}
	var seen bytes.Buffer
	name := ""
	conn := oneSided{io.TeeReader(bounded.Reader(from, maxHello), &seen)}
	err := tls.Server(conn, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		return nil, errGreeted
	}}).Handshake()
	switch {
	case seen.Len() == 0 && errors.Is(err, io.EOF): // it needs nothing any more
		return nil, nil
	case !errors.Is(err, errGreeted):
		return nil, refuse(http.StatusForbidden, "the tunnel to %s does not begin with a TLS greeting", x.target)
	case name != x.target.host:
		return nil, refuse(http.StatusForbidden, "the tunnel to %s is for the TLS server name %.300q", x.target, name)
	}
	return seen.Bytes(), nil
}

// oneSided is a connection from which can be read, and that swallows what is written.
type oneSided struct{ io.Reader }

func (oneSided) Write(p []byte) (int, error)      { return len(p), nil }
func (oneSided) Close() error                     { return nil }
func (oneSided) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (oneSided) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (oneSided) SetDeadline(time.Time) error      { return nil }
func (oneSided) SetReadDeadline(time.Time) error  { return nil }
func (oneSided) SetWriteDeadline(time.Time) error { return nil }

// copy moves bytes until both sides have ended, one fails or nothing moves any more.
func (x *exchange) copy(client net.Conn, server *metered, fromClient io.Reader) {
	var once sync.Once
	end := func(err error) {
		if err == nil {
			return
		}
		once.Do(func() {
			if no := (*refusal)(nil); errors.As(err, &no) {
				x.err = err
			}
			client.Close()
			server.Close()
		})
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, err := io.Copy(server, fromClient)
		end(errors.Join(err, halfClose(server.Conn)))
	})
	both.Go(func() {
		_, err := io.Copy(client, server)
		end(errors.Join(err, halfClose(client)))
	})
	both.Wait()
}

// halfClose tells the other side that nothing more comes.
func halfClose(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// metered is a connection to a server whose bytes are counted and taken from the budget. Neither side is waited for
// longer than idleTime.
type metered struct {
	net.Conn
	x *exchange
}

func (m *metered) Read(p []byte) (int, error) {
	m.SetReadDeadline(time.Now().Add(idleTime))
	n, err := m.Conn.Read(p)
	m.x.received.Add(int64(n))
	if no := m.x.proxy.Budget.take(n); no != nil {
		return 0, no
	}
	return n, err
}

func (m *metered) Write(p []byte) (int, error) {
	m.SetWriteDeadline(time.Now().Add(idleTime))
	if err := m.x.proxy.Budget.take(len(p)); err != nil {
		return 0, err
	}
	n, err := m.Conn.Write(p)
	m.x.sent.Add(int64(n))
	m.SetReadDeadline(time.Now().Add(idleTime)) // a long upload is not idle
	return n, err
}

func (b *Budget) take(n int) error {
	if b.bytes.Add(-int64(n)) < 0 {
		return refuse(http.StatusForbidden, "the lane run has used its %d bytes of network (limits.network)", b.limit)
	}
	return nil
}

// limited closes connections above a number at once.
type limited struct {
	net.Listener
	open chan struct{}
}

func newLimited(l net.Listener, most int) *limited { return &limited{l, make(chan struct{}, most)} }

func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.open <- struct{}{}:
			return &counted{Conn: conn, free: sync.OnceFunc(func() { <-l.open })}, nil
		default:
			conn.Close()
		}
	}
}

// counted gives its place back when it is closed.
type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes.
func (c *counted) CloseWrite() error { return halfClose(c.Conn) }
