package incus

import (
	"context"
	"strconv"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/sdk"
)

// caches makes sure that the volumes exist and returns them by mount path. A
// cache belongs to one owner and one zone: neither another repository nor an
// unprotected branch of the same one can leave something for it to run.
func (c *Client) caches(ctx context.Context, p plan) (map[string]string, error) {
	volumes := map[string]string{}
	for _, cache := range p.Caches {
		name := "pc-" + digest(c.cfg.Owner, p.Zone.Key(), cache.Name)[:16] + "-" + cache.Name
		if err := c.cache(ctx, name, p, cache); err != nil {
			return nil, broke("make cache "+cache.Name, err)
		}
		volumes[cache.Path] = name
	}
	return volumes, nil
}

func (c *Client) cache(ctx context.Context, name string, p plan, cache sdk.Cache) error {
	vol, err := c.volume(ctx, name)
	switch {
	case isNotFound(err):
	case err != nil:
		return err
	default:
		if used, err := time.Parse(time.RFC3339, vol.Config[labelUsed]); err != nil || time.Since(used) > usedStep {
			_ = c.relabel(ctx, name, map[string]string{labelUsed: stamp(time.Now())}) // a later use says it again
		}
		return nil
	}
	post := api.StorageVolumesPost{Name: name, Type: "custom", ContentType: "filesystem", StorageVolumePut: api.StorageVolumePut{
		Description: "cache " + cache.Name,
		Config: api.ConfigMap{
			"size": strconv.FormatInt(p.disk, 10), "security.shifted": "true", // one id map per container, one volume for all
			labelOwner: c.cfg.Owner, labelCache: short(p.Zone.Key(), 200) + ":" + cache.Name, labelUsed: stamp(time.Now()),
		},
	}}
	_, err = await(ctx, func() (struct{}, error) { return struct{}{}, c.srv.CreateStoragePoolVolume(c.cfg.Pool, post) })
	if err != nil {
		if _, there := c.volume(ctx, name); there == nil {
			return nil // another run was first
		}
	}
	return err
}
