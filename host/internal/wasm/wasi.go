package wasm

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/pushlane/pushlane/sdk"
	"github.com/tetratelabs/wazero/sys"
)

// errno is an error number of wasi_snapshot_preview1.
type errno uint16

const (
	ok           errno = 0
	eAcces       errno = 2
	eBadf        errno = 8
	eExist       errno = 20
	eFault       errno = 21
	eFbig        errno = 22
	eInval       errno = 28
	eIsdir       errno = 31
	eLoop        errno = 32
	eMfile       errno = 33
	eNametoolong errno = 37
	eNoent       errno = 44
	eNospc       errno = 51
	eNosys       errno = 52
	eNotdir      errno = 54
	eNotempty    errno = 55
	eNotsock     errno = 57
	eNotsup      errno = 58
	ePerm        errno = 63
	eRofs        errno = 69
	eSpipe       errno = 70
	eXdev        errno = 75
)

// wasiModule is the import module of the system interface.
const wasiModule = "wasi_snapshot_preview1"

var le = binary.LittleEndian

// guest is the memory of the calling instance. Areas are checked on each use.
type guest struct{ api.Memory }

// area gives n bytes at ptr, valid until the instance runs on; nil when they
// are not all inside. Numbers come as wazero's 64-bit cells: the upper half of
// an i32 is not looked at.
func (g guest) area(ptr, n uint64) ([]byte, bool) {
	return g.Read(uint32(ptr), uint32(n))
}

func (g guest) put32(ptr uint64, v uint32) errno {
	if !g.WriteUint32Le(uint32(ptr), v) {
		return eFault
	}
	return ok
}

func (g guest) put64(ptr uint64, v uint64) errno {
	if !g.WriteUint64Le(uint32(ptr), v) {
		return eFault
	}
	return ok
}

// hostFunc is one function of the system interface. It is found by name;
// params spells its parameters, i for 32 and I for 64 bits.
type hostFunc struct {
	name   string
	params string
	early  bool // does not depend on the call
	f      func(s *session, g guest, p []uint64) errno
}

// wasiFuncs are all functions of wasi_snapshot_preview1. Those that answer
// "not supported" are there so that modules that mention them can be loaded.
func wasiFuncs() []hostFunc {
	return []hostFunc{
		{"args_get", "ii", true, argsGet},
		{"args_sizes_get", "ii", true, argsSizesGet},
		{"environ_get", "ii", true, environGet},
		{"environ_sizes_get", "ii", true, environSizesGet},
		{"clock_res_get", "ii", true, clockResGet},
		{"clock_time_get", "iIi", true, clockTimeGet},
		{"fd_advise", "iIIi", false, fdNothing},
		{"fd_allocate", "iII", false, refuse(eNotsup)},
		{"fd_close", "i", false, fdClose},
		{"fd_datasync", "i", false, fdNothing},
		{"fd_fdstat_get", "ii", true, fdFdstatGet},
		{"fd_fdstat_set_flags", "ii", true, fdSetFlags},
		{"fd_fdstat_set_rights", "iII", false, fdNothing},
		{"fd_filestat_get", "ii", false, fdFilestatGet},
		{"fd_filestat_set_size", "iI", false, fdSetSize},
		{"fd_filestat_set_times", "iIIi", false, fdNothing},
		{"fd_pread", "iiiIi", false, fdPread},
		{"fd_prestat_get", "ii", true, fdPrestatGet},
		{"fd_prestat_dir_name", "iii", true, fdPrestatDirName},
		{"fd_pwrite", "iiiIi", false, fdPwrite},
		{"fd_read", "iiii", false, fdRead},
		{"fd_readdir", "iiiIi", false, fdReaddir},
		{"fd_renumber", "ii", false, fdRenumber},
		{"fd_seek", "iIii", false, fdSeek},
		{"fd_sync", "i", false, fdNothing},
		{"fd_tell", "ii", false, fdTell},
		{"fd_write", "iiii", false, fdWrite},
		{"path_create_directory", "iii", false, pathMkdir},
		{"path_filestat_get", "iiiii", false, pathFilestatGet},
		{"path_filestat_set_times", "iiiiIIi", false, pathNothing},
		{"path_link", "iiiiiii", false, refuse(ePerm)},
		{"path_open", "iiiiiIIii", false, pathOpen},
		{"path_readlink", "iiiiii", false, pathReadlink},
		{"path_remove_directory", "iii", false, pathRmdir},
		{"path_rename", "iiiiii", false, pathRename},
		{"path_symlink", "iiiii", false, refuse(ePerm)},
		{"path_unlink_file", "iii", false, pathUnlink},
		{"poll_oneoff", "iiii", false, pollOneoff},
		{"proc_exit", "i", false, procExit},
		{"proc_raise", "i", false, refuse(eNosys)},
		{"random_get", "ii", true, randomGet},
		{"sched_yield", "", true, func(*session, guest, []uint64) errno { return ok }},
		{"sock_accept", "iii", false, refuse(eNotsock)},
		{"sock_recv", "iiiiii", false, refuse(eNotsock)},
		{"sock_send", "iiiii", false, refuse(eNotsock)},
		{"sock_shutdown", "ii", false, refuse(eNotsock)},
	}
}

func (h hostFunc) function() api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		s := sessionOf(ctx)
		s.enter(h.name, h.early && !s.module.late[h.name])
		mem := mod.Memory()
		if mem == nil {
			stack[0] = uint64(eFault)
			return
		}
		no := h.f(s, guest{mem}, stack)
		if len(stack) > 0 {
			stack[0] = uint64(no)
		}
	}
}

func refuse(with errno) func(*session, guest, []uint64) errno {
	return func(*session, guest, []uint64) errno { return with }
}

// environ is the environment: the contract's number and what was granted.
func (s *session) environ() []string {
	all := []string{"LANE_ABI=1"}
	if s.isBound {
		all = append(all, s.call.Env...)
	}
	return all
}

func (s *session) args() []string {
	all := []string{s.module.name}
	if s.isBound {
		all = append(all, s.call.Args...)
	}
	return all
}

// lateFuncs are functions that do not depend on the call, but for plugins whose
// manifest asks for what makes them.
func lateFuncs(m sdk.Manifest) map[string]bool {
	late := map[string]bool{}
	for _, c := range m.Capabilities {
		switch c.Name {
		case "env":
			late["environ_get"], late["environ_sizes_get"] = true, true
		case "clock":
			late["clock_time_get"] = true
		}
	}
	if m.Tool != nil {
		late["args_get"], late["args_sizes_get"] = true, true
	}
	return late
}

func argsGet(s *session, g guest, p []uint64) errno      { return putStrings(g, s.args(), p[0], p[1]) }
func argsSizesGet(s *session, g guest, p []uint64) errno { return putSizes(g, s.args(), p[0], p[1]) }
func environGet(s *session, g guest, p []uint64) errno   { return putStrings(g, s.environ(), p[0], p[1]) }
func environSizesGet(s *session, g guest, p []uint64) errno {
	return putSizes(g, s.environ(), p[0], p[1])
}
func clockResGet(_ *session, g guest, p []uint64) errno { return g.put64(p[1], uint64(clockStep)) }

func putSizes(g guest, all []string, count, size uint64) errno {
	n := 0
	for _, a := range all {
		n += len(a) + 1
	}
	if no := g.put32(count, uint32(len(all))); no != ok {
		return no
	}
	return g.put32(size, uint32(n))
}

// putStrings writes C strings to buf and their addresses to ptrs.
func putStrings(g guest, all []string, ptrs, buf uint64) errno {
	for i, a := range all {
		if no := g.put32(ptrs+4*uint64(i), uint32(buf)); no != ok {
			return no
		}
		if !g.WriteString(uint32(buf), a+"\x00") {
			return eFault
		}
		buf += uint64(len(a) + 1)
	}
	return ok
}

// An instance's time begins at a fixed moment, moves on by a step at every
// look and by what it sleeps: the same in every run.
const clockStep = 100 * time.Microsecond

var clockStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// randomSeed makes the random numbers of every instance the same.
var randomSeed = [32]byte{'l', 'a', 'n', 'e'}

// epoch is when the instance's clock started, nanoseconds since 1970.
func (s *session) epoch() int64 {
	if s.isBound && !s.call.Clock.IsZero() {
		return s.call.Clock.UnixNano()
	}
	return clockStart
}

func clockTimeGet(s *session, g guest, p []uint64) errno {
	s.clock += int64(clockStep)
	switch uint32(p[0]) {
	case 0:
		return g.put64(p[2], uint64(s.epoch()+s.clock))
	case 1, 2, 3:
		return g.put64(p[2], uint64(s.clock))
	}
	return eInval
}

func randomGet(s *session, g guest, p []uint64) errno {
	b, inside := g.area(p[0], p[1])
	if !inside {
		return eFault
	}
	_, _ = s.random.Read(b)
	return ok
}

func procExit(_ *session, _ guest, p []uint64) errno {
	panic(sys.NewExitError(uint32(p[0])))
}

// maxPolls bounds the subscriptions of one poll_oneoff.
const maxPolls = 1024

// pollOneoff waits for clocks; files are always ready.
func pollOneoff(s *session, g guest, p []uint64) errno {
	n := p[2] & 0xffffffff
	if n == 0 || n > maxPolls {
		return eInval
	}
	in, okIn := g.area(p[0], n*48)
	out, okOut := g.area(p[1], n*32)
	if !okIn || !okOut {
		return eFault
	}
	subs := append([]byte(nil), in...) // out may lie over in
	wait, anyFile, no := s.pollWait(subs)
	if no != ok {
		return no
	}
	if !anyFile {
		s.sleep(wait)
	}
	events := 0
	for ; len(subs) > 0; subs = subs[48:] {
		clock := subs[8] == 0
		if clock && !s.due(subs, wait, anyFile) {
			continue
		}
		e := out[events*32 : events*32+32]
		clear(e)
		copy(e, subs[:8])
		e[10] = subs[8]
		if !clock {
			if _, found := s.files.get(uint64(le.Uint32(subs[16:]))); !found {
				le.PutUint16(e[8:], uint16(eBadf))
			}
			le.PutUint64(e[16:], 1)
		}
		events++
	}
	return g.put32(p[3], uint32(events))
}

// pollWait finds the shortest clock, and whether a file is waited for.
func (s *session) pollWait(subs []byte) (wait time.Duration, anyFile bool, no errno) {
	wait = 1<<63 - 1
	for ; len(subs) > 0; subs = subs[48:] {
		switch subs[8] {
		case 0:
			if le.Uint16(subs[40:])&^1 != 0 {
				return 0, false, eInval
			}
			wait = min(wait, s.timeout(subs))
		case 1, 2:
			anyFile = true
		default:
			return 0, false, eInval
		}
	}
	return wait, anyFile, ok
}

// due reports whether a clock has rung after the wait.
func (s *session) due(sub []byte, wait time.Duration, anyFile bool) bool {
	t := s.timeout(sub)
	if anyFile || le.Uint16(sub[40:])&1 != 0 {
		return t == 0
	}
	return t <= wait
}

// timeout is how long a clock subscription waits, counted from the start of
// this poll.
func (s *session) timeout(sub []byte) time.Duration {
	t := le.Uint64(sub[24:])
	if le.Uint16(sub[40:])&1 != 0 { // a moment, not a span
		now := uint64(s.clock)
		if le.Uint32(sub[16:]) == 0 {
			now += uint64(s.epoch())
		}
		if t <= now {
			return 0
		}
		t -= now
	}
	return time.Duration(min(t, 1<<62))
}
