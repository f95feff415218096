package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// Host names the process that works on a run, so that its death is noticed:
// a process id alone is given again to another process.
type Host struct {
	PID   int
	Start string // when it began, in the system's own measure
	Boot  string // the machine's boot
	Space string // the process id namespace
}

// ThisHost names the calling process. What the system does not tell is left
// empty.
func ThisHost() Host {
	pid := os.Getpid()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return Host{PID: pid, Start: startOf(pid), Boot: string(bytes.TrimSpace(boot)), Space: space}
}

// startOf is a process's start in clock ticks since boot, or empty. The
// second field of stat is the program's name and may hold anything, so the
// count begins after its closing bracket.
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

// gone reports whether the process is surely dead, seen from now. A process
// in another namespace of the same boot cannot be seen and is not called so.
func (h Host) gone(now Host) bool {
	if h.Boot != now.Boot {
		return true
	}
	if h.Space != now.Space {
		return false
	}
	if err := syscall.Kill(h.PID, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	start := startOf(h.PID)
	return start != "" && h.Start != "" && start != h.Start
}

// Abandoned lists the open runs whose process is gone, oldest first. Ending
// one is the caller's part; of two that try, the second gets a ConflictError.
func (s *Store) Abandoned(ctx context.Context) ([]Run, error) {
	open, err := s.runs(ctx, runQuery+` WHERE r.waiting = 0 AND r.state IN ('queued', 'running') ORDER BY r.id`)
	if err != nil {
		return nil, fmt.Errorf("cannot list open runs: %w", err)
	}
	now := ThisHost()
	var gone []Run
	for _, r := range open {
		if r.Host.gone(now) {
			gone = append(gone, r)
		}
	}
	return gone, nil
}
