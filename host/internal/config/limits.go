package config

import "github.com/pushlane/pushlane/host/internal/incus"

// PluginMemory is the linear memory one plugin instance may use, in bytes.
const PluginMemory = 256 << 20

// The push options that a policy may allow; see Policy.PushOptions.
const (
	OptionSkip     = "lane.skip"
	OptionOnly     = "lane.only"
	OptionPriority = "priority"
)

// Limits of every lane run that no policy raises.
const (
	MaxFindings   = 10_000
	MaxStdout     = 16 << 20 // bytes of records
	MaxRecord     = 1 << 20  // bytes of one of them
	MaxStderr     = 8 << 20  // bytes of a plugin's own log
	MaxOut        = 64 << 20 // bytes below /out
	MaxOutFiles   = 4096
	MaxIterations = 16 // calls of one plugin in one lane run
)

// ContainerLimits are the policy's ceilings for one container.
func (p Policy) ContainerLimits() incus.Limits {
	return incus.Limits{CPU: p.MaxCPU, Memory: p.MaxMemory, Disk: p.MaxDisk, Caches: p.MaxCaches,
		Processes: p.MaxProcesses,
		Networks:  p.IncusNetworks, Images: p.IncusImages}
}
