package incus

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The programs are what an ELF reader expects, and a shell's printf writes
// them byte by byte.
func TestLoopbackPrograms(t *testing.T) {
	t.Parallel()
	for machine, code := range map[elf.Machine][]byte{elf.EM_X86_64: codeAMD64(), elf.EM_AARCH64: codeARM64()} {
		data := program(uint16(machine), code)
		f, err := elf.NewFile(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		seg := f.Progs[0]
		if f.Machine != machine || f.Type != elf.ET_EXEC || len(f.Progs) != 1 || seg.Filesz != uint64(len(data)) ||
			f.Entry != seg.Vaddr+headers {
			t.Errorf("%v: %+v, segment %+v", machine, f.FileHeader, seg)
		}
		for kind, shell := range map[string][]string{"sh": {"sh"}, "bash": {"bash"}, "busybox": {"busybox", "sh"}} {
			out, err := exec.CommandContext(t.Context(), shell[0],
				append(shell[1:], "-c", `printf "$1"`, "x", octal(data))...).Output()
			if err != nil || !bytes.Equal(out, data) {
				t.Errorf("%s writes %d bytes, want %d: %v", kind, len(out), len(data), err)
			}
		}
	}
}

// The program of this machine's processor brings loopback up, in a namespace of
// its own.
func TestLoopbackComesUp(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, format := range loopbackPrograms() {
		name := filepath.Join(t.TempDir(), "lo")
		data, err := exec.CommandContext(t.Context(), "sh", "-c", `printf "$1"`, "x", format).Output()
		if err == nil {
			err = os.WriteFile(name, data, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `"$0" || exit 9; cat /proc/net/fib_trie`, name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
		out, err := cmd.Output()
		if cmd.ProcessState.ExitCode() == 9 {
			continue // of another processor
		}
		if tried++; err != nil || !strings.Contains(string(out), " 127.0.0.1") {
			t.Errorf("loopback is down: %v\n%s", err, out)
		}
	}
	if tried != 1 {
		t.Errorf("%d programs start here, want 1", tried)
	}
}

// In each image of install.sh a separate container reaches 127.0.0.1, which
// nothing in the image has to bring up.
func TestLoopbackInEveryImage(t *testing.T) {
	c := needIncus(t, testConfig(t))
	for _, image := range []string{"busybox", "default"} {
		if _, err := c.images.resolve(t.Context(), image); err != nil {
			t.Errorf("the image %s is not there: %v", image, err)
			continue
		}
		spec := busybox(
			"grep -q ' 127.0.0.1' /proc/net/fib_trie && grep -q 00000000000000000000000000000001 /proc/net/if_inet6")
		spec.Image = image
		ended, err := c.Run(t.Context(), spec, nil, nil)
		if err != nil || ended.Exit != 0 {
			t.Errorf("%s: exit %d, %v: %s", image, ended.Exit, err, ended.Tail)
		}
	}
}

func TestLoopbackThatStaysDownIsNamed(t *testing.T) {
	t.Parallel()
	err := prepareError("pl-x", 4, "its loopback interface stays down")
	want := "cannot prepare container pl-x: its loopback interface stays down"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
