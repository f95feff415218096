package lanerun

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pushlane/pushlane/host/internal/egress"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/sdk"
)

// listed reports whether the network of the lane's containers is a list of names.
func (l *access) listed() bool { return len(l.lane().Grant.Names) > 0 }

// limits is what a container of the lane may request.
func (l *access) limits() incus.Limits {
	most := l.policy().ContainerLimits()
	most.Proxied = l.listed()
	return most
}

// allowNetwork says no to a container's network: that it has one, or to a name that its lane lists.
func (l *access) allowNetwork(c sdk.Container) error {
	if !c.Network {
		return nil
	}
	if !l.can("container.network") {
		return l.denied("container.network")
	}
	for _, name := range l.lane().Grant.Names {
		p := l.policy()
		if p.AllowsNetwork(name) {
			continue
		}
		if !p.Lets("container.network", name) {
			return l.notInZone(fmt.Sprintf("network %q", name))
		}
		return problem.WithHint(fmt.Errorf("lane %q grants a network that reaches %q, which the policy of this host does "+
			"not allow", l.lane().ID, name),
			"the host's owner may add it to `network.hosts` in "+l.j.Policy.File())
	}
	return nil
}

// maxNetworkLines is how many requests of one container the log names.
const maxNetworkLines = 1000

// maxNetworkNames is how many names of one container are on record.
const maxNetworkNames = 100

// networkUse is the network of one container, and what it does with it. The zero value is that of a container without.
type networkUse struct {
	lane  *Lane
	proxy incus.Proxy
	close func() // nil: there is nothing to close

	mu    sync.Mutex
	lines int
	names map[string]*nameUse
}

// nameUse is what one container did with one name and port.
type nameUse struct {
	requests       int
	sent, received int64
	refused        string // why; "": it was not
	notGranted     bool
}

// openNetwork makes what a container with a list of names connects to.
func (l *Lane) openNetwork(ctx context.Context, c sdk.Container) (*networkUse, error) {
	use := &networkUse{lane: l, names: map[string]*nameUse{}}
	if !c.Network || !l.listed() {
		return use, nil
	}
	names, err := egress.ParseNames(l.lane().Grant.Names)
	if err != nil {
		return nil, err
	}
	listener, err := listenUnix(filepath.Join(l.runner.State, "egress"))
	if err != nil {
		return nil, fmt.Errorf("cannot open the proxy of container %s: %w", c.ID, err)
	}
	l.mu.Lock()
	if l.traffic == nil {
		l.traffic = egress.NewBudget(l.policy().NetworkBytes())
	}
	p := &egress.Proxy{Names: names, Private: l.policy().PrivateBlocks(), Budget: l.traffic, Report: use.note}
	l.mu.Unlock()
	use.proxy = incus.Proxy{Socket: listener.Addr().String(), UID: os.Geteuid(), GID: os.Getegid()}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Serve(ctx, listener) // its only error is a listener that was closed from outside: clients see it
	}()
	use.close = sync.OnceFunc(func() { cancel(); listener.Close(); <-done; use.record(context.WithoutCancel(ctx)) })
	return use, nil
}

// end closes the proxy and puts on record what was done.
func (u *networkUse) end() {
	if u.close != nil {
		u.close()
	}
}

// note takes down one request.
func (u *networkUse) note(c egress.Connection) {
	u.mu.Lock()
	defer u.mu.Unlock()
	name := u.lane.unmasked(printable.Clean(c.Name))
	n := u.names[name]
	if n == nil {
		n = &nameUse{}
		if len(u.names) >= egress.MaxRequests {
			return
		}
		u.names[name] = n
	}
	n.requests++
	n.sent, n.received = n.sent+c.Sent, n.received+c.Received
	n.refused, n.notGranted = c.Refused, c.NotGranted
	if u.lines++; u.lines > maxNetworkLines {
		return
	}
	line := fmt.Sprintf("network: %s: %s sent, %s received, %s", name, amount(c.Sent), amount(c.Received),
		printable.Elapsed(c.Took))
	switch {
	case c.Refused != "":
		line = fmt.Sprintf("network: %s: refused: %s", name, printable.Clean(c.Refused))
	case c.Failed != "":
		line = fmt.Sprintf("network: %s: failed: %s", name, printable.Clean(c.Failed))
	}
	u.lane.log.aside(u.lane.unmasked(line))
}

// record puts each name with its sums on record.
func (u *networkUse) record(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lines > maxNetworkLines {
		u.lane.log.aside(fmt.Sprintf("network: %d more requests are not listed", u.lines-maxNetworkLines))
	}
	for i, name := range slices.Sorted(maps.Keys(u.names)) {
		n := u.names[name]
		if i == maxNetworkNames {
			u.lane.rec.Event(ctx, u.lane.i, u.lane.lane().ID, "network",
				fmt.Sprintf("%d more names are not listed", len(u.names)-maxNetworkNames))
			return
		}
		text := fmt.Sprintf("%s: %s, %s sent, %s received", name, printable.Count(n.requests, "request"), amount(n.sent),
			amount(n.received))
		if n.refused != "" {
			text += ", refused: " + u.lane.unmasked(printable.Clean(n.refused))
		}
		u.lane.rec.Event(ctx, u.lane.i, u.lane.lane().ID, "network", text)
	}
}

// notGranted are the names that were requested and that the lane does not list, sorted.
func (u *networkUse) notGranted() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var names []string
	for name, n := range u.names {
		if n.notGranted {
			names = append(names, strings.TrimSuffix(strings.TrimSuffix(name, ":443"), ":80"))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// amount writes bytes for a person.
func amount(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

// maxSocket is the longest path of a unix socket that every system takes, in bytes.
const maxSocket = 100

// listenUnix opens a socket that only this user, and root, reach: in a folder, or where its path is too long in a
// folder of its own.
func listenUnix(folder string) (net.Listener, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	removeDeadSockets(folder)
	var nonce [8]byte
	rand.Read(nonce[:])
	name := filepath.Join(folder, hex.EncodeToString(nonce[:])+".sock")
	if len(name) <= maxSocket {
		return net.Listen("unix", name)
	}
	short, err := os.MkdirTemp("", "pushlane-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", filepath.Join(short, "s"))
	if err != nil {
		return nil, errors.Join(err, os.Remove(short))
	}
	return &shortLived{l, short}, nil
}

// shortLived is a listener whose folder goes with it.
type shortLived struct {
	net.Listener
	folder string
}

func (s *shortLived) Close() error {
	err := s.Listener.Close()
	if gone := os.Remove(s.folder); err == nil && !errors.Is(gone, os.ErrNotExist) {
		err = gone
	}
	return err
}

// deadSocket is how old a socket is before it may count as left behind: a new one is bound before it is listened on.
const deadSocket = time.Minute

// removeDeadSockets removes what killed hosts left: sockets that no process listens on.
func removeDeadSockets(folder string) {
	entries, _ := os.ReadDir(folder) // what cannot be read now is removed another time
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Type() != os.ModeSocket || time.Since(info.ModTime()) < deadSocket {
			continue
		}
		name := filepath.Join(folder, e.Name())
		conn, err := net.Dial("unix", name)
		if err == nil {
			conn.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			os.Remove(name)
		}
	}
}
