package doctor

import (
	"context"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/images"
	"github.com/pushlane/pushlane/lanes"
)

// checkImages looks for the images that the lanes name. Without Incus there is
// nothing to say: that is said elsewhere.
func checkImages(ctx context.Context, set *lanes.Set, lock *lanes.Lock, policy config.Policy) []Check {
	all, err := images.Connect(ctx, host.IncusConfig(policy), policy)
	if err != nil {
		return nil
	}
	defer all.Close()
	var checks []Check
	for _, l := range all.Look(ctx, set, lock) {
		switch {
		case l.Err != nil:
			checks = append(checks, bad("image", l.Err, "pushlane image ls"))
		case l.Fingerprint != "":
			checks = append(checks, good("image", "%s of lane %s, sha256 %s", l.Image, l.Lane, l.Fingerprint[:12]))
		default:
			checks = append(checks, good("image", "%s of lane %s is not here yet: it is %s", l.Image, l.Lane, l.Later))
		}
	}
	return checks
}
