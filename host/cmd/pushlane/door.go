package main

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

const (
	maxConnections = 1024 // of the page: the host needs files for its pushes too
	maxOfAddress   = 128  // of one address that is not a proxy's
)

// door is a listener with a limit of simultaneous connections, in total and per
// address. Further connections are closed at once.
type door struct {
	net.Listener
	proxies []netip.Prefix
	most    int // connections at once

	mu  sync.Mutex
	all int
	of  map[netip.Addr]int
}

func newDoor(l net.Listener, proxies []netip.Prefix) *door {
	return &door{Listener: l, proxies: proxies, most: roomFor(files()), of: map[netip.Addr]int{}}
}

// files is the number of files that this process may have open.
func files() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 2 * maxConnections
	}
	return limit.Cur
}

// roomFor is the number of connections the page may have, given the number of
// files: half of them are reserved for pushes.
func roomFor(files uint64) int { return int(min(maxConnections, max(1, files/2))) }

// Accept waits for the next connection that there is room for.
func (c *door) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, counted := c.counted(conn.RemoteAddr().String())
		if !c.enter(from, counted) {
			conn.Close()
			continue
		}
		return &guest{Conn: conn, leave: sync.OnceFunc(func() { c.leave(from, counted) })}, nil
	}
}

// counted is the address that a connection counts for, and whether it counts: a
// proxy's connections do not, because all users share its address.
func (c *door) counted(remote string) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}, false
	}
	ip := at.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(c.proxies, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return ip, false
	}
	if ip.Is6() { // one network, which one machine may have all of
		return netip.PrefixFrom(ip, 64).Masked().Addr(), true
	}
	return ip, true
}

func (c *door) enter(from netip.Addr, counted bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.most || counted && c.of[from] >= maxOfAddress {
		return false
	}
	c.all++
	if counted {
		c.of[from]++
	}
	return true
}

func (c *door) leave(from netip.Addr, counted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if !counted {
		return
	}
	if c.of[from]--; c.of[from] == 0 {
		delete(c.of, from)
	}
}

// guest is a connection that gives up its place when it is closed.
type guest struct {
	net.Conn
	leave func()
}

func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}
