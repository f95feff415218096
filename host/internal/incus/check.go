package incus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lxc/incus/v6/shared/api"
)

// Checked is one thing that containers depend on.
type Checked struct {
	Name    string // incus, project, limits, pool or image
	Message string // what is there
	Err     error  // nil: it is there. Otherwise it may carry a hint
	Warn    bool   // it works, but should be reviewed
	Hint    string // of a warning: what to do
}

// Check looks at what a launch depends on, in the order in which it would miss
// it: the daemon, the project, the pool, the images.
func (c *Client) Check(ctx context.Context, images ...string) []Checked {
	all := append([]Checked{c.checkServer(ctx)}, c.checkAdvisories(ctx)...)
	all = append(all, c.checkRestricted(ctx), c.checkLimits(ctx), c.checkPool(ctx))
	for _, image := range images {
		all = append(all, c.checkImage(ctx, image))
	}
	return all
}

func (c *Client) checkServer(ctx context.Context) Checked {
	server, err := await(ctx, func() (*api.Server, error) { s, _, err := c.srv.GetServer(); return s, err })
	if err != nil {
		return missing("incus", connectError(c.cfg.Where(), err))
	}
	return Checked{Name: "incus", Message: fmt.Sprintf("Incus %s at %s", server.Environment.ServerVersion, c.cfg.Where())}
}

// checkRestricted: pushlane checks every request itself; a project without
// restrictions lacks the second wall.
func (c *Client) checkRestricted(ctx context.Context) Checked {
	project, err := await(ctx, func() (*api.Project, error) {
		p, _, err := c.srv.GetProject(c.cfg.Project)
		return p,
			err
	})
	if err != nil {
		return missing("project", broke("read project "+c.cfg.Project, err))
	}
	if project.Config["restricted"] != "true" {
		return missing("project", failed("rely on project "+c.cfg.Project, errors.New("it is not restricted"),
			"incus project set "+c.cfg.Project+" restricted=true, or use the one that ./install.sh creates"))
	}
	return Checked{Name: "project", Message: c.cfg.Project + ", restricted"}
}

func (c *Client) checkPool(ctx context.Context) Checked {
	pool, err := await(ctx, func() (*api.StoragePool, error) {
		p, _, err := c.srv.GetStoragePool(c.cfg.Pool)
		return p,
			err
	})
	switch {
	case isNotFound(err):
		return missing("pool", failed("use storage pool "+c.cfg.Pool, errors.New("there is none of that name"),
			"./install.sh --incus-only, or name another with incus.pool"))
	case err != nil:
		return missing("pool", broke("read storage pool "+c.cfg.Pool, err))
	case pool.Driver == "dir":
		return Checked{Name: "pool", Message: c.cfg.Pool + ", dir: containers start slower, and disk limits are not enforced"}
	}
	return Checked{Name: "pool", Message: c.cfg.Pool + ", " + pool.Driver}
}

func (c *Client) checkImage(ctx context.Context, name string) Checked {
	fingerprint, err := c.resolve(ctx, name)
	if err != nil {
		return missing("image", err)
	}
	images, err := c.Images(ctx)
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
