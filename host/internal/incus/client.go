package incus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// Config says which Incus, and what of it belongs to pushlane.
type Config struct {
	URL        string // "https://host:8443"; empty: the local unix socket
	Socket     string // path; empty: where Incus puts it
	Cert, Key  string // client certificate, PEM files, with URL
	ServerCert string // pinned server certificate, PEM file, with URL
	Project    string
	Pool       string
	SourceDir  string // host folder shared read-only with containers; empty: sources travel as tar
	Owner      string // this host's name on its containers
}

// Client is a connection to one project. Safe for concurrent use.
type Client struct {
	config Config
	server incus.InstanceServer // of the project
	clean  sync.WaitGroup       // deletions under way

	mu     sync.Mutex
	images map[string]image
	trees  map[string]*sync.Once
}

type image struct {
	fingerprint string
	at          time.Time
}

// imageMemory is how long an alias is believed to name the same image.
const imageMemory = 10 * time.Second

// Connect reaches the Incus and its project.
func Connect(ctx context.Context, c Config) (*Client, error) {
	server, err := dial(ctx, c)
	if err != nil {
		return nil, unreachable(c, err)
	}
	server = server.UseProject(c.Project)
	return &Client{config: c, server: server, images: map[string]image{}, trees: map[string]*sync.Once{}}, nil
}

func dial(ctx context.Context, c Config) (incus.InstanceServer, error) {
	args := &incus.ConnectionArgs{UserAgent: "pushlane", SkipGetEvents: true, SkipGetServer: c.URL == ""}
	if c.URL == "" {
		return incus.ConnectIncusUnixWithContext(ctx, c.Socket, args)
	}
	for _, f := range []struct {
		name string
		to   *string
	}{{c.Cert, &args.TLSClientCert}, {c.Key, &args.TLSClientKey}, {c.ServerCert, &args.TLSServerCert}} {
		if f.name == "" {
			continue
		}
		data, err := os.ReadFile(f.name)
		if err != nil {
			return nil, err
		}
		*f.to = string(data)
	}
	return incus.ConnectIncusWithContext(ctx, c.URL, args)
}

// Close waits for the deletions under way.
func (c *Client) Close() { c.clean.Wait() }

// hintError is an error with the command that mends it.
type hintError struct {
	error
	hint string
}

func (e hintError) Hint() string  { return e.hint }
func (e hintError) Unwrap() error { return e.error }

func hinted(err error, hint string) error { return hintError{err, hint} }

func unreachable(c Config, err error) error {
	at := c.URL
	if at == "" {
		at = "its unix socket"
	}
	err = fmt.Errorf("cannot reach Incus at %s: %w", at, err)
	switch {
	case errors.Is(err, os.ErrPermission):
		return hinted(err, "become a member of the group incus-admin, or run as root")
	case c.URL != "":
		return hinted(err, "check incus.url, incus.cert, incus.key and incus.server_cert in the policy")
	}
	return hinted(err, "start it with: systemctl start incus, or install it with: ./install.sh")
}

// fingerprint resolves an alias, or takes a fingerprint as it is.
func (c *Client) fingerprint(name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.images[name]; ok && time.Since(known.at) < imageMemory {
		return known.fingerprint, nil
	}
	fp, err := c.lookUpImage(name)
	if err == nil {
		c.images[name] = image{fp, time.Now()}
	}
	return fp, err
}

func (c *Client) lookUpImage(name string) (string, error) {
	alias, _, err := c.server.GetImageAlias(name)
	if err == nil {
		return alias.Target, nil
	}
	if !api.StatusErrorCheck(err, http.StatusNotFound) {
		return "", unreachable(c.config, err)
	}
	if img, _, ierr := c.server.GetImage(name); ierr == nil {
		return img.Fingerprint, nil
	}
	return "", c.noImage(name)
}

func (c *Client) noImage(name string) error {
	err := fmt.Errorf("cannot launch a container: Incus has no image %q in project %q", name, c.config.Project)
	var have []string
	aliases, aerr := c.server.GetImageAliases()
	for _, a := range aliases {
		have = append(have, a.Name)
	}
	if aerr != nil || len(have) == 0 {
		return hinted(err, "make the default images with: ./install.sh")
	}
	return hinted(err, "images there: "+strings.Join(have, ", "))
}

// MachineError is a failure of the machinery and not of the command that ran
// in it: worth another attempt.
type MachineError struct{ error }

func (e MachineError) Unwrap() error { return e.error }

// wait asks for an operation until it has ended. Its own way of waiting needs
// the event socket, which v6.23.0 cannot be trusted with.
func (c *Client) wait(ctx context.Context, op incus.Operation) (*api.Operation, error) {
	id := op.Get().ID
	for {
		got, err := c.ask(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case got.StatusCode == api.Success:
			return got, nil
		case got.StatusCode.IsFinal():
			return got, errors.New(got.Err)
		}
	}
}

// ask waits a while for an operation, and no longer than ctx lives.
func (c *Client) ask(ctx context.Context, id string) (*api.Operation, error) {
	type answer struct {
		op  *api.Operation
		err error
	}
	ch := make(chan answer, 1)
	go func() {
		op, _, err := c.server.GetOperationWait(id, 10)
		ch <- answer{op, err}
	}()
	select {
	case a := <-ch:
		return a.op, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
