package config

import (
	"time"

	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

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

// PluginCall is a call of a plugin with the limits that every call has. Fuel is in
// units of Policy.MaxFuel.
func PluginCall(fuel int64) wasm.Call {
	return wasm.Call{MaxStdout: MaxStdout, MaxStderr: MaxStderr, Memory: PluginMemory, Fuel: fuel,
		Out: wasm.NewOut(MaxOut, MaxOutFiles)}
}

// PluginLimits are the limits of a call as its request says them.
func PluginLimits(timeout time.Duration, fuel int64) sdk.Limits {
	return sdk.Limits{Memory: PluginMemory, Millis: timeout.Milliseconds(), Log: MaxStderr, Findings: MaxFindings,
		Out: MaxOut, Fuel: fuel}
}

// ContainerLimits are the policy's ceilings for one container.
func (p Policy) ContainerLimits() incus.Limits {
	return incus.Limits{CPU: p.MaxCPU, Memory: p.MaxMemory, Disk: p.MaxDisk, Caches: p.MaxCaches,
		Processes: p.MaxProcesses,
		Networks:  p.IncusNetworks, Images: p.IncusImages}
}
