package incus

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Checked is one thing that containers depend on.
type Checked struct {
	Name    string // incus, project, limits, pool, image or network
	Message string // what is there
	Err     error  // nil: it is there. Otherwise it may carry a hint
	Warn    bool   // it works, but should be reviewed
	Hint    string // of a warning: what to do
}

// Check looks at what a launch depends on, in the order in which it would miss
// it: the daemon, the project, the pool, the images.
func (c *Client) Check(ctx context.Context, images ...string) []Checked {
	look := &checks{c.conn, c.images}
	all := append([]Checked{look.server(ctx)}, look.advisories(ctx)...)
	all = append(all, look.restricted(ctx), look.limits(ctx), look.pool(ctx))
	for _, image := range images {
		all = append(all, look.image(ctx, image))
	}
	return all
}

// checks look at what a launch depends on, one thing each.
type checks struct {
	conn   *connection
	images *Images
}

func (c *checks) server(ctx context.Context) Checked {
	server, err := c.conn.server(ctx)
	if err != nil {
		return missing("incus", connectError(c.conn.cfg.Where(), err))
	}
	return Checked{Name: "incus",
		Message: fmt.Sprintf("Incus %s at %s", server.Environment.ServerVersion, c.conn.cfg.Where())}
}

// restricted: pushlane checks every request itself; a project without
// restrictions lacks the second wall.
func (c *checks) restricted(ctx context.Context) Checked {
	project, err := c.conn.project(ctx)
	if err != nil {
		return missing("project", broke("read project "+c.conn.cfg.Project, err))
	}
	if project.Config["restricted"] != "true" {
		return missing("project", failed("rely on project "+c.conn.cfg.Project, errors.New("it is not restricted"),
			"incus project set "+c.conn.cfg.Project+" restricted=true, or use the one that ./install.sh creates"))
	}
	return Checked{Name: "project", Message: c.conn.cfg.Project + ", restricted"}
}

func (c *checks) pool(ctx context.Context) Checked {
	pool, err := c.conn.pool(ctx)
	switch {
	case isNotFound(err):
		return missing("pool", failed("use storage pool "+c.conn.cfg.Pool, errors.New("there is none of that name"),
			"./install.sh --incus-only, or name another with incus.pool"))
	case err != nil:
		return missing("pool", broke("read storage pool "+c.conn.cfg.Pool, err))
	case pool.Driver == "dir":
		return Checked{Name: "pool",
			Message: c.conn.cfg.Pool + ", dir: containers start slower, and disk limits are not enforced"}
	}
	return Checked{Name: "pool", Message: c.conn.cfg.Pool + ", " + pool.Driver}
}

func (c *checks) image(ctx context.Context, name string) Checked {
	fingerprint, err := c.images.resolve(ctx, name)
	if err != nil {
		return missing("image", err)
	}
	images, err := c.images.List(ctx)
	if err != nil {
		return missing("image", err)
	}
	message := name + ", sha256 " + fingerprint[:12]
	if i := slices.IndexFunc(images, func(i Image) bool { return i.Fingerprint == fingerprint }); i >= 0 {
		message += fmt.Sprintf(", %d MB, %s", images[i].Size/1_000_000, images[i].Uploaded.UTC().Format("2006-01-02"))
	}
	return Checked{Name: "image", Message: message}
}

func missing(name string, err error) Checked { return Checked{Name: name, Err: err} }

// CheckProxies says whether containers can have a list of names as their network.
func (c *Client) CheckProxies(ctx context.Context) Checked {
	if c.conn.cfg.URL != "" {
		return Checked{Name: "network", Warn: true,
			Message: "network.hosts of the policy has no effect: this Incus is not on this machine",
			Hint:    "lanes with network = true work: a bridge of Incus"}
	}
	project, err := c.conn.project(ctx)
	if err != nil {
		return missing("network", broke("read project "+c.conn.cfg.Project, err))
	}
	if project.Config["restricted"] == "true" && project.Config["restricted.devices.proxy"] != "allow" {
		return Checked{Name: "network", Warn: true,
			Message: fmt.Sprintf("project %s has no proxies: a lane whose network is a list of names cannot run",
				c.conn.cfg.Project),
			Hint: fmt.Sprintf("incus project set %s restricted.devices.proxy=allow", c.conn.cfg.Project)}
	}
	return Checked{Name: "network", Message: "lanes can be granted a list of names as their network"}
}
