package wasm

import (
	"fmt"
	"strings"
	"time"

	"github.com/pushlane/pushlane/sdk"
)

// FormatError is a module that was refused before any of it was compiled.
type FormatError struct {
	Plugin string // name it was loaded under; may be empty
	Msg    string // a sentence, without the plugin's name
	Help   string // what Hint says
}

func (e *FormatError) Error() string {
	if e.Plugin == "" {
		return "cannot read module: " + e.Msg
	}
	return fmt.Sprintf("cannot load plugin %q: %s", e.Plugin, e.Msg)
}

// Hint says what the plugin's author can do about it; may be empty.
func (e *FormatError) Hint() string { return e.Help }

// ABIError is a module made for another version of the contract.
type ABIError struct {
	Plugin string
	ABI    int // what the module's manifest says
}

func (e *ABIError) Error() string {
	return fmt.Sprintf("plugin %q speaks ABI %d, this host speaks %d", e.Plugin, e.ABI, sdk.ABI)
}

// Hint says how to fix it.
func (e *ABIError) Hint() string {
	if e.ABI > sdk.ABI {
		return "update pushlane on this machine, or " + rebuild
	}
	return rebuild
}

var rebuild = fmt.Sprintf("rebuild it with the sdk of this host and abi = %d in its manifest: pushlane plugin pack",
	sdk.ABI)

// LimitError is a plugin that was stopped because it used too much.
type LimitError struct {
	Plugin string
	What   string // "standard output", "memory", "fuel" …
	Limit  int64
	Unit   string // "bytes", "units", "files"
	Used   Usage
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("plugin %q was stopped: more than %s of %s", e.Plugin, amount(e.Limit, e.Unit), e.What)
}

// Hint says who can give it more; may be empty.
func (e *LimitError) Hint() string {
	if e.What == "fuel" {
		return "reduce its work, or ask the host's owner to raise limits.fuel in the policy"
	}
	return ""
}

func amount(n int64, unit string) string {
	if unit != "bytes" {
		return fmt.Sprintf("%d %s", n, unit)
	}
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// TrapError is a plugin that broke while it ran.
type TrapError struct {
	Plugin string
	Cause  string   // "unreachable", "out of bounds memory access" …
	Said   []string // the last lines of its own standard error
	Trace  []string // functions of the module, innermost first
	Last   string   // the last host function it called; may be empty
	Used   Usage
}

// Error gives the cause, the plugin's own last words, where it was and what it
// had used, a line for each thing.
func (e *TrapError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plugin %q broke: %s", e.Plugin, e.Cause)
	for _, line := range e.Said {
		fmt.Fprintf(&b, "\n  said: %s", line)
	}
	for _, line := range e.Trace {
		fmt.Fprintf(&b, "\n  at %s", line)
	}
	if e.Last != "" {
		fmt.Fprintf(&b, "\n  last host call: %s", e.Last)
	}
	fmt.Fprintf(&b, "\n  used: %s", e.Used)
	return b.String()
}

// StoppedError is a plugin whose time was up or whose run was called off.
// It wraps the context's cause.
type StoppedError struct {
	Plugin string
	Cause  error
	Last   string // the host function it was in or had called last
	Used   Usage
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("plugin %q was stopped: %v (%s)", e.Plugin, e.Cause, e.Used)
}

func (e *StoppedError) Unwrap() error { return e.Cause }

// Usage is what a run took.
type Usage struct {
	Time   time.Duration // from Run to its end
	Fuel   int64         // units of metered work, about 16 bytes of code each; 0 when not metered
	Memory int64         // bytes of linear memory at the end
	Stdout int64         // bytes written
	Stderr int64         // bytes written, those that were dropped included
	Out    int64         // bytes below /out
	Calls  int64         // host functions called
}

func (u Usage) String() string {
	return fmt.Sprintf("%s, %.1f MiB of memory, %d units of fuel, %d host calls, %d bytes of output, %d bytes of log",
		u.Time.Round(time.Millisecond), float64(u.Memory)/(1<<20), u.Fuel, u.Calls, u.Stdout, u.Stderr)
}
