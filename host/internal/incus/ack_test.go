package incus

import (
	"bytes"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
)

// The handshake between the wrapper and the host, with a shell of this machine:
// every split of the streams, and every way in which a command ends.
func TestAck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		argv     []string
		exit     int
		out, err string
		why      string
	}{
		"output and status":       {[]string{"sh", "-c", "echo out; echo err >&2; exit 3"}, 3, "out\n", "err\n", ""},
		"no end of line":          {[]string{"printf", "half"}, 0, "half", "", ""},
		"no output":               {[]string{"true"}, 0, "", "", ""},
		"arguments as they are":   {[]string{"printf", "%s|", "a  b", "$x", `"`}, 0, `a  b|$x|"|`, "", ""},
		"no such command":         {[]string{"no-such-command"}, 0, "", "", "no such command"},
		"no such file":            {[]string{"/no/such"}, 0, "", "", "no such command"},
		"no program":              {[]string{"/etc/passwd"}, 0, "", "", "it is not a program, or may not be run"},
		"standard input is empty": {[]string{"cat"}, 0, "", "", ""},
		"what looks like a mark":  {[]string{"printf", `\001\002\001\002`}, 0, "\x01\x02\x01\x02", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAck()
			argv := a.wrap(plainGuest(), c.argv)
			var out, errOut bytes.Buffer
			cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = a, bytewise{a.until(&out)}, a.until(&errOut)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			err := cmd.Run()
			if exit, ok := err.(*exec.ExitError); err != nil && !ok {
				t.Fatal(err, exit)
			}
			exit, err := a.outcome(cmd.ProcessState.ExitCode(), nil)
			why := ""
			if err != nil {
				why = err.Error()
			}
			if exit != c.exit || out.String() != c.out || errOut.String() != c.err || why != c.why || !a.complete() {
				t.Errorf("exit %d, stdout %q, stderr %q, %q; want %d, %q, %q, %q", exit, out.String(), errOut.String(), why, c.exit,
					c.out, c.err, c.why)
			}
		})
	}
}

// bytewise writes one byte at a time, so that the mark is split everywhere.
type bytewise struct {
	w interface{ Write([]byte) (int, error) }
}

func (b bytewise) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := b.w.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// Many short commands on a busy machine: not a line may be missing.
func TestNoOutputIsLost(t *testing.T) {
	c := needIncus(t, testConfig(t))
	var stop atomic.Bool
	defer stop.Store(true)
	for range 4 {
		go func() {
			for !stop.Load() { // a processor kept busy
			}
		}()
	}
	n := 6
	if os.Getenv("CI") != "" {
		n = 12
	}
	for i := range n {
		ended, out, errOut := run(t, c, busybox("echo one; echo two; echo three >&2"))
		if ended.Exit != 0 || out != "one\ntwo\n" || errOut != "three\n" {
			t.Fatalf("run %d: exit %d, stdout %q, stderr %q", i, ended.Exit, out, errOut)
		}
	}
}
