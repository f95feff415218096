package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// protocol changes with what the host and its workers say to each other.
const protocol = 1

// wazeroVersion is that of go.mod: a worker loads code that another one compiled.
const wazeroVersion = "v1.12.0"

// build tells programs apart that must not work together.
func build() string {
	return fmt.Sprintf("protocol %d, %s, wazero %s", protocol, runtime.Version(), wazeroVersion)
}

// program is what workers are started from. The file is held open, so that a
// host that lives on starts the program it was installed with, also after a
// newer one was put in its place.
type program struct {
	path string
	file *os.File // nil: path is /proc/self/exe, or a path that a caller named
}

func (p program) Close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// firstFree is above the file descriptors that a worker gets: a path that
// names a lower one would name another file in it.
const firstFree = 16

// openProgram finds the program of workers: the one that is named, the small
// one next to this program, or this program itself.
func openProgram(named string) (program, error) {
	self, err := os.Executable()
	if named != "" || err != nil {
		return program{path: named}, err
	}
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		return program{path: self}, nil
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	fd, err := syscall.Open(filepath.Join(filepath.Dir(self), argv0), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return program{path: "/proc/self/exe"}, nil
	}
	defer syscall.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, firstFree)
	if err != nil {
		return program{}, err
	}
	path := "/proc/self/fd/" + strconv.Itoa(high)
	return program{path, os.NewFile(uintptr(high), argv0)}, nil
}
