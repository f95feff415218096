package lanerun

import (
	"context"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// cacheZone is whose caches the lane's containers have: its zone's. On the developer's own machine the clones of one
// repository share them, known by the address of their origin. Who can set that address in a clone's configuration can
// run anything as this user. On a server any pusher's code runs, and only the path of the repository, which no push
// decides, keeps caches apart.
func (l *access) cacheZone(ctx context.Context) (zone.Zone, error) {
	z := l.Zone()
	if z.Trust != zone.Local {
		return z, nil
	}
	origin, err := l.repo.Origin(ctx)
	if err == nil && origin != "" {
		z.Repository = "origin " + origin // no absolute path, which is another repository's key
	}
	return z, err
}
