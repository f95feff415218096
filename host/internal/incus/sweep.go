package incus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/alive"
)

// Sweep deletes this owner's containers whose process ended or, if that cannot be
// determined, whose deadline has passed, and volumes that no run uses any more. It
// does not touch anything without this owner's label.
func (c *Client) Sweep(ctx context.Context) ([]Swept, error) {
	swept, err := c.SweepContainers(ctx)
	volumes, volumeErr := c.volumes.sweep(ctx)
	return append(swept, volumes...), errors.Join(err, volumeErr)
}

// SweepContainers is Sweep of containers alone.
func (c *Client) SweepContainers(ctx context.Context) ([]Swept, error) {
	found, err := await(ctx, func() ([]api.Instance, error) { return c.conn.srv.GetInstances(api.InstanceTypeContainer) })
	if err != nil {
		return nil, broke("list containers", err)
	}
	var swept []Swept
	var errs []error
	for _, i := range found {
		why := c.leftBehind(i.Config, time.Now())
		if why == "" || c.isOurs(i.Name) {
			continue
		}
		if err := c.remove(ctx, i.Name, i.Config["volatile.uuid"]); err != nil {
			errs = append(errs, err)
			continue
		}
		swept = append(swept, Swept{Name: i.Name, Lane: i.Config[labelLane], Why: why})
	}
	return swept, errors.Join(errs...)
}

// leftBehind says why a container may go, or nothing.
func (c *Client) leftBehind(labels map[string]string, now time.Time) string {
	if labels[labelOwner] != c.conn.cfg.Owner || labels[labelProcess] == "" {
		return ""
	}
	switch process, ok := processOf(labels[labelProcess]); {
	case !ok:
		return overdue(labels[labelDeadline], now)
	default:
		return c.leftBy(process, labels[labelDeadline], now)
	}
}

// leftBy: a process that lives deletes its containers itself, whatever the
// clock says; of one that cannot be seen the deadline decides, and of one that
// Incus made after this process had given it up.
func (c *Client) leftBy(p alive.Process, deadline string, now time.Time) string {
	switch p.State(c.conn.cfg.Hosts) {
	case alive.Alive:
		if p != alive.Self() {
			return ""
		}
	case alive.Dead:
		return fmt.Sprintf("its process %d is gone", p.PID)
	}
	return overdue(deadline, now)
}

// isOurs reports whether a run of this client has the container, or is deleting
// it.
func (c *Client) isOurs(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boxes[name]
}
