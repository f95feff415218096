package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
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

// goneHere is gone where several machines share the database: another boot
// may be another machine, of which nothing can be told.
func (h Host) goneHere(now Host) bool { return h.Boot != "" && h.Boot == now.Boot && h.gone(now) }

// claimState is what tells whether a claim is lost.
type claimState struct {
	host     Host
	lease    time.Time
	cancelBy string
	shared   bool // by several machines
	now      time.Time
}

func (q *session) claimOf(run int64) (claimState, error) {
	now, err := q.now()
	if err != nil {
		return claimState{}, err
	}
	c := claimState{now: now, shared: q.dialect.postgres}
	err = q.row(c.dest(), `SELECT `+claimColumns+` FROM runs r WHERE r.id = ?`, run)
	return c, err
}

// claimColumns are what dest reads.
const claimColumns = `r.host_pid, r.host_start, r.host_boot, r.host_space, r.lease, r.cancel_by`

func (c *claimState) dest() []any {
	return []any{&c.host.PID, &c.host.Start, &c.host.Boot, &c.host.Space, stamp{&c.lease}, &c.cancelBy}
}

// lost: its lease has ended, or its process is gone. A run that was never
// claimed has no lease to end.
func (c claimState) lost(here Host) bool {
	if !c.lease.IsZero() && !c.now.Before(c.lease) {
		return true
	}
	if c.shared {
		return c.host.goneHere(here)
	}
	return c.host.gone(here)
}

// Lost lists claimed runs, with their lane runs, whose lease has ended or
// whose process is gone, oldest first. Where machines share the database only
// the lease tells of another machine. Requeue is the caller's part, and looks
// again; what else is written about one goes through Holding, so that who has
// claimed it since is left alone.
func (s *Store) Lost(ctx context.Context) ([]Run, error) {
	open, err := s.openRuns(ctx, true)
	var now time.Time
	if err == nil {
		now, err = s.reading(ctx).now()
	}
	var lost []Run
	for _, r := range open {
		c := claimState{host: r.Host, lease: r.Lease, shared: s.dialect.postgres, now: now}
		if err == nil && r.State == Running && c.lost(ThisHost()) {
			r.Lanes, err = s.LaneRuns(ctx, r.ID)
			lost = append(lost, r)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list lost runs: %w", err)
	}
	return lost, nil
}

// abandonedAfter is when a run of another machine, which has no lease, is
// given up: no gate keeps a pusher waiting for so long.
const abandonedAfter = 24 * time.Hour

// Abandoned lists the open runs that were not made to be claimed and whose
// process is gone, oldest first. Where machines share the database, those of
// another machine only after a day. Ending one is the caller's part; of two
// that try, the second gets a ConflictError.
func (s *Store) Abandoned(ctx context.Context) ([]Run, error) {
	open, err := s.openRuns(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("cannot list open runs: %w", err)
	}
	here := ThisHost()
	var gone []Run
	for _, r := range open {
		dead := r.Host.gone(here)
		if s.dialect.postgres {
			dead = r.Host.goneHere(here) || r.Host.Boot != here.Boot && time.Since(r.Queued) > abandonedAfter
		}
		if dead {
			gone = append(gone, r)
		}
	}
	return gone, nil
}

func (s *Store) openRuns(ctx context.Context, waiting bool) ([]Run, error) {
	return s.runs(ctx, runQuery+` WHERE r.waiting = ? AND r.state IN ('queued', 'running') ORDER BY r.id`, waiting)
}
