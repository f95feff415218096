package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/web"
)

// startPage shows the page where the policy says; stop ends it.
func startPage(ctx context.Context, h *host.Host, policy host.Policy, metrics http.Handler, log *logrus.Logger) (stop func(), err error) {
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
	handler, err := web.New(web.Options{Store: st, Repo: h.OpenRepo, Actions: h, Patches: h.Patches, Loopback: local, TLS: policy.TLSCert != "",
		ProxyHeader: policy.ProxyHeader, Metrics: metrics, Log: log})
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", policy.Listen)
	if err != nil {
		return nil, hint{fmt.Errorf("cannot show the page: %w", err), `name another address with listen = "127.0.0.1:7332" in the policy, or none with listen = ""`}
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	go serveHTTP(server, listener, policy, log)
	log.WithField("address", listener.Addr().String()).Info("the page is there")
	return func() { server.Close() }, nil
}

func serveHTTP(server *http.Server, l net.Listener, policy host.Policy, log *logrus.Logger) {
	var err error
	if policy.TLSCert != "" {
		err = server.ServeTLS(l, policy.TLSCert, policy.TLSKey)
	} else {
		err = server.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		log.WithError(err).Error("the page is gone")
	}
}

// checkListen tells whether the page is for this machine alone. Beyond it the
// page wants TLS, or a proxy in front that has it and names the user.
func checkListen(policy host.Policy) (local bool, err error) {
	name, _, err := net.SplitHostPort(policy.Listen)
	if err != nil {
		return false, fmt.Errorf("cannot show the page: listen is %q: %w", policy.Listen, err)
	}
	ip, err := netip.ParseAddr(name)
	local = name == "localhost" || err == nil && ip.IsLoopback()
	if !local && policy.TLSCert == "" && policy.ProxyHeader == "" {
		return false, hint{fmt.Errorf("cannot show the page at %s: beyond this machine it needs TLS or a trusted proxy", policy.Listen),
			`give it tls.cert and tls.key, or proxy_header, or listen = "127.0.0.1:7331"`}
	}
	return local && policy.ProxyHeader == "", nil
}
