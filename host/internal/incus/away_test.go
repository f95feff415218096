package incus

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// door is a socket in front of Incus that can be closed: to its clients Incus
// is away.
type door struct {
	t    *testing.T
	path string
	to   string

	mu    sync.Mutex
	l     net.Listener
	conns []net.Conn
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, path: filepath.Join(t.TempDir(), "incus.sock"), to: os.Getenv("PUSHLANE_INCUS_SOCKET")}
	if d.to == "" {
		d.to = "/var/lib/incus/unix.socket"
	}
	d.open()
	t.Cleanup(d.close)
	return d
}

func (d *door) open() {
	l, err := net.Listen("unix", d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	d.l = l
	d.mu.Unlock()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go d.pass(conn)
		}
	}()
}

func (d *door) pass(conn net.Conn) {
	there, err := net.Dial("unix", d.to)
	if err != nil {
		conn.Close()
		return
	}
	d.mu.Lock()
	d.conns = append(d.conns, conn, there)
	d.mu.Unlock()
	go func() { io.Copy(there, conn); there.Close() }()
	io.Copy(conn, there)
	conn.Close()
}

// close cuts what is connected, as the end of Incus does.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.l.Close()
	for _, c := range d.conns {
		c.Close()
	}
	d.conns = nil
}

// TestDeletedOnceIncusIsBack: a container that could not be deleted is deleted
// as soon as Incus answers, by the client that made it, and the client knows
// that Incus was away.
func TestDeletedOnceIncusIsBack(t *testing.T) {
	cfg := testConfig(t)
	needIncus(t, cfg)
	d := newDoor(t)
	cfg.Socket = d.path
	c, err := Connect(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := c.Epoch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out syncBuffer
	ended := make(chan error, 1)
	go func() {
		_, err := c.Run(context.Background(), busybox("echo running; sleep 1000"), &out, &out)
		ended <- err
	}()
	waitFor(t, "the command runs", func() bool { return strings.Contains(out.String(), "running") })
	d.close()
	err = <-ended
	if machine := new(MachineError); !errors.As(err, &machine) {
		t.Errorf("the run ended with %v", err)
	}
	if _, err := c.Epoch(context.Background()); !Away(err) {
		t.Errorf("Incus that is away says %v", err)
	}
	time.Sleep(4 * time.Second) // it has been tried several times by now
	d.open()
	waitFor(t, "the container is deleted", func() bool { return len(ownedBy(t, c)) == 0 })
	if now, err := c.Epoch(context.Background()); err != nil || now != epoch {
		t.Errorf("epoch %q, %v; want %q", now, err, epoch)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestCloseWhileIncusIsAway: who leaves does not wait for it, and says what is
// left.
func TestCloseWhileIncusIsAway(t *testing.T) {
	cfg := testConfig(t)
	direct := needIncus(t, cfg)
	d := newDoor(t)
	cfg.Socket = d.path
	c, err := Connect(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out syncBuffer
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, busybox("echo running; sleep 1000"), &out, &out)
		ended <- err
	}()
	waitFor(t, "the command runs", func() bool { return strings.Contains(out.String(), "running") })
	d.close()
	cancel()
	<-ended
	err = c.Close()
	if err == nil || !strings.Contains(err.Error(), "cannot delete container pl-test-c-1-") {
		t.Errorf("closed with %v", err)
	}
	for _, name := range ownedBy(t, direct) {
		if err := direct.remove(context.Background(), name, ""); err != nil {
			t.Error(err)
		}
	}
}

// ownedBy are the containers of a client's owner.
func ownedBy(t *testing.T, c *Client) (names []string) {
	t.Helper()
	all, err := c.conn.srv.GetInstances(api.InstanceTypeContainer)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Config[labelOwner] == c.conn.cfg.Owner {
			names = append(names, i.Name)
		}
	}
	return names
}
