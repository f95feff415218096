// Package alive reports whether a process that uses a state folder still runs,
// even if it cannot be seen: in another namespace of process ids, as in a
// container.
//
// Each such process holds a lock on its own file in one folder (Mark), which the
// kernel releases when the process ends, however it ends.
package alive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process names a process so that no later one is taken for it: a process id
// alone is given again. What the system does not tell is empty.
type Process struct {
	PID   int
	Start string // when it began, in clock ticks since boot
	Boot  string // the machine's boot
	Space string // the process id namespace
}

// Self names the calling process.
func Self() Process {
	pid := os.Getpid()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return Process{PID: pid, Start: startOf(pid), Boot: string(bytes.TrimSpace(boot)), Space: space}
}

// startOf is a process's start in clock ticks since boot, or empty. The second
// field of stat is the program's name and may hold anything, so the count
// begins after its closing bracket.
func startOf(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return ""
	}
	return string(fields[19])
}

// State is what is known of a process.
type State int

// What can be known of a process. Unmarked is one of this machine's boot that
// cannot be seen and has no mark in the folder. Elsewhere is one of another
// boot: of another machine, or of this one before it was started again.
const (
	Alive State = iota
	Dead
	Unmarked
	Elsewhere
)

// State looks for the process. Folder is where processes leave their marks; ""
// where that is not known.
func (p Process) State(folder string) State {
	self := Self()
	switch {
	case p.Boot != self.Boot:
		return Elsewhere
	case p.Space == self.Space:
		return p.seen()
	case folder == "":
		return Unmarked
	}
	return locked(p.mark(folder))
}

// seen is the state of a process of this namespace.
func (p Process) seen() State {
	if err := syscall.Kill(p.PID, 0); errors.Is(err, syscall.ESRCH) {
		return Dead
	}
	if start := startOf(p.PID); start != "" && p.Start != "" && start != p.Start {
		return Dead
	}
	return Alive
}

// mark is the file of a process.
func (p Process) mark(folder string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{p.Boot, p.Space, strconv.Itoa(p.PID), p.Start}, "\x00")))
	return filepath.Join(folder, hex.EncodeToString(sum[:16])+suffix)
}

const suffix = ".alive"

// locked tells whether a process holds the lock of a file. A file that cannot
// be looked at may be a living process's.
func locked(path string) State {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Unmarked
	}
	if err != nil {
		return Alive
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return Alive
	}
	return Dead
}

// Mark leaves the calling process's mark in a folder, which it makes. Closing
// the mark removes it.
func Mark(folder string) (io.Closer, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("cannot mark this process as alive: %w", err)
	}
	f, err := os.OpenFile(Self().mark(folder), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot mark this process as alive: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot mark this process as alive: %w", err)
	}
	return mark{f}, nil
}

type mark struct{ *os.File }

func (m mark) Close() error { return errors.Join(os.Remove(m.Name()), m.File.Close()) }

// Clean removes marks of dead processes that are older than an age: by then their
// leftovers must have been removed.
func Clean(folder string, age time.Duration) error {
	files, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		path := filepath.Join(folder, f.Name())
		info, infoErr := f.Info()
		if infoErr != nil || filepath.Ext(path) != suffix || time.Since(info.ModTime()) < age || locked(path) != Dead {
			continue
		}
		if gone := os.Remove(path); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
