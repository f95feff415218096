package sandbox

import (
	"fmt"
	"syscall"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// attempt is a system call that would reach beyond the process.
type attempt struct {
	what string // name, and what of it where it is tried more than once
	call int
	args [6]uintptr
}

// make makes the call. It returns nothing where it was refused, else the answer.
func (a attempt) make() string {
	r, _, no := syscall.RawSyscall6(uintptr(a.call), a.args[0], a.args[1], a.args[2], a.args[3], a.args[4],
		a.args[5])
	switch {
	case no == unix.EPERM, no == unix.ENOSYS:
		return ""
	case no != 0:
		return fmt.Sprintf("(%v)", no)
	}
	return fmt.Sprintf("(%d)", r)
}

// high is set in words of which the kernel looks at the lower half alone.
const high = 1 << 40

// attempts are all calls of Linux that take another process, thread, group or
// user, with the victim in that place, with and without bits that the kernel
// does not look at; then flags and commands that do the same.
func attempts(victim int) []attempt {
	v := uintptr(victim)
	var all []attempt
	for name, args := range victimCalls(v) {
		all = add(all, name, name, args)
	}
	for name, args := range victimCalls(v | high) {
		all = add(all, name, name+" with high bits", args)
	}
	for name, lists := range variants(v) {
		for _, args := range lists {
			all = add(all, name, fmt.Sprintf("%s%x", name, args[:4]), args)
		}
	}
	return all
}

// add leaves out what this architecture does not have.
func add(all []attempt, name, what string, args [6]uintptr) []attempt {
	here, err := arch.GetInfo("")
	if err != nil {
		return all
	}
	if call, has := here.SyscallNames[name]; has {
		all = append(all, attempt{what, call, args})
	}
	return all
}

const (
	sig     = uintptr(unix.SIGKILL)
	page    = 4096
	bitsIn  = 64
	invalid = ^uintptr(0)
)

// victimCalls are the calls of which an argument is an id. What they would read
// or write lies at an invalid address, where they would fail after they looked.
func victimCalls(v uintptr) map[string][6]uintptr {
	calls := map[string][6]uintptr{
		"kill": {v, sig}, "tkill": {v, sig}, "tgkill": {v, v &^ high, sig}, "rt_sigqueueinfo": {v, sig, invalid},
		"rt_tgsigqueueinfo": {v, v, sig, invalid}, "pidfd_open": {v}, "pidfd_getfd": {socket, 0},
		"pidfd_send_signal": {socket, sig}, "ptrace": {unix.PTRACE_SEIZE, v},
		"process_vm_readv":  {v, invalid, 1, invalid, 1},
		"process_vm_writev": {v, invalid, 1, invalid, 1}, "process_madvise": {socket, invalid, 1, unix.MADV_PAGEOUT},
		"process_mrelease": {socket}, "kcmp": {v, v}, "move_pages": {v, 1, invalid},
		"migrate_pages":   {v, bitsIn, invalid, invalid},
		"perf_event_open": {invalid, v, invalid, invalid}, "get_robust_list": {v, invalid, invalid},
		"prlimit64": {v, unix.RLIMIT_NOFILE, invalid}, "setpriority": {0, v, 19}, "getpriority": {0, v},
		"ioprio_set": {1, v, 3 << 13}, "ioprio_get": {1, v}, "setpgid": {v}, "getpgid": {v}, "getsid": {v},
		"sched_setaffinity": {v, 8, invalid}, "sched_getaffinity": {v, 8, invalid}, "sched_setparam": {v, invalid},
		"sched_getparam": {v, invalid}, "sched_setscheduler": {v, 5, invalid}, "sched_getscheduler": {v},
		"sched_setattr": {v, invalid}, "sched_getattr": {v, invalid, 48}, "sched_rr_get_interval": {v, invalid},
		"wait4": {v, 0, unix.WNOHANG}, "waitid": {1, v, invalid, unix.WNOHANG}, "capget": {invalid, invalid},
		"capset": {invalid, invalid}, "setuid": {v}, "setgid": {v}, "setreuid": {v, v}, "setresuid": {v, v, v},
		"setfsuid": {v}, "chown": {invalid, v, v}, "fchown": {socket, v, v}, "fchownat": {invalid, invalid, v, v},
		"setns": {socket}, "unshare": {unix.CLONE_NEWNS}, "kexec_load": {}, "fork": {}, "clone3": {invalid, 88},
		"sendmsg": {socket, invalid}, "sendmmsg": {socket, invalid, 1}, "recvmsg": {socket, invalid},
		"sendto":     {socket, invalid, 1},
		"setsockopt": {socket, unix.SOL_SOCKET, unix.SO_PASSCRED, invalid, 4}, "connect": {socket, invalid, 16},
		"socket": {unix.AF_UNIX, unix.SOCK_DGRAM}, "timer_create": {invalid, invalid, invalid},
		"shmget": {0, page, 0o1000}, "msgget": {0, 0o1000}, "semget": {0, 1, 0o1000}, "mq_open": {invalid, 0o102},
		"memfd_create": {invalid}, "userfaultfd": {}, "io_uring_setup": {1, invalid}, "bpf": {0, invalid},
		"keyctl": {0, v}, "add_key": {invalid, invalid, invalid}, "quotactl": {0, invalid, v}, "fanotify_init": {},
		"inotify_init1": {}, "signalfd4": {invalid, invalid, 8}, "vmsplice": {2, invalid, 1}, "tee": {2, 2, 1},
		"fchmodat": {invalid, invalid, 0o4755}, "fchmod": {socket, 0o777}, "seccomp": {1, 0, invalid},
		"openat": {invalid, invalid},
	}
	return calls
}

// variants are the commands and flags of calls that a child may make otherwise.
func variants(v uintptr) map[string][][6]uintptr {
	clock := ^v<<3 | 2 // processor time of the victim
	all := map[string][][6]uintptr{
		"clock_gettime": {{clock, invalid}, {clock & 0xffffffff, invalid}}, "clock_nanosleep": {{clock, 0, invalid}},
		"prlimit64": {{v, unix.RLIMIT_NOFILE, 0, invalid}, {0, unix.RLIMIT_NOFILE, invalid}},
		"tgkill":    {{0, v, sig}},
		"futex": {{invalid, 6, v}, {invalid, 6 | futexPrivate, v}, {invalid, 7}, {invalid, 8}, {invalid, 11},
			{invalid, 13}},
		"ioctl": {{socket, 0x8901, invalid}, {socket, 0x8902, invalid}, {socket, unix.TIOCSTI, invalid}},
		"mmap": {{0, page, 3, unix.MAP_SHARED | unix.MAP_ANONYMOUS, invalid},
			{0, page, 3, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_GROWSDOWN, invalid},
			{0, 2 << 20, 3, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_HUGETLB, invalid},
			{0, page, 7, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, invalid},
			{0, page, 3, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_LOCKED, invalid}},
		"mprotect": {{0, page, unix.PROT_EXEC}, {0, page, 7}},
		"clone": {{uintptr(unix.SIGCHLD)}, {threadFlags | unix.CLONE_NEWNS}, {threadFlags | unix.CLONE_NEWNET},
			{unix.CLONE_THREAD | unix.CLONE_PIDFD}},
	}
	for _, command := range []uintptr{unix.F_DUPFD, unix.F_SETFD, unix.F_SETLK, unix.F_SETLKW, unix.F_SETOWN,
		unix.F_GETOWN, 10, 11,
		unix.F_SETOWN_EX, unix.F_GETOWN_EX, 17, 37, 38, unix.F_SETLEASE, unix.F_GETLEASE, unix.F_NOTIFY, 1029,
		unix.F_DUPFD_CLOEXEC,
		unix.F_SETPIPE_SZ, unix.F_ADD_SEALS, unix.F_SET_RW_HINT, unix.F_SET_FILE_RW_HINT} {
		all["fcntl"] = append(all["fcntl"], [6]uintptr{socket, command, v}, [6]uintptr{socket, command | high, v})
	}
	all["fcntl"] = append(all["fcntl"], [6]uintptr{socket, unix.F_SETFL, unix.O_ASYNC | unix.O_NONBLOCK})
	for _, option := range []uintptr{unix.PR_SET_PDEATHSIG, unix.PR_SET_DUMPABLE, unix.PR_SET_KEEPCAPS,
		unix.PR_CAPBSET_DROP, unix.PR_SET_MM,
		unix.PR_SET_PTRACER, unix.PR_SCHED_CORE, unix.PR_SET_NO_NEW_PRIVS, unix.PR_SET_SECCOMP,
		unix.PR_SET_CHILD_SUBREAPER} {
		all["prctl"] = append(all["prctl"], [6]uintptr{option, 1, v})
	}
	for _, advice := range []uintptr{unix.MADV_HWPOISON, 101 /* SOFT_OFFLINE */, unix.MADV_MERGEABLE,
		unix.MADV_REMOVE, unix.MADV_PAGEOUT} {
		all["madvise"] = append(all["madvise"], [6]uintptr{0, page, advice})
	}
	return all
}

// condition is what others could change of a process, in words.
func condition(pid int) string {
	var files unix.Rlimit
	var cores unix.CPUSet
	_ = unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &files)
	_ = unix.SchedGetaffinity(pid, &cores)
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, pid)
	group, _ := unix.Getpgid(pid)
	return fmt.Sprintf("%d of %d files, %d cores, priority %d, group %d", files.Cur, files.Max, cores.Count(),
		nice, group)
}
