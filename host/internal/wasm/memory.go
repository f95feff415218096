package wasm

import (
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"
)

const pageSize = 64 << 10

// earlyMemory is how far an instance may grow before it has a call, bytes.
const earlyMemory = 32 << 20

// memory is the linear memory of one instance. Address space for all it may
// ever have is reserved at once and opened only as it is used, so that growing
// never copies; what is in use counts against the engine's budget, and against
// the process's own limit (RLIMIT_DATA) where it has one.
type memory struct {
	session *session
	area    []byte       // reserved
	used    atomic.Int64 // bytes in use
	refused bool         // growing was refused: the plugin wanted more than it may have
}

func (m *memory) size() int64 { return m.used.Load() }

// Allocate implements experimental.MemoryAllocator.
func (m *memory) Allocate(_, max uint64) experimental.LinearMemory {
	most := min(max, uint64(m.session.module.engine.opts.MaxMemory))
	area, err := reserve(int(most))
	if err != nil {
		m.session.stopped = err
		panic(errStop)
	}
	m.area = area
	return m
}

// Reallocate implements experimental.LinearMemory; nil means no.
func (m *memory) Reallocate(size uint64) []byte {
	s := m.session
	if !s.hasCall() && size > earlyMemory {
		s.await()
	}
	limit := s.module.engine.opts.MaxMemory
	if s.isBound {
		limit = s.call.Memory
	}
	more := int64(size) - m.size()
	if size > uint64(len(m.area)) || int64(size) > limit || !s.module.engine.spend(more) {
		m.refused = true
		if m.size() == 0 {
			s.limit("memory", limit, "bytes")
		}
		return nil
	}
	if err := unlock(m.area[m.size():size]); err != nil {
		s.module.engine.spend(-more)
		m.refused = true
		return nil
	}
	m.used.Store(int64(size))
	return m.area[:size:size]
}

// Free implements experimental.LinearMemory. It may be called again.
func (m *memory) Free() {
	if m.area == nil {
		return
	}
	release(m.area)
	m.area = nil
	m.session.module.engine.spend(-m.used.Swap(0))
}

// spend takes bytes from the budget of all instances together.
func (e *Engine) spend(n int64) bool {
	if e.budget.Add(-n) >= 0 || n <= 0 {
		return true
	}
	e.budget.Add(n)
	return false
}
