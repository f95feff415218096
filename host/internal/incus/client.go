package incus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// Client is a connection to one project of one Incus. Safe for concurrent use;
// one per Config is enough for the life of a process.
type Client struct {
	conn    *connection
	process string // label of this process
	met     string // see Met; set by Connect

	images  *Images
	pool    *pool
	volumes *volumes
	trees   *trees
	caches  *caches

	mu       sync.Mutex      // guards what follows
	boxes    map[string]bool // containers of runs, until they are deleted
	failures []error         // of clean-ups, returned by Close

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
	c := newClient(&connection{cfg: cfg, srv: srv.UseProject(cfg.Project)})
	return c, c.checkProject(ctx)
}

func newClient(conn *connection) *Client {
	v := &volumes{conn: conn, making: map[string]chan struct{}{}}
	return &Client{conn: conn, process: processLabel(), boxes: map[string]bool{}, closing: make(chan struct{}),
		images: &Images{conn: conn, known: map[imageKey]imageEntry{}}, pool: &pool{conn: conn},
		volumes: v, trees: &trees{volumes: v, limits: usualTrees()}, caches: &caches{volumes: v}}
}

func (c *Client) checkProject(ctx context.Context) error {
	server, err := c.conn.server(ctx)
	if err != nil {
		return connectError(c.conn.cfg.Where(), err)
	}
	c.met = epochOf(server)
	if server.Auth != "trusted" {
		return failed("use Incus at "+c.conn.cfg.Where(), errors.New("it does not trust this client certificate"),
			"on its machine: incus config trust add-certificate FILE --restricted --projects "+c.conn.cfg.Project)
	}
	_, err = c.conn.project(ctx)
	switch {
	case err == nil:
		return nil
	case isNotFound(err), api.StatusErrorCheck(err, 403):
		return failed(fmt.Sprintf("use Incus project %q", c.conn.cfg.Project),
			errors.New("there is no such project, or this certificate may not use it"),
			"make it with: ./install.sh --incus-only, or name another with incus.project")
	}
	return connectError(c.conn.cfg.Where(), err)
}

// Images are the images of the project.
func (c *Client) Images() *Images { return c.images }

// Epoch asks Incus for a name of its process: it changes when Incus is started
// again, and is empty where this client may not know it.
func (c *Client) Epoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTime, errors.New("no answer within 15 seconds"))
	defer cancel()
	server, err := c.conn.server(ctx)
	if err != nil {
		return "", connectError(c.conn.cfg.Where(), err)
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
