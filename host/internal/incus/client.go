package incus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// Config says which Incus to use and as whom. It is comparable, so that it can
// be the key of a map of clients.
type Config struct {
	URL        string // "https://host:8443"; empty: the local socket
	Socket     string // unix socket; empty: where Incus puts it
	Cert, Key  string // client certificate, PEM files, for https
	ServerCert string // PEM file: the one certificate the server may show; empty: the system's authorities
	Project    string // "pushlane" when empty
	Pool       string // storage pool, "pushlane" when empty
	Owner      string // label of what this host makes; empty: this machine and user
	Hosts      string // folder of the marks of this owner's processes, see package alive; "" not known
}

// Where is the address in words.
func (c Config) Where() string {
	switch {
	case c.URL != "":
		return c.URL
	case c.Socket != "":
		return c.Socket
	}
	return "its local socket"
}

func (c Config) filled() Config {
	c.Project = cmp.Or(c.Project, "pushlane")
	c.Pool = cmp.Or(c.Pool, "pushlane")
	c.Owner = cmp.Or(c.Owner, defaultOwner())
	return c
}

// Client is a connection to one project of one Incus. Safe for concurrent use;
// one per Config is enough for the life of a process.
type Client struct {
	cfg     Config
	srv     incus.InstanceServer // of the project
	process string               // label of this process
	met     string               // see Met; set by Connect
	trees   treeLimits

	mu       sync.Mutex // guards what follows
	images   map[imageKey]imageEntry
	guests   map[string]guest         // by fingerprint
	making   map[string]chan struct{} // source volumes under way, by name
	boxes    map[string]bool          // containers of runs, until they are deleted
	room     room                     // of the pool, as of roomAt
	roomAt   time.Time
	failures []error // of clean-ups, returned by Close

	cleanups sync.WaitGroup
	closing  chan struct{} // closed by Close: what cannot be deleted is given up
	closed   sync.Once
}

// connectTime is how long an Incus may take to say hello.
const connectTime = 15 * time.Second

// Connect opens the connection and checks that Incus trusts it and has the
// project. Errors are *Error with a hint.
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.filled()
	ctx, cancel := context.WithTimeoutCause(ctx, connectTime, errors.New("no answer within 15 seconds"))
	defer cancel()
	srv, err := await(ctx, func() (incus.InstanceServer, error) { return dial(ctx, cfg) })
	if err != nil {
		if own := new(Error); errors.As(err, &own) {
			return nil, err
		}
		return nil, connectError(cfg.Where(), err)
	}
	c := &Client{cfg: cfg, srv: srv.UseProject(cfg.Project), process: processLabel(), trees: usualTrees(),
		images: map[imageKey]imageEntry{}, guests: map[string]guest{}, making: map[string]chan struct{}{},
		boxes:   map[string]bool{},
		closing: make(chan struct{})}
	return c, c.checkProject(ctx)
}

func dial(ctx context.Context, cfg Config) (incus.InstanceServer, error) {
	// The connection outlives the call that opened it.
	ctx = context.WithoutCancel(ctx)
	// No event socket: it makes every operation wait on a second connection
	// whose loss would fail operations that go on.
	args := &incus.ConnectionArgs{UserAgent: "pushlane", SkipGetEvents: true}
	if cfg.URL == "" {
		return incus.ConnectIncusUnixWithContext(ctx, cfg.Socket, args)
	}
	for _, f := range []struct {
		name string
		into *string
	}{{cfg.Cert, &args.TLSClientCert}, {cfg.Key, &args.TLSClientKey}, {cfg.ServerCert, &args.TLSServerCert}} {
		if f.name == "" {
			continue
		}
		data, err := os.ReadFile(f.name)
		if err != nil {
			return nil, failed("reach Incus at "+cfg.URL, err, "incus.cert, incus.key and incus.server_cert name PEM files")
		}
		*f.into = string(data)
	}
	return incus.ConnectIncusWithContext(ctx, cfg.URL, args)
}

func (c *Client) checkProject(ctx context.Context) error {
	server, err := await(ctx, func() (*api.Server, error) { s, _, err := c.srv.GetServer(); return s, err })
	if err != nil {
		return connectError(c.cfg.Where(), err)
	}
	c.met = epochOf(server)
	if server.Auth != "trusted" {
		return failed("use Incus at "+c.cfg.Where(), errors.New("it does not trust this client certificate"),
			fmt.Sprintf("on its machine: incus config trust add-certificate FILE --restricted --projects %s", c.cfg.Project))
	}
	_, err = await(ctx, func() (*api.Project, error) { p, _, err := c.srv.GetProject(c.cfg.Project); return p, err })
	switch {
	case err == nil:
		return nil
	case isNotFound(err), api.StatusErrorCheck(err, 403):
		return failed(fmt.Sprintf("use Incus project %q", c.cfg.Project),
			errors.New("there is no such project, or this certificate may not use it"),
			"make it with: ./install.sh --incus-only, or name another with incus.project")
	}
	return connectError(c.cfg.Where(), err)
}

// Epoch asks Incus for a name of its process: it changes when Incus is started
// again, and is empty where this client may not know it.
func (c *Client) Epoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTime, errors.New("no answer within 15 seconds"))
	defer cancel()
	server, err := await(ctx, func() (*api.Server, error) { s, _, err := c.srv.GetServer(); return s, err })
	if err != nil {
		return "", connectError(c.cfg.Where(), err)
	}
	return epochOf(server), nil
}

// Met is the Epoch of the Incus that this client connected to.
func (c *Client) Met() string { return c.met }

func epochOf(server *api.Server) string {
	if server.Environment.ServerPid == 0 {
		return ""
	}
	return fmt.Sprint(server.Environment.ServerPid)
}

// Close waits until what earlier runs left to delete is deleted, each within
// its own two minutes, and says what could not be. What Incus does not take by
// now is tried once more.
func (c *Client) Close() error {
	c.closed.Do(func() { close(c.closing) })
	c.cleanups.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	err := errors.Join(c.failures...)
	c.failures = nil
	return err
}
