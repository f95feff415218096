package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/alive"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// CheckIncus looks at what containers depend on: the daemon, the project, the
// pool, the image (empty: the default one).
func CheckIncus(ctx context.Context, getenv func(string) string, image string) []Check {
	policy, err := config.Load(getenv)
	if err != nil {
		return []Check{bad("policy", err, "")}
	}
	config := (&Host{state: policy.State}).incusConfig(policy)
	client, err := incus.Connect(ctx, config)
	if err != nil {
		return []Check{bad("incus", err, "./install.sh")}
	}
	defer client.Close()
	var checks []Check
	for _, c := range client.Check(ctx, lanerun.OrDefault(image)) {
		if c.Err != nil {
			checks = append(checks, bad(c.Name, c.Err, "./install.sh"))
		} else {
			checks = append(checks, Check{Name: c.Name, OK: true, Warn: c.Warn, Message: c.Message, Hint: c.Hint})
		}
	}
	return checks
}

// Collect removes what was left behind: containers, runs that a killed host
// never ended, runs and logs older than the policy keeps.
func (h *Host) Collect(ctx context.Context, p config.Policy) ([]string, error) {
	lines, err := h.endAbandoned(ctx)
	if err != nil {
		return lines, err
	}
	old, err := h.dropOld(ctx, p)
	swept, sweepErr := h.sweep(ctx, p)
	if err = errors.Join(err, sweepErr); err == nil {
		err = alive.Clean(h.marks(), 2*24*time.Hour) // nothing is left of those processes
	}
	return slices.Concat(lines, swept, old), err
}

// sweep removes what earlier runs left in Incus.
func (h *Host) sweep(ctx context.Context, p config.Policy) (lines []string, err error) {
	client, err := h.incusClient(ctx, p)
	if err != nil {
		return nil, err
	}
	swept, err := client.Sweep(ctx)
	for _, s := range swept {
		lines = append(lines, fmt.Sprintf("removed container %s of %s: %s", s.Name, s.Lane, s.Why))
	}
	return lines, err
}

// dropOld removes what the policy keeps for a time or to a size: runs, their
// files, cached results, compiled modules.
func (h *Host) dropOld(ctx context.Context, p config.Policy) (lines []string, err error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	pool := h.pool
	h.mu.Unlock()
	if pool != nil {
		pool.Prune()
	}
	if h.clockWasSet(time.Now()) {
		h.clockTold.Do(func() {
			lines = []string{"nothing is removed by its age: the clock was set since this host was started; start it again where the clock is right"}
		})
		return lines, nil
	}
	if p.KeepRuns > 0 {
		before := time.Now().Add(-p.KeepRuns)
		ids, dropErr := st.DropRuns(ctx, before)
		if len(ids) > 0 {
			lines = append(lines, fmt.Sprintf("removed %s older than %s", printable.Count(len(ids), "run"), p.KeepRuns))
		}
		for _, id := range ids {
			dropErr = errors.Join(dropErr, os.RemoveAll(lanerun.Folder(h.state, id)))
		}
		_, forgetErr := st.Forget(ctx, before)
		err = errors.Join(dropErr, forgetErr, h.dropVerdicts(ctx, st, before, time.Now()))
	}
	n, logErr := h.dropOldLogs(p.KeepRuns)
	if n > 0 {
		lines = append(lines, fmt.Sprintf("removed the logs of %s older than %s", printable.Count(n, "run"), p.KeepRuns))
	}
	n, roomErr := h.dropLargeLogs(p, time.Now())
	if n > 0 {
		lines = append(lines, fmt.Sprintf("removed the logs of the %s that ended first: all together took more than %s (limits.logs_total)",
			printable.Count(n, "run"), p.MaxLogsTotal))
	}
	return lines, errors.Join(err, logErr, roomErr)
}

// maxStep is how far the clock may differ from the time that has passed.
const maxStep = time.Hour

// clockWasSet tells whether the clock was set by more than maxStep since this
// host was started, or the machine was asleep: ages are not to be believed then.
func (h *Host) clockWasSet(now time.Time) bool {
	return now.Round(0).Sub(h.since.Round(0))-now.Sub(h.since) > maxStep
}

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

// endAbandoned marks the runs of hosts that are gone as broken: the machinery
// failed them, nobody said no.
func (h *Host) endAbandoned(ctx context.Context) ([]string, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := st.Abandoned(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, r := range runs {
		err := st.Record(ctx, r.ID, store.End{State: store.Broken, Exit: gate.ExitUndecided, At: time.Now(), Message: "its host process is gone"})
		if errors.As(err, new(*store.ConflictError)) {
			continue // another host was first
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("run #%d of %s is broken: its host process is gone", r.Number, r.RepoName))
	}
	return lines, nil
}
