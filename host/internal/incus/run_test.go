package incus

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/zone"
)

func TestExitStatus(t *testing.T) {
	c := needIncus(t, testConfig(t))
	for name, test := range map[string]struct {
		argv []string
		want int
	}{
		"success":                      {[]string{"true"}, 0},
		"a failure":                    {[]string{"sh", "-c", "exit 3"}, 3},
		"the largest status":           {[]string{"sh", "-c", "exit 255"}, 255},
		"killed by a signal":           {[]string{"sh", "-c", "kill -9 $$"}, 137},
		"terminated":                   {[]string{"sh", "-c", "kill -15 $$"}, 143},
		"no such command":              {[]string{"no-such-command"}, 127},
		"a script that misses one":     {[]string{"sh", "-c", "no-such-command"}, 127},
		"a script that exits with 126": {[]string{"sh", "-c", "exit 126"}, 126},
		"a file that is not a program": {[]string{"/etc/passwd"}, 126},
		"arguments arrive as they are": {[]string{"sh", "-c", `[ "$1" = 'a  "b" $c' ]`, "x", `a  "b" $c`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := busybox("")
			s.Command = test.argv
			ended, _, errOut := run(t, c, s)
			if strings.HasPrefix(name, "a script") && strings.Contains(errOut, "cannot start") {
				t.Errorf("stderr %q of a command that ran", errOut)
			}
			if want := "pushlane: cannot start \"no-such-command\": no such command\n"; name == "no such command" &&
				errOut != want {
				t.Errorf("stderr %q, want %q", errOut, want)
			}
			if ended.Exit != test.want || ended.TimedOut {
				t.Errorf("exit %d (timed out: %v), want %d; stderr %q", ended.Exit, ended.TimedOut, test.want, errOut)
			}
		})
	}
}

// A command that outlasts one wait for its operation, which Incus 6.0.4 answers
// with an error.
func TestCommandThatTakesLong(t *testing.T) {
	c := needIncus(t, testConfig(t))
	ended, out, _ := run(t, c, busybox("sleep 12; echo done; exit 4"))
	if ended.Exit != 4 || out != "done\n" {
		t.Errorf("exit %d, stdout %q, want 4 and done", ended.Exit, out)
	}
}

func TestStreamsAreApartAndWhole(t *testing.T) {
	c := needIncus(t, testConfig(t))
	ended, out, errOut := run(t, c, busybox("seq 20000; seq 30000 50000 >&2; exit 1"))
	if n := strings.Count(out, "\n"); n != 20000 {
		t.Errorf("stdout has %d lines, want 20000", n)
	}
	if n := strings.Count(errOut, "\n"); n != 20001 {
		t.Errorf("stderr has %d lines, want 20001", n)
	}
	if ended.Exit != 1 || len(ended.Tail) != tailSize {
		t.Errorf("exit %d, tail of %d bytes", ended.Exit, len(ended.Tail))
	}
}

func TestOutputIsLive(t *testing.T) {
	c := needIncus(t, testConfig(t))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out syncBuffer
	done := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, busybox("echo first; sleep 1000"), &out, nil)
		done <- err
	}()
	waitFor(t, "first line", func() bool { return out.String() == "first\n" })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
}

func TestWhatTheCommandSees(t *testing.T) {
	c := needIncus(t, testConfig(t))
	src := files{"a.txt": "alpha\n", "dir/": "", "dir/b c": "beta", "link": "-> a.txt", "out": "-> /etc/passwd",
		"\xff.bin": "raw"}
	for name, test := range map[string]struct {
		edit   func(*Spec)
		script string
		want   string
	}{
		"user lane, home, work folder": {nil, "id -u; id -g; pwd; echo $HOME $USER",
			"1000\n1000\n/work/src\n/home/lane lane\n"},
		"root when asked": {func(s *Spec) { s.User = "root" }, "id -u; echo $HOME",
			"0\n/root\n"},
		"a number when asked": {func(s *Spec) { s.User = "1234" }, "id -u", "1234\n"},
		"variables": {
			func(s *Spec) { s.Env = map[string]string{"A": "b c", "HOME": "/tmp"} }, `echo "$A" $HOME`, "b c /tmp\n"},
		"another folder": {func(s *Spec) { s.Cwd = "/work/src/dir" }, "pwd; cat 'b c'",
			"/work/src/dir\nbeta"},
		"the source": {nil, "cat a.txt link; readlink out; find . | sort | head -3",
			"alpha\nalpha\n/etc/passwd\n.\n./a.txt\n./dir\n"},
		"the source may be changed": {nil,
			"echo x >> a.txt; rm link; touch new dir/new; cat a.txt; cat /work/base/a.txt", "alpha\nx\nalpha\n"},
		"base is for reading only": {nil, "echo x >> /work/base/a.txt || echo no", "no\n"},
		"names that are not UTF-8": {nil, `cat "$(printf '\377').bin"`, "raw"},
		"no network but loopback": {nil,
			"ls /sys/class/net; ip addr show lo | grep -q 127.0.0.1 && echo up", "lo\nup\n"},
		"the container's name is not a secret of the host": {nil, "hostname | cut -c 1-8", "pl-test-\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := busybox(test.script)
			s.Source = src
			if test.edit != nil {
				test.edit(&s)
			}
			ended, out, errOut := run(t, c, s)
			if out != test.want || ended.Exit != 0 {
				t.Errorf("exit %d, stdout %q, want %q; stderr %q", ended.Exit, out, test.want, errOut)
			}
		})
	}
}

// bigSource is one that travels as a volume.
func bigSource() files {
	return files{"a.txt": "alpha\n", "dir/": "", "dir/big": strings.Repeat("0123456789abcdef", smallTree/16),
		"link": "-> a.txt"}
}

func TestLargeTreesBecomeAVolume(t *testing.T) {
	c := needIncus(t, testConfig(t))
	src := bigSource()
	for range 3 {
		t.Run("every container of the tree", func(t *testing.T) {
			t.Parallel()
			s := busybox(
				"cat a.txt link; wc -c < dir/big; id -u; echo x > dir/big; echo y >> a.txt; cat a.txt; ls -ln /work/base/a.txt " +
					"| cut -c 1-27")
			s.Source = src
			_, out, errOut := run(t, c, s)
			if want := "alpha\nalpha\n2097152\n1000\nalpha\ny\n-rw-r--r--    1 1000     10"; strings.TrimSpace(out) != want {
				t.Errorf("stdout %q, want %q; stderr %q", out, want, errOut)
			}
		})
	}
	t.Cleanup(func() {
		volumes := 0
		all, _ := c.conn.srv.GetStoragePoolVolumes(c.conn.cfg.Pool)
		for _, v := range all {
			if v.Config[labelOwner] == c.conn.cfg.Owner && v.Config[labelTree] == src.ID() {
				volumes++
			}
		}
		if volumes != 1 {
			t.Errorf("%d volumes for one tree", volumes)
		}
	})
}

// Containers share the volume: not even root in one of them may write to it.
func TestRootCannotWriteToTheSharedTree(t *testing.T) {
	c := needIncus(t, testConfig(t))
	s := busybox(
		`for how in remount,rw remount,rw,bind; do mount -o $how /work/base 2>/dev/null && echo "remounted $how"; done
mkdir /tmp/m; mount -o bind /work/base /tmp/m; mount -o remount,rw,bind /tmp/m 2>/dev/null && echo "bind remounted"
umount /work/src; echo evil > /tmp/m/a.txt; echo evil > /work/base/a.txt
for d in /dev/loop* /dev/vd*; do [ -e "$d" ] && echo "sees $d"; done; echo done`)
	s.Source, s.User = bigSource(), "root"
	_, out, _ := run(t, c, s)
	if out != "done\n" {
		t.Errorf("stdout %q, want only done", out)
	}
	s = busybox("cat /work/base/a.txt")
	s.Source = bigSource()
	if _, out, _ = run(t, c, s); out != "alpha\n" {
		t.Errorf("the next container reads %q, want alpha", out)
	}
}

func TestTimeLimit(t *testing.T) {
	c := needIncus(t, testConfig(t))
	for name, script := range map[string]string{
		"a command that obeys":           "echo out; sleep 1000",
		"a command that ignores SIGTERM": "trap '' TERM; echo out; while :; do sleep 1; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := busybox(script)
			s.Millis = 2500
			ended, out, _ := run(t, c, s)
			if !ended.TimedOut || ended.Exit != 137 || out != "out\n" {
				t.Errorf("ended %+v, stdout %q", ended, out)
			}
		})
	}
}

func TestBackgroundProcessesDoNotHoldUpTheEnd(t *testing.T) {
	c := needIncus(t, testConfig(t))
	began := time.Now()
	ended, out, _ := run(t, c, busybox("sleep 1000 & echo done"))
	if ended.Exit != 0 || out != "done\n" || time.Since(began) > 30*time.Second {
		t.Errorf("exit %d, stdout %q after %s", ended.Exit, out, time.Since(began))
	}
}

// Incus 6.0.4 ends a wait that was too short with an error of its own.
func TestLongCommands(t *testing.T) {
	c := needIncus(t, testConfig(t))
	if ended, out, _ := run(t, c, busybox("sleep 12; echo done; exit 4")); ended.Exit != 4 || out != "done\n" {
		t.Errorf("exit %d, stdout %q", ended.Exit, out)
	}
}

func TestContainerTakenAway(t *testing.T) {
	c := needIncus(t, testConfig(t))
	var out syncBuffer
	failed := make(chan error, 1)
	go func() {
		_, err := c.Run(context.Background(), busybox("hostname; sleep 1000"), &out, nil)
		failed <- err
	}()
	waitFor(t, "output", func() bool { return strings.HasSuffix(out.String(), "\n") })
	stop := api.InstanceStatePut{Action: "stop", Force: true, Timeout: -1}
	name := strings.TrimSpace(out.String())
	if err := c.conn.do(context.Background(), func() (incus.Operation, error) {
		return c.conn.srv.UpdateInstanceState(name, stop, "")
	}); err != nil {
		t.Error(err)
	}
	err := <-failed
	// Whoever stopped it, we delete it, so that either may be seen first.
	if broken := new(MachineError); !errors.As(err, &broken) || !strings.Contains(err.Error(), "from outside") {
		t.Errorf("err = %v (%T), want a MachineError", err, err)
	}
	if hint := err.(*MachineError).Hint(); !strings.Contains(hint, "not caused by the change") {
		t.Errorf("hint %q", hint)
	}
	gone := (&box{c: c, name: "pl-never-was"}).alive(context.Background())
	if gone == nil || gone.Error() != "the container was deleted from outside" {
		t.Errorf("gone = %v", gone)
	}
}

func TestLimitsInWords(t *testing.T) {
	c := needIncus(t, testConfig(t))
	pool, _, err := c.conn.srv.GetStoragePool(c.conn.cfg.Pool)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		edit   func(*Spec)
		script string
		exit   int
		want   string
	}{
		"memory": {func(s *Spec) { s.Memory = "48MiB" }, "tail /dev/zero", 137,
			"out of memory: the kernel killed a process at the limit of 48 MiB"},
		"memory of a child": {func(s *Spec) { s.Memory = "48MiB" }, "(tail /dev/zero) || exit 7", 7,
			"out of memory: the kernel killed a process at the limit of 48 MiB"},
		"processes": {func(s *Spec) { s.Processes = 30 }, "for i in $(seq 60); do sleep 3 & done; wait", 2,
			"out of processes: the limit is 30"},
		"disk": {func(s *Spec) { s.Disk = "64MiB" }, "dd if=/dev/zero of=big bs=1M count=300 2>/dev/null", 1,
			"disk full: the limit is 64 MiB"},
		"a failure of its own": {nil, "exit 1", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "disk" && pool.Driver == "dir" {
				t.Skip("a pool of driver dir has no disk limits")
			}
			s := busybox(test.script)
			if test.edit != nil {
				test.edit(&s)
			}
			ended, _, errOut := run(t, c, s)
			if ended.Exit != test.exit || ended.Reason != test.want {
				t.Errorf("exit %d, reason %q, want %d, %q", ended.Exit, ended.Reason, test.exit, test.want)
			}
			if test.want != "" && !strings.HasSuffix(errOut, "pushlane: "+test.want+"\n") {
				t.Errorf("stderr %q does not end with the reason", errOut)
			}
		})
	}
}

func TestCancelWhileStarting(t *testing.T) {
	c := needIncus(t, testConfig(t))
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond,
		250 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeoutCause(context.Background(), after, context.Canceled)
			defer cancel()
			if _, err := c.Run(ctx, busybox("sleep 1000"), nil, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("err = %v, want context.Canceled", err)
			}
		})
	}
}

func TestCaches(t *testing.T) {
	c := needIncus(t, testConfig(t))
	use := func(in zone.Zone, script string) string {
		s := busybox(script)
		s.Zone, s.Caches = in, append(s.Caches, cacheAt("go", "/var/cache/go"))
		_, out, errOut := run(t, c, s)
		return out + errOut
	}
	main := zone.Zone{Repository: "/srv/a", Trust: zone.Protected}
	if got := use(main, "echo kept > /var/cache/go/f; echo ok"); got != "ok\n" {
		t.Errorf("first use: %q", got)
	}
	if got := use(main, "cat /var/cache/go/f"); got != "kept\n" {
		t.Errorf("second use: %q, want kept", got)
	}
	for _, other := range []zone.Zone{{Repository: "/srv/b", Trust: zone.Protected}, {Repository: "/srv/a"}} {
		if got := use(other, "ls /var/cache/go | wc -l; echo poison > /var/cache/go/f"); got != "0\n" {
			t.Errorf("zone %s sees %q files, want 0", other.Key(), got)
		}
	}
	if got := use(main, "cat /var/cache/go/f"); got != "kept\n" {
		t.Errorf("after others wrote theirs: %q, want kept", got)
	}
}

func TestSourceThatCannotBeRead(t *testing.T) {
	c := needIncus(t, testConfig(t))
	for name, src := range map[string]Source{
		"at once":            brokenSource{0},
		"in the middle":      brokenSource{smallTree + 4096},
		"an id that is none": namedSource{"../x", files{}},
	} {
		s := busybox("true")
		s.Source = src
		if _, err := c.Run(context.Background(), s, nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		} else if name != "an id that is none" && !strings.Contains(err.Error(),
			"cannot read the source: object is missing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSkipIsLoud(t *testing.T) {
	if os.Getenv("PUSHLANE_REQUIRE_INCUS") == "" {
		t.Skip("nothing is required here")
	}
	needIncus(t, testConfig(t))
}
