package incus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// pool is where the containers' disks are.
type pool struct {
	conn *connection

	mu    sync.Mutex // guards what follows
	known room       // as of at
	at    time.Time
}

// room is what a pool has, in bytes.
type room struct{ size, free int64 }

// roomTime is how long an answer about the pool's room is used again.
const roomTime = 5 * time.Second

// space returns the pool's free space; false: this client may not read it, or
// the pool has no size.
func (p *pool) space(ctx context.Context) (room, bool) {
	p.mu.Lock()
	known, at := p.known, p.at
	p.mu.Unlock()
	if time.Since(at) < roomTime {
		return known, known.size > 0
	}
	r, err := await(ctx, func() (*api.ResourcesStoragePool, error) {
		return p.conn.srv.GetStoragePoolResources(p.conn.cfg.Pool)
	})
	if err != nil || r.Space.Total == 0 {
		return room{}, false
	}
	now := room{size: int64(r.Space.Total), free: int64(r.Space.Total) - int64(min(r.Space.Used, r.Space.Total))}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.at = now, time.Now()
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

// setRoot sets the disk of the plan's container.
func (p *pool) setRoot(ctx context.Context, want *plan) {
	want.root = want.disk
	if want.Disk != "" {
		return
	}
	if r, ok := p.space(ctx); ok {
		want.root = rootDisk(want.disk, r)
	}
}

// full says that it was the pool that had no room, and not the container's
// own limit; empty: it had.
func (p *pool) full(ctx context.Context, want plan) string {
	p.mu.Lock()
	p.at = time.Time{}
	p.mu.Unlock()
	r, ok := p.space(ctx)
	if !ok || r.free > max(fullAt, r.size/5) {
		return ""
	}
	return fmt.Sprintf("disk full: storage pool %q has no room left of its %.1f GiB; the container's own limit is %s",
		p.conn.cfg.Pool, float64(r.size)/(1<<30), sizeWord(want.root))
}

// fullAt is the room below which a pool counts as full, or a fifth of it: a file
// system keeps some for itself.
const fullAt = 64 << 20
