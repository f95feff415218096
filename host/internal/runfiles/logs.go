package runfiles

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

// Logs are the paths of a run's logs.
func Logs(j *gate.Run) []string {
	var all []string
	for _, o := range j.LaneRuns {
		all = append(all, o.Log)
	}
	return all
}

// Pack compresses the logs of a run that ended. One that cannot be stays as it is.
func Pack(logs []string) {
	for _, log := range logs {
		if info, err := os.Stat(log); err == nil && info.Size() >= smallLog {
			lanelog.Compress(log)
		}
	}
}

// smallLog is the size in bytes below which a log is not worth compressing.
const smallLog = 16 << 10

// logsEvery is how often a host that stays looks how much room its logs take.
const logsEvery = 10 * time.Minute

// DropLargeLogs removes the logs of the oldest runs where all together take more
// than the policy allows. Those of the last hours stay: their lanes may run.
func (f *Files) DropLargeLogs(p config.Policy, now time.Time) (int, error) {
	f.mu.Lock()
	due := now.Sub(f.logsLooked) >= logsEvery
	if due {
		f.logsLooked = now
	}
	f.mu.Unlock()
	if !due {
		return 0, nil
	}
	most, err := incus.ParseSize(p.MaxLogsTotal)
	if err != nil {
		return 0, fmt.Errorf("the policy's limits.logs_total: %w", err)
	}
	all, total := f.logSizes()
	n := 0
	for _, one := range all {
		if total <= most || now.Sub(one.used) < p.MaxTime+time.Hour {
			break
		}
		if one.size == 0 {
			continue
		}
		if err := removeLogs(one.path); err != nil {
			return n, fmt.Errorf("cannot remove logs: %w", err)
		}
		total -= one.size
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
func (f *Files) logSizes() (all []runLogs, total int64) {
	folders, _ := os.ReadDir(filepath.Join(f.State, "runs"))
	for _, run := range folders {
		one := runLogs{path: filepath.Join(f.State, "runs", run.Name())}
		if info, err := run.Info(); err == nil {
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

// DropOldLogs removes the files of runs that ended before the policy's time,
// also of those that this database does not know.
func (f *Files) DropOldLogs(keep time.Duration) (int, error) {
	folders, err := os.ReadDir(filepath.Join(f.State, "runs"))
	if errors.Is(err, os.ErrNotExist) || keep <= 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot list logs: %w", err)
	}
	n := 0
	for _, run := range folders {
		info, err := run.Info()
		if err != nil || time.Since(info.ModTime()) < keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(f.State, "runs", run.Name())); err != nil {
			return n, fmt.Errorf("cannot remove old logs: %w", err)
		}
		n++
	}
	return n, nil
}
