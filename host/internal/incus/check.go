package incus

import (
	"context"
	"fmt"
)

// Checked is one thing that containers depend on.
type Checked struct {
	Name    string
	Message string
	Err     error // nil: it is there
}

// Check looks at the project, the pool and an image, in the order in which a
// launch would miss them.
func (c *Client) Check(ctx context.Context, image string) []Checked {
	var all []Checked
	add := func(name, message string, err error) { all = append(all, Checked{name, message, err}) }
	project, _, err := c.server.GetProject(c.config.Project)
	if err != nil {
		add("incus", "", hinted(fmt.Errorf("cannot see project %q: %w", c.config.Project, err), "make it with: ./install.sh"))
		return all
	}
	add("incus", "project "+project.Name, nil)
	if pool, _, err := c.server.GetStoragePool(c.config.Pool); err == nil {
		add("pool", pool.Name+", "+pool.Driver, nil)
	} else {
		add("pool", "", hinted(fmt.Errorf("cannot see storage pool %q: %w", c.config.Pool, err), "make it with: ./install.sh"))
	}
	fp, err := c.fingerprint(image)
	if err == nil {
		add("image", image+", "+fp[:12], nil)
	} else {
		add("image", "", err)
	}
	return all
}
