package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/web"
)

// startPage serves the page at the policy's address; stop ends it.
func startPage(ctx context.Context, h *host.Host, policy config.Policy, metrics http.Handler,
	log *logrus.Logger) (stop func(), err error) {
	if policy.Listen == "" {
		return func() {}, nil
	}
	local, err := checkListen(policy)
	if err != nil {
		return nil, err
	}
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	handler, err := pageHandler(h, st, policy, metrics, local, log)
	if err != nil {
		return nil, err
	}
	listener, err := listenAt(ctx, policy.Listen)
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot serve the page: %w", err),
			`set another address in the policy, listen = "127.0.0.1:7332", or turn the page off with listen = ""`)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		DisableGeneralOptionsHandler: true, // it would wait for the end of the body
		BaseContext:                  func(net.Listener) context.Context { return ctx }}
	proxies, err := policy.Proxies()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go serveHTTP(server, newDoor(listener, proxies), policy, log)
	log.WithField("address", listener.Addr().String()).Info("the page is listening")
	return func() { server.Close() }, nil
}

func pageHandler(h *host.Host, st *store.Store, policy config.Policy, metrics http.Handler, local bool,
	log *logrus.Logger) (http.Handler, error) {
	addresses, err := policy.Proxies()
	if err != nil {
		return nil, err
	}
	_, socket := socketOf(policy.Listen)
	proxy := web.Proxy{Header: policy.ProxyHeader, Addresses: addresses, Socket: socket, Scope: policy.ProxyScope,
		Alone: !socket && !atLoopback(policy.Listen) && policy.TLSCert == ""}
	for _, a := range policy.Access {
		proxy.Access = append(proxy.Access, web.Access(a))
	}
	if proxy.Header != "" && len(addresses) == 0 && !socket {
		log.Warn(`proxy_header is ignored: set proxy_addresses = ["127.0.0.1/32"] to the addresses of the proxy that sets ` +
			proxy.Header)
	}
	return web.New(web.Options{Store: st, Repo: h.OpenRepo, Actions: h, Patches: h.Patches, Loopback: local,
		HTTPS: overTLS(policy), Proxy: proxy, Metrics: metrics, Log: log,
		Private: policy.Private()})
}

// overTLS reports whether users reach the page over TLS: its own, or that of
// the proxy at the policy's url.
func overTLS(policy config.Policy) bool {
	u, err := url.Parse(policy.URL)
	return policy.TLSCert != "" || err == nil && u.Scheme == "https"
}

// socketOf is the path of a unix socket to listen on.
func socketOf(listen string) (path string, ok bool) { return strings.CutPrefix(listen, "unix:") }

// listenAt listens at an address, or on a socket for its owner and group.
func listenAt(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	path, socket := socketOf(address)
	if !socket {
		return lc.Listen(ctx, "tcp", address)
	}
	if err := removeDeadSocket(ctx, path); err != nil {
		return nil, err
	}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeDeadSocket removes a socket on which no process listens.
func removeDeadSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil // listening says what is wrong
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("another process is listening on %s", path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// atLoopback reports whether an address to listen at is of this machine only.
func atLoopback(listen string) bool {
	name, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

func serveHTTP(server *http.Server, l net.Listener, policy config.Policy, log *logrus.Logger) {
	var err error
	if policy.TLSCert != "" {
		err = server.ServeTLS(l, policy.TLSCert, policy.TLSKey)
	} else {
		err = server.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		log.WithError(err).Error("the page stopped")
	}
}

// checkListen reports whether the page is for this machine only. For other
// machines it requires TLS, or a proxy with TLS that names the user.
func checkListen(policy config.Policy) (local bool, err error) {
	if path, socket := socketOf(policy.Listen); socket {
		if !filepath.IsAbs(path) {
			return false, problem.WithHint(fmt.Errorf("cannot serve the page: the socket's path %q is not absolute", path),
				`set listen = "unix:/run/pushlane/page.sock"`)

		}
		return false, config.CheckFolder(filepath.Dir(path)) // a user who can replace the socket would see all tokens
	}
	if _, _, err := net.SplitHostPort(policy.Listen); err != nil {
		return false, fmt.Errorf("cannot serve the page: listen is %q: %w", policy.Listen, err)
	}
	local = atLoopback(policy.Listen)
	if !local && policy.TLSCert == "" && len(policy.ProxyAddresses) == 0 {
		return false,
			problem.WithHint(fmt.Errorf("cannot serve the page at %s: for other machines it needs TLS or a trusted proxy",
				policy.Listen),
				`set tls.cert and tls.key, or proxy_header and proxy_addresses, or listen = "127.0.0.1:7331"`)

	}
	return local && policy.ProxyHeader == "" && atHome(policy.URL), nil
}

// atHome reports whether the public address is on this machine: a proxy at another
// address would make every remote user a local one.
func atHome(address string) bool {
	u, err := url.Parse(address)
	if address == "" || err != nil {
		return address == ""
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
