package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/lanelog"
)

// packLogs compresses the logs of a run that ended, in the background.
func (h *Host) packLogs(j *gate.Run) {
	if !h.resident {
		return
	}
	h.sweeps.Go(func() {
		for _, o := range j.Outcomes {
			if info, err := os.Stat(o.Log); err != nil || info.Size() < smallLog {
				continue
			}
			lanelog.Compress(o.Log) // else it stays as it is
		}
	})
}

// smallLog is the size in bytes below which a log is not worth compressing.
const smallLog = 16 << 10

// logsEvery is how often a host that stays looks how much room its logs take.
const logsEvery = 10 * time.Minute

// dropLargeLogs removes the logs of the oldest runs where all together take more
// than the policy allows. Those of the last hours stay: their lanes may run.
func (h *Host) dropLargeLogs(p config.Policy, now time.Time) (int, error) {
	h.mu.Lock()
	due := now.Sub(h.logsLooked) >= logsEvery
	if due {
		h.logsLooked = now
	}
	h.mu.Unlock()
	if !due {
		return 0, nil
	}
	most, err := incus.ParseSize(p.MaxLogsTotal)
	if err != nil {
		return 0, fmt.Errorf("the policy's limits.logs_total: %w", err)
	}
	all, total := h.logSizes()
	n := 0
	for _, f := range all {
		if total <= most || now.Sub(f.used) < p.MaxTime+time.Hour {
			break
		}
		if f.size == 0 {
			continue
		}
		if err := removeLogs(f.path); err != nil {
			return n, fmt.Errorf("cannot remove logs: %w", err)
		}
		total -= f.size
		n++
	}
	return n, nil
}

// runLogs are the logs of one run.
type runLogs struct {
	path string // of its folder
	size int64  // bytes
	used time.Time
}

// logSizes lists what the logs of each run take, oldest first.
func (h *Host) logSizes() (all []runLogs, total int64) {
	folders, _ := os.ReadDir(filepath.Join(h.state, "runs"))
	for _, f := range folders {
		one := runLogs{path: filepath.Join(h.state, "runs", f.Name())}
		if info, err := f.Info(); err == nil {
			one.used = info.ModTime()
		}
		files, _ := os.ReadDir(one.path)
		for _, file := range files {
			if info, err := file.Info(); err == nil && isLog(file.Name()) {
				one.size += info.Size()
			}
		}
		all, total = append(all, one), total+one.size
	}
	slices.SortFunc(all, func(a, b runLogs) int { return a.used.Compare(b.used) })
	return all, total
}

// isLog: of an attempt, finished, compressed or with its end still apart.
func isLog(name string) bool {
	return strings.HasSuffix(name, ".log") || strings.Contains(name, ".log.")
}

func removeLogs(folder string) (err error) {
	files, err := os.ReadDir(folder)
	for _, f := range files {
		if isLog(f.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(folder, f.Name())))
		}
	}
	return err
}

// dropOldLogs removes the files of runs that ended before the policy's time,
// also of those that this database does not know.
func (h *Host) dropOldLogs(keep time.Duration) (int, error) {
	folders, err := os.ReadDir(filepath.Join(h.state, "runs"))
	if errors.Is(err, os.ErrNotExist) || keep <= 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot list logs: %w", err)
	}
	n := 0
	for _, f := range folders {
		info, err := f.Info()
		if err != nil || time.Since(info.ModTime()) < keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(h.state, "runs", f.Name())); err != nil {
			return n, fmt.Errorf("cannot remove old logs: %w", err)
		}
		n++
	}
	return n, nil
}
