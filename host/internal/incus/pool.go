package incus

import (
	"context"
	"fmt"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// room is what a pool has, in bytes.
type room struct{ size, free int64 }

// roomTime is how long an answer about the pool's room is used again.
const roomTime = 5 * time.Second

// poolRoom returns the pool's free space; false: this client may not read it, or
// the pool has no size.
func (c *Client) poolRoom(ctx context.Context) (room, bool) {
	c.mu.Lock()
	known, at := c.room, c.roomAt
	c.mu.Unlock()
	if time.Since(at) < roomTime {
		return known, known.size > 0
	}
	r, err := await(ctx, func() (*api.ResourcesStoragePool, error) { return c.srv.GetStoragePoolResources(c.cfg.Pool) })
	if err != nil || r.Space.Total == 0 {
		return room{}, false
	}
	now := room{size: int64(r.Space.Total), free: int64(r.Space.Total) - int64(min(r.Space.Used, r.Space.Total))}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room, c.roomAt = now, time.Now()
	return now, true
}

// leastRoot is the disk that a container gets at least, as far as the pool has
// that much.
const leastRoot = 64 << 20

// rootDisk is the disk of a container that does not say what it needs: half of
// the pool's free room at most, so that one lane does not fill it for all.
func rootDisk(usual int64, r room) int64 {
	return max(leastDisk, min(usual, max(r.free/2, min(r.free, leastRoot))))
}

// rootDisk sets the disk of the plan's container.
func (c *Client) rootDisk(ctx context.Context, p *plan) {
	p.root = p.disk
	if p.Disk != "" {
		return
	}
	if r, ok := c.poolRoom(ctx); ok {
		p.root = rootDisk(p.disk, r)
	}
}

// fullPool says that it was the pool that had no room, and not the container's
// own limit; empty: it had.
func (c *Client) fullPool(ctx context.Context, p plan) string {
	c.mu.Lock()
	c.roomAt = time.Time{}
	c.mu.Unlock()
	r, ok := c.poolRoom(ctx)
	if !ok || r.free > max(fullAt, r.size/5) {
		return ""
	}
	return fmt.Sprintf("disk full: storage pool %q has no room left of its %.1f GiB; the container's own limit is %s",
		c.cfg.Pool, float64(r.size)/(1<<30), sizeWord(p.root))
}

// fullAt is the room below which a pool counts as full, or a fifth of it: a file
// system keeps some for itself.
const fullAt = 64 << 20
