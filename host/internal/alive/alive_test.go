package alive

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestState: a process that cannot be seen is judged by its mark alone, one
// that only it can see.
func TestState(t *testing.T) {
	folder, self := t.TempDir(), Self()
	held, err := Mark(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	other := Process{PID: 1, Start: "7", Boot: self.Boot, Space: "pid:[1]"} // as a container's
	left := other
	left.PID = 2
	if err := os.WriteFile(left.mark(folder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	living := other
	living.PID = 3
	lockAs(t, living, folder)
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	again := self
	again.Start = "1"
	rebooted := living
	rebooted.Boot = "another"
	for name, c := range map[string]struct {
		p      Process
		folder string
		want   State
	}{
		"this one":                  {self, folder, Alive},
		"this one, marks elsewhere": {self, "", Alive},
		"one that ended": {Process{PID: ended.Process.Pid, Start: "7", Boot: self.Boot,
			Space: self.Space}, folder, Dead},
		"its id was given again":              {again, folder, Dead},
		"of a container, its mark held":       {living, folder, Alive},
		"of a container, its mark left":       {left, folder, Dead},
		"of a container, without a mark":      {other, folder, Unmarked},
		"of a container, marks not known":     {living, "", Unmarked},
		"of a container, before the restart":  {rebooted, folder, Elsewhere},
		"of a container, no such folder":      {living, filepath.Join(folder, "x"), Unmarked},
		"nothing known but another namespace": {Process{Boot: self.Boot}, folder, Unmarked},
	} {
		if got := c.p.State(c.folder); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// lockAs holds the mark of another process.
func lockAs(t *testing.T, p Process, folder string) {
	t.Helper()
	cmd := exec.Command("flock", p.mark(folder), "sh", "-c", "echo ready; exec sleep 60")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
}

// TestKilledInAnotherNamespace is the real thing: a process in a namespace of
// its own holds its mark until it is killed.
func TestKilledInAnotherNamespace(t *testing.T) {
	if os.Getenv("ALIVE_FOLDER") != "" {
		if _, err := Mark(os.Getenv("ALIVE_FOLDER")); err != nil {
			t.Fatal(err)
		}
		self := Self()
		os.Stdout.WriteString(strconv.Itoa(self.PID) + " " + self.Start + " " + self.Space + "\n")
		select {}
	}
	folder := t.TempDir()
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", os.Args[0],
		"-test.run=TestKilledInAnotherNamespace")
	cmd.Env = append(os.Environ(), "ALIVE_FOLDER="+folder)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := Self()
	line := make([]byte, 200)
	n, _ := out.Read(line)
	fields := strings.Fields(string(line[:n]))
	if len(fields) < 3 { // no right to make a namespace
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("unshare said %q; run this test as root", line[:n])
	}
	p.PID, _ = strconv.Atoi(fields[0])
	p.Start, p.Space = fields[1], fields[2]
	if p.PID != 1 || p.State(folder) != Alive {
		t.Errorf("%+v is in state %d while it runs", p, p.State(folder))
	}
	cmd.Process.Kill()
	cmd.Wait()
	for range 200 { // its last thread may be on the way out
		if p.State(folder) != Alive {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if p.State(folder) != Dead {
		t.Errorf("%+v is in state %d after it was killed", p, p.State(folder))
	}
	if err := Clean(folder, time.Hour); err != nil || p.State(folder) != Dead {
		t.Errorf("a young mark was removed, %v", err)
	}
	if err := Clean(folder, 0); err != nil || p.State(folder) != Unmarked {
		t.Errorf("the mark of a dead process stays, %v", err)
	}
}
