package incus

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/sdk"
)

// maxCaches is how many cache volumes one zone may have.
const maxCaches = 32

// caches are the volumes in which the lanes of a zone find what earlier runs
// left there.
type caches struct{ volumes *volumes }

// mounts makes sure that the volumes exist and returns them by mount path. A
// cache belongs to one owner and one zone: neither another repository nor an
// unprotected branch of the same one can leave something for it to run.
func (c *caches) mounts(ctx context.Context, p plan) (map[string]string, error) {
	volumes := map[string]string{}
	for _, cache := range p.Caches {
		if err := c.ensure(ctx, p, cache); err != nil {
			return nil, broke("make cache "+cache.Name, err)
		}
		volumes[cache.Path] = c.volume(p.Zone, cache.Name)
	}
	return volumes, nil
}

// volume names the volume of a zone's cache.
func (c *caches) volume(z zone.Zone, name string) string {
	return cachePrefix + digest(c.volumes.conn.cfg.Owner, z.Key(), name)[:cacheDigest] + "-" + name
}

const (
	cachePrefix = "pc-"
	cacheDigest = 16 // hex digits
)

func (c *caches) ensure(ctx context.Context, p plan, cache sdk.Cache) error {
	there, err := c.there(ctx, c.volume(p.Zone, cache.Name))
	if err != nil || there {
		return err
	}
	// One at a time, so that those who make caches at once do not all find room.
	release, err := c.volumes.alone(ctx, cachePrefix+p.Zone.Key())
	if err != nil {
		return err
	}
	defer release()
	there, err = c.there(ctx, c.volume(p.Zone, cache.Name))
	if err != nil || there {
		return err
	}
	if err := c.room(ctx, p, cache.Name); err != nil {
		return err
	}
	return c.create(ctx, p, cache)
}

// there reports whether the volume exists, and notes its use.
func (c *caches) there(ctx context.Context, name string) (bool, error) {
	vol, err := c.volumes.get(ctx, name)
	switch {
	case isNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	}
	_ = c.volumes.use(ctx, vol) // a later use says it again
	return true, nil
}

func (c *caches) create(ctx context.Context, p plan, cache sdk.Cache) error {
	name := c.volume(p.Zone, cache.Name)
	post := api.StorageVolumesPost{Name: name, Type: "custom", ContentType: "filesystem",
		StorageVolumePut: api.StorageVolumePut{
			Description: "cache " + cache.Name,
			Config: api.ConfigMap{
				"size": strconv.FormatInt(p.disk, 10), "security.shifted": "true", // one id map per container, one volume for all
				labelOwner: c.volumes.conn.cfg.Owner, labelCache: short(p.Zone.Key(), 200) + ":" + cache.Name,
				labelUsed: stamp(time.Now()),
			},
		}}
	_, err := await(ctx, func() (struct{}, error) {
		return struct{}{}, c.volumes.conn.srv.CreateStoragePoolVolume(c.volumes.conn.cfg.Pool, post)
	})
	if err != nil {
		if _, there := c.volumes.get(ctx, name); there == nil {
			return nil // another process was first
		}
	}
	return err
}

// room is an error where one more cache of the plan's disk is more than
// its zone may have.
func (c *caches) room(ctx context.Context, p plan, name string) error {
	all, err := c.volumes.list(ctx)
	if err != nil {
		return err
	}
	mine := slices.DeleteFunc(all, func(v api.StorageVolume) bool { return !c.inZone(v, p.Zone) })
	if why := tooManyCaches(mine, p); why != nil {
		return failed("make cache "+name, why, c.hint(mine))
	}
	return nil
}

// inZone reports whether a volume is a cache of the zone. Its name says so: the
// label has the zone's path cut.
func (c *caches) inZone(v api.StorageVolume, z zone.Zone) bool {
	at := len(cachePrefix) + cacheDigest + 1
	return v.Type == "custom" && len(v.Name) > at && v.Name == c.volume(z, v.Name[at:])
}

// tooManyCaches compares the caches that a zone has, and one of the plan's
// disk, with what it may have. One whose size cannot be read has no end.
func tooManyCaches(mine []api.StorageVolume, p plan) error {
	sum := p.disk
	for _, v := range mine {
		size, err := ParseSize(v.Config["size"])
		if err != nil {
			size = p.cacheBytes
		}
		sum += size
	}
	switch {
	case len(mine) >= maxCaches:
		return fmt.Errorf("the %s runs of this repository have %d caches, the limit is %d (limits.caches)",
			p.Zone.Trust, len(mine), maxCaches)
	case sum > p.cacheBytes:
		return fmt.Errorf("with its %s, the caches of the %s runs of this repository would have %s, "+
			"the policy allows %s (limits.caches)",
			sizeWord(p.disk), p.Zone.Trust, sizeWord(sum), p.Max.Caches)
	}
	return nil
}

func (c *caches) hint(mine []api.StorageVolume) string {
	hint := "ask for a smaller disk in the lane, or raise limits.caches in /etc/pushlane/config.toml"
	if len(mine) == 0 {
		return hint
	}
	oldest := slices.MinFunc(mine, func(a, b api.StorageVolume) int { return lastUse(a).Compare(lastUse(b)) })
	return fmt.Sprintf("%s; remove the least recently used one: incus storage volume delete %s %s --project %s",
		hint,
		c.volumes.conn.cfg.Pool, oldest.Name, c.volumes.conn.cfg.Project)
}
