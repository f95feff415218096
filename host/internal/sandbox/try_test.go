package sandbox

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// TestTrySeal: no call that takes another process gets through from a sealed
// worker, in a separate process namespace or in ours, and the other process is
// as it was.
func TestTrySeal(t *testing.T) {
	plain := syscall.SysProcAttr{Setpgid: true}
	for name, way := range map[string]syscall.SysProcAttr{
		"in its own namespace": spaces()[0], "as its own user": ownUser(spaces()[0]), "in ours": plain,
	} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, Options{})
			p.ways = []syscall.SysProcAttr{way, plain} // the second where this system refuses the first
			tried, err := p.TrySeal()
			if err != nil || tried < 400 {
				t.Errorf("%d ways: %v", tried, err)
			}
		})
	}
}

// meaning says of each call that a sealed worker may make whatever its arguments
// are why that reaches nothing beyond it.
var meaning = map[string]string{
	"read": "open file", "write": "open file", "close": "open file", "epoll_ctl": "open file", "epoll_pwait": "open file",
	"eventfd2": "new file of its own", "munmap": "own memory", "brk": "own memory, counted as data", "nanosleep": "time",
	"gettimeofday": "time", "sched_yield": "own thread", "rt_sigaction": "own signals", "rt_sigprocmask": "own signals",
	"rt_sigreturn": "own signals", "sigaltstack": "own signals", "gettid": "own number", "getpid": "own number",
	"exit": "own thread", "exit_group": "own threads", "getrandom": "random", "restart_syscall": "the call before",
	"rseq": "own memory", "set_robust_list": "own memory",
}

// TestEveryCallIsJudged: what is let through whatever its arguments was looked
// at, and every call that takes another process is either not let through or
// only with conditions, which TestTrySeal then tries.
func TestEveryCallIsJudged(t *testing.T) {
	reaching := victimCalls(1)
	tried := variants(1)
	for _, r := range ownCalls() {
		_, takesOther := reaching[r.name]
		_, hasVariants := tried[r.name]
		switch {
		case len(r.when) == 0 && meaning[r.name] == "":
			t.Errorf("%s is let through, and nothing says what its arguments reach", r.name)
		case len(r.when) == 0 && (takesOther || hasVariants):
			t.Errorf("%s is let through whatever process it names", r.name)
		case len(r.when) > 0 && !takesOther && !hasVariants:
			t.Errorf("%s has conditions that nothing tries", r.name)
		}
	}
}

// TestConditionsAreTried: each condition of the filter is one that an argument
// out of it would break: with the victim in its place the call is refused.
func TestConditionsAreTried(t *testing.T) {
	const victim = 4711
	all := attempts(victim)
	for _, r := range ownCalls() {
		for _, when := range r.when {
			for _, c := range when {
				if !slices.ContainsFunc(all, func(a attempt) bool {
					return strings.HasPrefix(a.what, r.name) && uint64(a.args[c.Argument]) != 0
				}) {
					t.Errorf("argument %d of %s is never tried", c.Argument, r.name)
				}
			}
		}
	}
}

// TestWayThatIsRefused: where the system does not give a child a namespace it is
// started without, and what is then lacking is said where nothing else keeps
// signals back.
func TestWayThatIsRefused(t *testing.T) {
	p := pool(t, Options{})
	nobody := syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_THREAD} // never both
	p.ways = []syscall.SysProcAttr{nobody, {Setpgid: true}}
	load(t, p, "noop")
	if len(p.ways) != 1 || !slices.Equal(p.Missing(), together()) {
		t.Errorf("%d ways left, it lacks %q, want %q", len(p.ways), p.Missing(), together())
	}
}

// TestOwnUser: a worker that is another user inside still reads the compiled
// code, which the host's user keeps for itself.
func TestOwnUser(t *testing.T) {
	p := pool(t, Options{})
	p.ways = []syscall.SysProcAttr{ownUser(spaces()[0]), {Setpgid: true}}
	if _, err := load(t, p, "noop").Run(t.Context(), wasm.Call{}); err != nil {
		t.Error(err)
	}
}
