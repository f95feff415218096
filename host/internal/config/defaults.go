package config

import (
	"fmt"
	"path/filepath"
	"runtime"
)

// defaultPolicy is what holds where no file says otherwise.
func defaultPolicy(getenv func(string) string) map[string]any {
	return map[string]any{
		"on_undecided": "refuse", "no_lanes": "refuse", "allow_skip": true,
		"protect": []string{}, "push_options": []string{"priority"}, "listen": "127.0.0.1:7331",
		"proxy_addresses": []string{}, "proxy_scope": "run",
		"parallel": runtime.NumCPU(), "plugins": pluginFolder(), "state": stateFolder(getenv), "cache": cacheFolder(getenv),
		"incus.project": "pushlane", "incus.pool": "pushlane",
		"incus.images": []string{"*"}, "incus.networks": []string{},
		"images.names": []string{"*"}, "images.pull": "push", "images.short": []string{}, "images.mirrors": []string{},
		"images.refresh": "24h", "images.max_size": "10GiB", "images.total": "60GiB", "images.layers": "5GiB",
		"network.hosts": []string{}, "network.private": []string{}, "limits.network": "20GiB",
		"limits.cpu": fmt.Sprint(runtime.NumCPU()), "limits.memory": "4GiB", "limits.disk": "20GiB",
		"limits.processes": 4096, "limits.time": "1h", "limits.containers": 8, "limits.fuel": DefaultFuel,
		"limits.artifacts": "2GiB", "limits.artifacts_total": "20GiB", "limits.caches": "60GiB", "limits.logs_total": "20GiB",
		"capabilities":  []string{"repo.read", "repo.history", "container", "container.network", "kv", "clock"},
		"fetch_plugins": true, "sigstore_identities": []string{}, "http.hosts": []string{},
		"secrets":          filepath.Join(filepath.Dir(PolicyFile), "secrets"),
		"secret_variables": true, "retention.runs": "720h", "log.level": "info", "log.format": "text",
	}
}

// DefaultFuel is some two minutes of one core.
const DefaultFuel = 100_000_000_000
