package incus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/alive"
)

// TestMain lets the test binary be the host process that is killed.
func TestMain(m *testing.M) {
	if owner := os.Getenv("PUSHLANE_TEST_VICTIM"); owner != "" {
		c, err := Connect(context.Background(), Config{Owner: owner, Socket: os.Getenv("PUSHLANE_INCUS_SOCKET")})
		if err == nil {
			_, err = c.Run(context.Background(), busybox("echo running; sleep 1000"), os.Stdout, os.Stderr)
		}
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestSweepAfterAKilledHost(t *testing.T) {
	cfg := testConfig(t)
	c := needIncus(t, cfg)
	ctx := context.Background()
	var out syncBuffer
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "PUSHLANE_TEST_VICTIM="+cfg.Owner)
	victim.Stdout, victim.Stderr = &out, &out
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "output of the command", func() bool { return strings.Contains(out.String(), "running") })
	if swept, err := c.Sweep(ctx); err != nil || len(swept) != 0 {
		t.Errorf("sweeping under a living host: %v, %v", swept, err)
	}
	victim.Process.Signal(syscall.SIGKILL)
	victim.Wait()
	other, err := Connect(ctx, Config{Owner: cfg.Owner + "-other", Socket: cfg.Socket})
	if err != nil {
		t.Fatal(err)
	}
	if swept, err := other.Sweep(ctx); err != nil || len(swept) != 0 {
		t.Errorf("another owner sweeps: %v, %v", swept, err)
	}
	swept, err := c.Sweep(ctx)
	if err != nil || len(swept) != 1 {
		t.Fatalf("swept %v, %v, want one", swept, err)
	}
	if s := swept[0]; !strings.HasPrefix(s.Name, "pl-test-c-1-") || s.Lane != "repo@abc1234:test" ||
		!strings.HasPrefix(s.Why, "its process ") || !strings.HasSuffix(s.Why, " is gone") {
		t.Errorf("swept %+v", s)
	}
	if swept, err := c.Sweep(ctx); err != nil || len(swept) != 0 {
		t.Errorf("sweeping again: %v, %v", swept, err)
	}
}

func TestTheCommandDiesWithTheHost(t *testing.T) {
	cfg := testConfig(t)
	c := needIncus(t, cfg)
	ctx := context.Background()
	var out syncBuffer
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "PUSHLANE_TEST_VICTIM="+cfg.Owner)
	victim.Stdout, victim.Stderr = &out, &out
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "output of the command", func() bool { return strings.Contains(out.String(), "running") })
	victim.Process.Signal(syscall.SIGKILL)
	victim.Wait()
	instances, err := c.conn.srv.GetInstances("container")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range instances {
		if i.Config[labelOwner] != cfg.Owner {
			continue
		}
		b := &box{c: c, name: i.Name}
		waitFor(t, "end of the command", func() bool {
			var ps syncBuffer
			exit, err := b.exec(ctx, command{argv: []string{"sh", "-c", "ps | grep -c '[s]leep 1000'"}, stdout: &ps})
			return err == nil && exit == 1 && ps.String() == "0\n"
		})
	}
	if swept, err := c.Sweep(ctx); err != nil || len(swept) != 1 {
		t.Errorf("swept %v, %v, want one", swept, err)
	}
}

func TestLeftBehind(t *testing.T) {
	self := alive.Self()
	marks := t.TempDir()
	held, err := alive.Mark(marks)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	c := &Client{conn: &connection{cfg: Config{Owner: "me", Hosts: marks}}, boxes: map[string]bool{"pl-mine": true}}
	living := exec.Command("sleep", "60")
	if err := living.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { living.Process.Kill(); living.Wait() }()
	other := strings.Join([]string{self.Boot, strings.Trim(self.Space, "pid:[]"), fmt.Sprint(living.Process.Pid), ""}, "/")
	left := leaveMark(t, marks)
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	gone := strings.Join([]string{self.Boot, strings.Trim(self.Space, "pid:[]"), "1", "0"}, "/")
	for name, test := range map[string]struct {
		owner, process, deadline, want string
	}{
		"ours, running":                    {"me", processLabel(), "2030-01-01T13:00:00Z", ""},
		"ours, made after it was given up": {"me", processLabel(), "2030-01-01T11:57:00Z", "its deadline passed 3m0s ago"},
		"of another living process":        {"me", other, "2030-01-01T11:57:00Z", ""},
		"of a container that was killed":   {"me", left, "2030-01-01T13:00:00Z", "its process 5 is gone"},
		"ours, its process is another one": {"me", gone, "2030-01-01T13:00:00Z", "its process 1 is gone"},
		"ours, from another boot":          {"me", "other-boot/1/1/1", "2030-01-01T13:00:00Z", ""},
		"ours, from another boot, too old": {"me", "other-boot/1/1/1", "2030-01-01T11:00:00Z",
			"its deadline passed 1h0m0s ago"},
		"ours, from another namespace": {"me", self.Boot + "/1/1/1", "2030-01-01T13:00:00Z", ""},
		"another's":                    {"you", gone, "2000-01-01T00:00:00Z", ""},
		"a label that cannot be read":  {"me", processLabel(), "yesterday", ""},
		"no process label":             {"me", "", "2000-01-01T00:00:00Z", ""},
	} {
		if c.isOurs(name) {
			t.Errorf("%s is under way", name)
		}
		got := c.leftBehind(map[string]string{labelOwner: test.owner, labelProcess: test.process,
			labelDeadline: test.deadline}, now)
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestAClockThatIsSet: a container of a run under way is not swept, whatever its
// deadline says.
func TestAClockThatIsSet(t *testing.T) {
	c := needIncus(t, testConfig(t))
	var out syncBuffer
	spec := busybox("echo running; sleep 3")
	spec.Deadline = time.Now().Add(-2 * time.Hour) // as after a step of the clock
	ended := make(chan error, 1)
	go func() {
		_, err := c.Run(context.Background(), spec, &out, &out)
		ended <- err
	}()
	waitFor(t, "the command runs", func() bool { return strings.Contains(out.String(), "running") })
	if swept, err := c.Sweep(context.Background()); err != nil || len(swept) != 0 {
		t.Errorf("swept %v, %v", swept, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// leaveMark leaves the mark of a dead process of another namespace, and gives
// its label.
func leaveMark(t *testing.T, folder string) string {
	t.Helper()
	boot := alive.Self().Boot
	sum := sha256.Sum256([]byte(boot + "\x00pid:[7]\x005\x006"))
	if err := os.WriteFile(filepath.Join(folder, hex.EncodeToString(sum[:16])+".alive"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return boot + "/7/5/6"
}
