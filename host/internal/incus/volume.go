package incus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// volumes are the custom volumes of the pool: pushed trees and caches. Others in
// the same pool are not touched.
type volumes struct {
	conn *connection

	mu     sync.Mutex
	making map[string]chan struct{} // those under way in this process, by name
}

const (
	volumeTime = 24 * time.Hour      // a source's volume without use
	cacheTime  = 30 * 24 * time.Hour // a cache without use
	brokenTime = 10 * time.Minute    // a source's volume that never became whole
)

// usedStep is how exact the label of the last use is; each change is a request.
const usedStep = 10 * time.Minute

// Swept is a leftover that was removed.
type Swept struct {
	Name string // of the container or volume
	Lane string // the lane run's address, or what kind of volume it was
	Why  string // "its process 4711 is gone", "its deadline passed 3m ago"
}

// lastUse is when a volume was last taken; never where it does not say.
func lastUse(vol api.StorageVolume) time.Time {
	used, _ := time.Parse(time.RFC3339, vol.Config[labelUsed])
	return used
}

// alone lets one goroutine at a time make the volume of that name.
func (v *volumes) alone(ctx context.Context, name string) (release func(), err error) {
	for {
		v.mu.Lock()
		busy := v.making[name]
		if busy == nil {
			mine := make(chan struct{})
			v.making[name] = mine
			v.mu.Unlock()
			return func() {
				v.mu.Lock()
				delete(v.making, name)
				v.mu.Unlock()
				close(mine)
			}, nil
		}
		v.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// isMaking reports whether this process fills the volume just now.
func (v *volumes) isMaking(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.making[name] != nil
}

// list returns every volume of the pool, whoever made it.
func (v *volumes) list(ctx context.Context) ([]api.StorageVolume, error) {
	return await(ctx, func() ([]api.StorageVolume, error) {
		return v.conn.srv.GetStoragePoolVolumes(v.conn.cfg.Pool)
	})
}

func (v *volumes) get(ctx context.Context, name string) (*api.StorageVolume, error) {
	return await(ctx, func() (*api.StorageVolume, error) {
		vol, _, err := v.conn.srv.GetStoragePoolVolume(v.conn.cfg.Pool, "custom", name)
		return vol, err
	})
}

// remove deletes a volume; one that is gone already is not an error.
func (v *volumes) remove(ctx context.Context, name string) error {
	_, err := await(ctx, func() (struct{}, error) {
		return struct{}{}, v.conn.srv.DeleteStoragePoolVolume(v.conn.cfg.Pool, "custom", name)
	})
	if isNotFound(err) {
		return nil
	}
	return err
}

// use notes that a volume was taken now.
func (v *volumes) use(ctx context.Context, vol *api.StorageVolume) error {
	if time.Since(lastUse(*vol)) <= usedStep {
		return nil
	}
	return v.relabel(ctx, vol.Name, map[string]string{labelUsed: stamp(time.Now())})
}

// relabel changes labels of a volume and nothing else.
func (v *volumes) relabel(ctx context.Context, name string, labels map[string]string) error {
	_, err := await(ctx, func() (struct{}, error) {
		vol, etag, err := v.conn.srv.GetStoragePoolVolume(v.conn.cfg.Pool, "custom", name)
		if err != nil {
			return struct{}{}, err
		}
		put := vol.Writable()
		for key, value := range labels {
			put.Config[key] = value
		}
		return struct{}{}, v.conn.srv.UpdateStoragePoolVolume(v.conn.cfg.Pool, "custom", name, put, etag)
	})
	return err
}

// sweep deletes this owner's volumes that no run uses any more.
func (v *volumes) sweep(ctx context.Context) ([]Swept, error) {
	found, err := v.list(ctx)
	if err != nil {
		return nil, broke("list volumes", err)
	}
	var swept []Swept
	var errs []error
	for _, vol := range found {
		why := v.unused(vol, time.Now())
		if why == "" {
			continue
		}
		if err := v.remove(ctx, vol.Name); err != nil {
			errs = append(errs, failed("delete volume "+vol.Name, err, fmt.Sprintf(
				"incus storage volume delete %s %s --project %s", v.conn.cfg.Pool, vol.Name, v.conn.cfg.Project)))
			continue
		}
		swept = append(swept, Swept{Name: vol.Name, Lane: volumeWord(vol), Why: why})
	}
	return swept, errors.Join(errs...)
}

// unused says why a volume may go, or nothing.
func (v *volumes) unused(vol api.StorageVolume, now time.Time) string {
	if vol.Type != "custom" || vol.Config[labelOwner] != v.conn.cfg.Owner || len(vol.UsedBy) > 0 ||
		v.isMaking(vol.Name) {
		return ""
	}
	used, err := time.Parse(time.RFC3339, vol.Config[labelUsed])
	if err != nil {
		return ""
	}
	limit := cacheTime
	if vol.Config[labelTree] != "" {
		limit = volumeTime
		if vol.Config[labelReady] != "true" {
			limit = brokenTime
		}
	}
	if idle := now.Sub(used); idle > limit {
		return "unused for " + idle.Round(time.Minute).String()
	}
	return ""
}

func volumeWord(vol api.StorageVolume) string {
	if vol.Config[labelTree] != "" {
		return "a pushed tree"
	}
	return "a cache"
}
