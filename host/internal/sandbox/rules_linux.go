package sandbox

import (
	"os"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// rule is a system call that a child may make. when lists what its arguments
// have to be, one of the entries in full; without any, they may be anything.
type rule struct {
	name string
	when []seccomp.ArgumentConditions
}

// anyOf makes rules for calls whose arguments reach nothing but the caller's own
// memory, threads and open files, whatever they are.
func anyOf(names ...string) []rule {
	var all []rule
	for _, name := range names {
		all = append(all, rule{name: name})
	}
	return all
}

// is allows one of these values, compared in all 64 bits, in an argument.
func is(argument uint32, values ...uint64) []seccomp.ArgumentConditions {
	var one []seccomp.ArgumentConditions
	for _, v := range values {
		one = append(one, seccomp.ArgumentConditions{{Argument: argument, Operation: seccomp.Equal, Value: v}})
	}
	return one
}

// only allows these bits and no others in an argument.
func only(argument uint32, bits uint64) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: seccomp.BitsNotSet, Value: ^bits}
}

func all(conditions ...seccomp.Condition) []seccomp.ArgumentConditions {
	return []seccomp.ArgumentConditions{conditions}
}

const (
	threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD |
		unix.CLONE_SYSVSEM | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_SETTID |
		unix.CLONE_CHILD_CLEARTID
	// Shared memory and stacks that grow do not count as data, huge pages are the whole system's.
	mapFlags   = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_FIXED | unix.MAP_NORESERVE | unix.MAP_STACK
	dataAccess = unix.PROT_READ | unix.PROT_WRITE
	codeAccess = dataAccess | unix.PROT_EXEC
	fileFlags  = 0xffffffff &^ unix.O_ASYNC // whom a signal would reach is another call's
	lastClock  = unix.CLOCK_BOOTTIME        // those above, and negative ones, are devices' and other processes'

	futexPrivate  = 128
	futexRealtime = 256
	guardInstall  = 102 // madvise: guard pages, with which newer C libraries end their stacks
	guardRemove   = 103
)

// futexes are the operations that wait and wake. Those with an owner raise the
// priority of whatever thread a word of memory names.
func futexes() []uint64 {
	var ops []uint64
	for _, op := range []uint64{0, 1, 3, 4, 5, 9, 10} { // WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, the two BITSET
		ops = append(ops, op, op|futexPrivate)
	}
	return append(ops, 9|futexRealtime, 9|futexRealtime|futexPrivate)
}

// ownCalls are what a Go process needs to go on.
func ownCalls() []rule {
	own := uint64(os.Getpid())
	return append(anyOf(
		"read", "write", "close", "munmap", "brk", "epoll_ctl", "epoll_pwait", "eventfd2", "nanosleep", "gettimeofday",
		"sched_yield", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "gettid", "getpid", "exit",
		"exit_group", "getrandom", "restart_syscall", "rseq", "set_robust_list",
	),
		rule{"futex", is(1, futexes()...)},
		rule{"madvise", is(2, unix.MADV_DONTNEED, unix.MADV_FREE, unix.MADV_HUGEPAGE, unix.MADV_NOHUGEPAGE,
			unix.MADV_COLLAPSE, guardInstall, guardRemove)},
		rule{"mmap", all(only(2, dataAccess), only(3, mapFlags))},
		rule{"mprotect", all(only(2, dataAccess))},
		rule{"clock_gettime", clocks()},
		rule{"clock_nanosleep", clocks()},
		rule{"tgkill", is(0, own)},
		rule{"sched_getaffinity", is(0, 0)},
		rule{"prlimit64", all(zero(0), zero(2))}, // reads its own limits, sets none
		rule{"fcntl", append(is(1, unix.F_GETFD, unix.F_GETFL),
			seccomp.ArgumentConditions{is(1, unix.F_SETFL)[0][0], only(2, fileFlags)})},
		rule{"prctl", is(0, unix.PR_SET_VMA)}, // names of memory
		rule{"clone", all(seccomp.Condition{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD},
			only(0, threadFlags))}, // threads, never processes
	)
}

func zero(argument uint32) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: seccomp.Equal}
}

// clocks are those of the machine and of this process.
func clocks() []seccomp.ArgumentConditions {
	return all(seccomp.Condition{Argument: 0, Operation: seccomp.LessOrEqual, Value: lastClock})
}

// fileCalls are what reading and writing the cache takes, and making code of
// what was read. Landlock says where, except of metadata and links.
func fileCalls() []rule {
	return append(anyOf(
		"openat", "fstat", "newfstatat", "fstatat", "statx", "lseek", "pread64", "pwrite64", "getdents64", "fsync",
		"fdatasync", "renameat", "unlinkat", "mkdirat", "ftruncate", "faccessat", "faccessat2", "readlinkat", "getcwd",
		"getuid", "geteuid", "pipe2",
	),
		rule{"mmap", all(only(2, codeAccess), only(3, mapFlags))},
		rule{"mprotect", all(only(2, codeAccess))},
		rule{"prctl", is(0, unix.PR_SET_NO_NEW_PRIVS)},
		rule{"seccomp", is(0, unix.SECCOMP_SET_MODE_STRICT, unix.SECCOMP_SET_MODE_FILTER)},
	)
}

// policy is the filter of these rules: all other calls are "operation not
// permitted". A name that this architecture does not have is left out.
func policy(rules []rule) (seccomp.Policy, error) {
	here, err := arch.GetInfo("")
	if err != nil {
		return seccomp.Policy{}, err
	}
	allow := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	for _, r := range rules {
		if _, has := here.SyscallNames[r.name]; !has {
			continue
		}
		if len(r.when) == 0 {
			allow.Names = append(allow.Names, r.name)
		}
		for _, c := range r.when {
			allow.NamesWithCondtions = append(allow.NamesWithCondtions, seccomp.NameWithConditions{Name: r.name, Conditions: c})
		}
	}
	// Its flags lie in memory, where no filter can see them. The C library then takes clone.
	clone3 := seccomp.SyscallGroup{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}}
	return seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{allow, clone3}}, nil
}
