package sandbox

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// attacks makes this process a child that does what a plugin would do that had
// broken out of its WebAssembly, and says what came of it.
func attacks() {
	if len(os.Args) != 3 || os.Args[0] != "attacker" {
		return
	}
	cache, stage := os.Args[1], os.Args[2]
	os.Pipe()                 // Go's poller is there before, as it is in a child with its socket
	keep, _ := syscall.Dup(1) // seal closes standard output
	missing, err := confine(cache, stage == "compile")
	fmt.Println("confined", missing, err)
	if stage == "sealed" {
		os.Stdout = os.NewFile(uintptr(keep), "out")
		more, err := seal()
		fmt.Println("sealed", more, err)
	}
	try := func(what string, err error) {
		if err == nil {
			fmt.Println(what, "WORKED")
		} else {
			fmt.Println(what, "refused")
		}
	}
	_, err = os.ReadFile("/etc/passwd")
	try("read /etc/passwd", err)
	try("write elsewhere", os.WriteFile(filepath.Join(filepath.Dir(cache), "planted"), nil, 0o600))
	try("write in the cache", os.WriteFile(filepath.Join(cache, "planted"), nil, 0o600))
	_, err = os.ReadFile(filepath.Join(cache, "code"))
	try("read in the cache", err)
	_, err = net.Dial("tcp", "127.0.0.1:1")
	if err != nil && strings.Contains(err.Error(), "connection refused") {
		err = nil
	}
	try("connect", err)
	_, err = syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	try("unix socket", err)
	try("run a program", exec.Command("/bin/true").Run())
	_, _, no := syscall.RawSyscall(syscall.SYS_FORK, 0, 0, 0)
	if no == 0 {
		fmt.Println("fork WORKED")
		os.Exit(0)
	}
	try("fork", no)
	try("trace the host", syscall.PtraceAttach(os.Getppid()))
	try("kill the host", syscall.Kill(os.Getppid(), 0))
	_, err = unix.ProcessVMReadv(os.Getppid(), nil, nil, 0)
	try("read the host's memory", err)
	try("new namespace", unix.Unshare(unix.CLONE_NEWUSER))
	try("mount", unix.Mount("none", "/tmp", "tmpfs", 0, ""))
	_, _, no = syscall.RawSyscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
	try("io_uring", errOf(no))
	_, _, no = syscall.RawSyscall(unix.SYS_BPF, 0, 0, 0)
	try("bpf", errOf(no))
	os.Exit(0)
}

func errOf(no syscall.Errno) error {
	if no == 0 || no == syscall.EFAULT || no == syscall.EINVAL { // it looked at the arguments
		return nil
	}
	return no
}

// TestConfined: a child can do nothing but what it is for.
func TestConfined(t *testing.T) {
	for stage, allowed := range map[string][]string{
		"compile": {"write in the cache", "read in the cache"},
		"load":    {"read in the cache"},
		"sealed":  nil,
	} {
		t.Run(stage, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			mustCreate(t, filepath.Join(dir, "code"))
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd := &exec.Cmd{Path: exe, Args: []string{"attacker", dir, stage}, Stdout: &out, Stderr: &out}
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			text := out.String()
			if !strings.HasPrefix(text, "confined [] <nil>\n") ||
				stage == "sealed" && !strings.Contains(text, "sealed [] <nil>\n") {
				t.Fatalf("a protection is missing: %s", text)
			}
			if n := strings.Count(text, "\n"); n < 16 {
				t.Errorf("%d lines: %s", n, text)
			}
			for line := range strings.Lines(text) {
				if what, worked := strings.CutSuffix(strings.TrimSpace(line), " WORKED"); worked {
					if !strings.Contains(strings.Join(allowed, "\n"), what) {
						t.Errorf("a child could %s", what)
					}
				}
			}
			for _, what := range allowed {
				if !strings.Contains(text, what+" WORKED") {
					t.Errorf("a child could not %s", what)
				}
			}
		})
	}
}
