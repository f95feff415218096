package sandbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// compile has a child write the module's code below scratch. Its processor
// time is limited by the system, and the host ends it by the clock.
func (p *Plugin) compile(scratch string) error {
	o := p.pool.opts
	w, err := p.start(setup{Name: p.Name(), Cache: scratch, Compile: true, CompileTime: o.CompileTime,
		MaxMemory: o.MaxMemory, AllMemory: o.AllMemory}, o.CompileWall)
	if err != nil {
		if errors.As(err, new(*wasm.FormatError)) || errors.As(err, new(*wasm.CacheError)) {
			return err
		}
		if died := new(DiedError); errors.As(err, &died) && spent(died.CPU, o.CompileTime) {
			return tooSlow(p.Name(), o.CompileTime)
		}
		return fmt.Errorf("cannot compile plugin %q: %w", p.Name(), err)
	}
	w.kill()
	return nil
}

// spent reports whether a process used up its limit. The system ends it by clock
// ticks, which charge a whole tick to the thread that runs at its start, and
// reports afterwards how long it really ran: less, on a busy machine much less.
// Modules that are killed for lack of memory have used far less than half of the
// limit.
func spent(used time.Duration, seconds uint64) bool {
	return used >= time.Duration(seconds)*time.Second/2
}

// tooSlow is a module's own fault, and no further attempt helps.
func tooSlow(name string, seconds uint64) error {
	return &wasm.FormatError{Plugin: name,
		Msg:  fmt.Sprintf("compiling it takes more than %d s of processor time", seconds),
		Help: "its author can split the function with the most branches"}
}
