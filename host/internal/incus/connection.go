package incus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
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

// connection is the project of one Incus, and as whom it is asked.
type connection struct {
	cfg Config
	srv incus.InstanceServer // of the project
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

// await runs a call of the Incus client, which knows no context, and leaves it
// to itself when ctx ends first.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := call()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// reconnects is how often a broken connection is tried again while waiting:
// an operation goes on without us.
const reconnects = 5

// errVanished is an operation that Incus no longer knows: it finished more
// than five seconds ago, or Incus was restarted.
var errVanished = errors.New("Incus no longer knows the operation; was it restarted?")

// wait waits for an operation. The client's own Wait needs an event socket,
// fails when that drops, and ignores its context without one. The operation's
// own failure is an error.
func (c *connection) wait(ctx context.Context, id string) (api.Operation, error) {
	broken := 0
	for {
		op, err := await(ctx, func() (*api.Operation, error) { return c.look(id) })
		switch {
		case ctx.Err() != nil:
			return api.Operation{}, context.Cause(ctx)
		case isNotFound(err):
			return api.Operation{}, errVanished
		case lost(err) && broken < reconnects:
			broken++
			if !pause(ctx, time.Duration(broken)*200*time.Millisecond) {
				return api.Operation{}, context.Cause(ctx)
			}
		case err != nil:
			return api.Operation{}, err
		case op.StatusCode.IsFinal():
			return *op, operationError(*op)
		}
	}
}

// look waits ten seconds for an operation's end and returns it as it is then.
// Incus 6.0.4 answers a wait that was too short with its own context's error;
// later ones with the operation. The client's GetOperationWait is not used: it
// changes the transport that other calls are reading.
func (c *connection) look(id string) (*api.Operation, error) {
	answer, _, err := c.srv.RawQuery("GET", "/1.0/operations/"+url.PathEscape(id)+"/wait?timeout=10", nil, "")
	if err != nil && err.Error() == context.DeadlineExceeded.Error() {
		op, _, err := c.srv.GetOperation(id)
		return op, err
	}
	if err != nil {
		return nil, err
	}
	op := new(api.Operation)
	return op, answer.MetadataAsStruct(op)
}

func operationError(op api.Operation) error {
	if op.StatusCode == api.Success {
		return nil
	}
	if op.Err == "" {
		return fmt.Errorf("operation ended as %s", op.Status)
	}
	return errors.New(op.Err)
}

func (c *connection) server(ctx context.Context) (*api.Server, error) {
	return await(ctx, func() (*api.Server, error) { s, _, err := c.srv.GetServer(); return s, err })
}

func (c *connection) project(ctx context.Context) (*api.Project, error) {
	return await(ctx, func() (*api.Project, error) { p, _, err := c.srv.GetProject(c.cfg.Project); return p, err })
}

func (c *connection) pool(ctx context.Context) (*api.StoragePool, error) {
	return await(ctx, func() (*api.StoragePool, error) { p, _, err := c.srv.GetStoragePool(c.cfg.Pool); return p, err })
}

// do starts an operation and waits for it.
func (c *connection) do(ctx context.Context, start func() (incus.Operation, error)) error {
	op, err := await(ctx, start)
	if err == nil {
		_, err = c.wait(ctx, op.Get().ID)
	}
	return err
}

// pause sleeps and reports whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
