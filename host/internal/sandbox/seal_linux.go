package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

const (
	childData  = 1 << 30 // bytes that a child may use in addition to its instances' memory
	childFiles = 16      // file descriptors: the socket, standard error, and what Go waits with
)

// limit sets what the child may use in all.
func limit(s setup) error {
	limits := []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_DATA, uint64(dataInUse() + s.AllMemory + childData)},
		{unix.RLIMIT_NOFILE, childFiles},
	}
	if s.Compile {
		limits = append(limits, struct {
			what  int
			limit uint64
		}{unix.RLIMIT_CPU, s.CompileTime})
		yieldTo()
	}
	for _, l := range limits {
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return fmt.Errorf("cannot limit itself: %w", err)
		}
	}
	// Plugins are killed first when memory runs out. Not every user may set this.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	return nil
}

// compileNice is the priority of compiling: what runs has three times its share
// of a busy processor. More would keep good modules from being compiled in time.
const compileNice = 5

// yieldTo lowers the priority of this process: of all its threads, as new ones
// take that of the thread that starts them.
func yieldTo() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, compileNice)
		}
	}
}

// dataInUse is what counts as data already, bytes: a lot where Go's race
// detector is built in.
func dataInUse() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(text)); len(fields) > 5 {
		pages, _ := strconv.ParseInt(fields[5], 10, 64)
		return pages * int64(os.Getpagesize())
	}
	return 0
}

// confine leaves the child one folder, none of the calls that reach beyond this
// process, and no privilege. Where the system has no Landlock or no seccomp it
// says so.
func confine(cache string, write bool) (missing []string, err error) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("cannot confine itself: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return nil, fmt.Errorf("cannot give up its privileges: %w", err)
	}
	var rules []landlock.Rule
	switch {
	case cache == "": // it opens no file
	case write:
		rules = append(rules, landlock.RWDirs(cache))
	default:
		rules = append(rules, landlock.RODirs(cache))
	}
	if abi, _ := landlockABI(); abi < 1 {
		missing = append(missing, "landlock")
	}
	// From scopeABI on that keeps signals and abstract sockets within the process, too.
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return nil, fmt.Errorf("cannot confine itself to %s: %w", cache, err)
	}
	return append(missing, filter(append(ownCalls(), fileCalls()...))...), nil
}

// seal leaves the child nothing but its memory, its threads and the files that
// are open: the module is loaded, and from now on plugins run.
func seal() ([]string, error) {
	for fd := range 2 {
		if err := syscall.Close(fd); err != nil {
			return nil, fmt.Errorf("cannot close standard streams: %w", err)
		}
	}
	return filter(ownCalls()), nil
}

// dropCapabilities leaves root, too, nothing but its name, on all threads.
func dropCapabilities() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has, none [2]unix.CapUserData
	if err := unix.Capget(&head, &has[0]); err != nil || has == none {
		return err
	}
	_, _, no := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&none[0])), 0)
	if no != 0 {
		return no
	}
	return nil
}

// scopeABI is the first version of Landlock (Linux 6.12) under which a process
// cannot signal processes outside of its own domain.
const scopeABI = 6

// apart are the ways to start this program as a child so that it cannot name
// other processes, the best first; the last always works.
func apart() []syscall.SysProcAttr {
	if usesCgo {
		return []syscall.SysProcAttr{{Setpgid: true}}
	}
	return spaces()
}

// spaces are the ways for a program without cgo. A separate user namespace is for
// users who may not have a process namespace without one, and only if Landlock
// does not block signals: Go copies the whole host process for it, 15 ms for each
// 100 MB.
func spaces() []syscall.SysProcAttr {
	plain := syscall.SysProcAttr{Setpgid: true} // a terminal's interrupt is for us
	pids := plain
	pids.Cloneflags = unix.CLONE_NEWPID
	ways := []syscall.SysProcAttr{pids}
	if abi, _ := landlockABI(); abi < scopeABI {
		ways = append(ways, ownUser(pids))
	}
	return append(ways, plain)
}

// ownUser adds a user namespace, in which the child is an ordinary user.
func ownUser(attr syscall.SysProcAttr) syscall.SysProcAttr {
	attr.Cloneflags |= unix.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: insideID, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: insideID, HostID: os.Getegid(), Size: 1}}
	return attr
}

// insideID is the user and the group of a child in its own user namespace.
const insideID = 1000

// together says what a child lacks that was started as the last of the ways.
func together() []string {
	if abi, _ := landlockABI(); abi >= scopeABI {
		return nil
	}
	return []string{"process namespaces"}
}

func landlockABI() (int, error) {
	abi, _, no := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if no != 0 {
		return 0, no
	}
	return int(abi), nil
}

// filter lets through only these system calls, on all threads.
func filter(rules []rule) (missing []string) {
	p, err := policy(rules)
	if err != nil || !seccomp.Supported() {
		return []string{"seccomp"}
	}
	if seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: p}) != nil {
		return []string{"seccomp"}
	}
	return nil
}
