package incus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/alive"
)

// Swept is a leftover that was removed.
type Swept struct {
	Name string // of the container or volume
	Lane string // the lane run's address, or what kind of volume it was
	Why  string // "its process 4711 is gone", "its deadline passed 3m ago"
}

const (
	volumeTime = 24 * time.Hour      // a source's volume without use
	cacheTime  = 30 * 24 * time.Hour // a cache without use
	brokenTime = 10 * time.Minute    // a source's volume that never became whole
)

// Sweep deletes this owner's containers whose process ended or, if that cannot be
// determined, whose deadline has passed, and volumes that no run uses any more. It
// does not touch anything without this owner's label.
func (c *Client) Sweep(ctx context.Context) ([]Swept, error) {
	swept, err := c.SweepContainers(ctx)
	volumes, volumeErr := c.sweepVolumes(ctx)
	return append(swept, volumes...), errors.Join(err, volumeErr)
}

// SweepContainers is Sweep of containers alone.
func (c *Client) SweepContainers(ctx context.Context) ([]Swept, error) {
	found, err := await(ctx, func() ([]api.Instance, error) { return c.srv.GetInstances(api.InstanceTypeContainer) })
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
	if labels[labelOwner] != c.cfg.Owner || labels[labelProcess] == "" {
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
	switch p.State(c.cfg.Hosts) {
	case alive.Alive:
		if p != alive.Self() {
			return ""
		}
	case alive.Dead:
		return fmt.Sprintf("its process %d is gone", p.PID)
	}
	return overdue(deadline, now)
}

func (c *Client) sweepVolumes(ctx context.Context) ([]Swept, error) {
	found, err := await(ctx, func() ([]api.StorageVolume, error) { return c.srv.GetStoragePoolVolumes(c.cfg.Pool) })
	if err != nil {
		return nil, broke("list volumes", err)
	}
	var swept []Swept
	var errs []error
	for _, v := range found {
		why := c.unused(v, time.Now())
		if why == "" {
			continue
		}
		_, err := await(ctx, func() (struct{}, error) {
			return struct{}{}, c.srv.DeleteStoragePoolVolume(c.cfg.Pool, "custom", v.Name)
		})
		switch {
		case err == nil:
			swept = append(swept, Swept{Name: v.Name, Lane: volumeWord(v), Why: why})
		case !isNotFound(err):
			errs = append(errs, failed("delete volume "+v.Name, err,
				fmt.Sprintf("incus storage volume delete %s %s --project %s", c.cfg.Pool, v.Name, c.cfg.Project)))
		}
	}
	return swept, errors.Join(errs...)
}

func (c *Client) unused(v api.StorageVolume, now time.Time) string {
	if v.Type != "custom" || v.Config[labelOwner] != c.cfg.Owner || len(v.UsedBy) > 0 || c.isMaking(v.Name) {
		return ""
	}
	used, err := time.Parse(time.RFC3339, v.Config[labelUsed])
	if err != nil {
		return ""
	}
	limit := cacheTime
	if v.Config[labelTree] != "" {
		limit = volumeTime
		if v.Config[labelReady] != "true" {
			limit = brokenTime
		}
	}
	if idle := now.Sub(used); idle > limit {
		return "unused for " + idle.Round(time.Minute).String()
	}
	return ""
}

// isOurs reports whether a run of this client has the container, or is deleting
// it.
func (c *Client) isOurs(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boxes[name]
}

// isMaking reports whether this process fills the volume just now.
func (c *Client) isMaking(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.making[name] != nil
}

func volumeWord(v api.StorageVolume) string {
	if v.Config[labelTree] != "" {
		return "a pushed tree"
	}
	return "a cache"
}
