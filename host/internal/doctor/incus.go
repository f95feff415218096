package doctor

import (
	"context"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/lanerun"
)

// Incus looks at what containers depend on: the daemon, the project, the
// pool, the image (empty: the default one).
func Incus(ctx context.Context, getenv func(string) string, image string) []Check {
	policy, err := config.Load(getenv)
	if err != nil {
		return []Check{bad("policy", err, "")}
	}
	config := host.IncusConfig(policy)
	client, err := incus.Connect(ctx, config)
	if err != nil {
		return []Check{bad("incus", err, "./install.sh")}
	}
	defer client.Close()
	var checks []Check
	found := client.Check(ctx, lanerun.OrDefault(image))
	if len(policy.NetworkHosts) > 0 {
		found = append(found, client.CheckProxies(ctx))
	}
	for _, c := range found {
		if c.Err != nil {
			checks = append(checks, bad(c.Name, c.Err, "./install.sh"))
		} else {
			checks = append(checks, Check{Name: c.Name, OK: true, Warn: c.Warn, Message: c.Message, Hint: c.Hint})
		}
	}
	return checks
}
