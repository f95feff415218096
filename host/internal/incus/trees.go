package incus

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// treeLimits bound the volumes of pushed trees of one owner. Any branch can
// push a new large tree each time, so the least recently used ones go.
type treeLimits struct {
	volumes int
	bytes   int64 // of all of them, as tar
	idle    time.Duration
}

// usualTrees leave a tree alone for some time after its use: the label of its
// last use is that inexact, and its container may just be starting.
func usualTrees() treeLimits { return treeLimits{volumes: 32, bytes: 32 << 30, idle: 2 * usedStep} }

// makeRoom frees space for one more volume and reports whether there is enough.
// Otherwise the tree is sent to each container, which is slower and always works.
func (t *trees) makeRoom(ctx context.Context) bool {
	release, err := t.volumes.alone(ctx, "trees")
	if err != nil {
		return false
	}
	defer release()
	all, err := t.volumes.list(ctx)
	if err != nil {
		return false
	}
	mine := slices.DeleteFunc(all, func(v api.StorageVolume) bool {
		return v.Type != "custom" || v.Config[labelOwner] != t.volumes.conn.cfg.Owner || v.Config[labelTree] == ""
	})
	old, fits := t.limits.evict(mine, time.Now())
	if !fits {
		return false
	}
	for _, name := range old {
		if t.volumes.remove(ctx, name) != nil {
			return false
		}
	}
	return true
}

// evict names the volumes that have to go before another one is made, which
// may be as large as maxTree; false: those that may go do not suffice.
func (l treeLimits) evict(mine []api.StorageVolume, now time.Time) (names []string, fits bool) {
	count, sum := len(mine)+1, int64(maxTree)
	for _, v := range mine {
		sum += treeBytes(v)
	}
	slices.SortFunc(mine, func(a, b api.StorageVolume) int {
		return cmp.Or(lastUse(a).Compare(lastUse(b)), cmp.Compare(a.Name, b.Name))
	})
	for _, v := range mine {
		if count <= l.volumes && sum <= l.bytes {
			break
		}
		if len(v.UsedBy) == 0 && now.Sub(lastUse(v)) > l.idle {
			names, count, sum = append(names, v.Name), count-1, sum-treeBytes(v)
		}
	}
	return names, count <= l.volumes && sum <= l.bytes
}

// treeBytes is the size of a tree, or the largest where it is not known: of
// one that is being made.
func treeBytes(v api.StorageVolume) int64 {
	n, err := strconv.ParseInt(v.Config[labelBytes], 10, 64)
	if err != nil || n < 0 {
		return maxTree
	}
	return n
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n.Add(int64(n))
	return n, err
}
