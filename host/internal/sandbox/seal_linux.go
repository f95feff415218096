package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

const (
	childData   = 1 << 30 // bytes that a child may use beside its instances' memory
	compileTime = 60      // seconds of processor time
	childFiles  = 16      // file descriptors: the socket, standard error, and what Go waits with
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
		}{unix.RLIMIT_CPU, compileTime})
	}
	for _, l := range limits {
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return fmt.Errorf("cannot limit itself: %w", err)
		}
	}
	// When memory runs out it is plugins that go first. Not everybody may say so.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	return nil
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

// confine leaves the child one folder, and none of the calls that reach beyond
// this process. Where the system has no Landlock or no seccomp it says so.
func confine(cache string, write bool) (missing []string, err error) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("cannot confine itself: %w", err)
	}
	rule := landlock.RODirs(cache)
	if write {
		rule = landlock.RWDirs(cache)
	}
	if abi, _ := landlockABI(); abi < 1 {
		missing = append(missing, "landlock")
	}
	if err := landlock.V5.BestEffort().Restrict(rule); err != nil {
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

func landlockABI() (int, error) {
	abi, _, no := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if no != 0 {
		return 0, no
	}
	return int(abi), nil
}

// filter lets through only these system calls, on all threads; all others are
// "operation not permitted".
func filter(calls []string) (missing []string) {
	threads := seccomp.NameWithConditions{Name: "clone", // threads, never processes
		Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}}
	f := seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: calls, NamesWithCondtions: []seccomp.NameWithConditions{threads}},
			// Its flags lie in memory, where no filter can see them. The C library then takes clone.
			{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}},
		},
	}}
	if !seccomp.Supported() || seccomp.LoadFilter(f) != nil {
		return []string{"seccomp"}
	}
	return nil
}

// ownCalls are what a Go process needs to go on.
func ownCalls() []string {
	return []string{
		"read", "write", "close", "mmap", "munmap", "mprotect", "madvise", "mincore", "brk", "futex",
		"epoll_ctl", "epoll_pwait", "eventfd2", "nanosleep", "clock_nanosleep", "clock_gettime", "gettimeofday",
		"sched_yield", "sched_getaffinity", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
		"gettid", "getpid", "tgkill", "exit", "exit_group", "getrandom", "restart_syscall", "rseq", "set_robust_list",
		"fcntl", "prctl", "prlimit64", "seccomp",
	}
}

// fileCalls are what reading and writing the cache takes. Landlock says where.
func fileCalls() []string {
	calls := []string{"openat", "fstat", "newfstatat", "statx", "lseek", "pread64", "pwrite64", "getdents64", "fsync", "fdatasync",
		"renameat", "unlinkat", "mkdirat", "ftruncate", "fchmod", "fchmodat", "faccessat", "faccessat2", "readlinkat", "getcwd", "getuid", "geteuid", "pipe2"}
	return calls
}
