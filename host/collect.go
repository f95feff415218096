package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/pushlane/pushlane/host/internal/alive"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/printable"
)

// Collect removes what was left behind: containers, runs that a killed host
// never ended, runs and logs older than the policy keeps.
func (h *Host) Collect(ctx context.Context, p config.Policy) ([]string, error) {
	lines, err := upkeep{h}.endAbandoned(ctx)
	if err != nil {
		return lines, err
	}
	old, err := upkeep{h}.dropOld(ctx, p)
	swept, sweepErr := upkeep{h}.sweep(ctx, p)
	if err = errors.Join(err, sweepErr); err == nil {
		err = alive.Clean(h.marks(), 2*24*time.Hour) // nothing is left of those processes
	}
	return slices.Concat(lines, swept, old), err
}

// sweep removes what earlier runs left in Incus.
func (h upkeep) sweep(ctx context.Context, p config.Policy) (lines []string, err error) {
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
func (h upkeep) dropOld(ctx context.Context, p config.Policy) (lines []string, err error) {
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
			lines = []string{
				"nothing is removed by age: the clock was changed after this host started; restart the host if the clock is right"}
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
		_, forgetErr := st.Results().DropUnused(ctx, before)
		err = errors.Join(dropErr, forgetErr, h.dropVerdicts(ctx, st, before, time.Now()))
	}
	n, logErr := h.files.DropOldLogs(p.KeepRuns)
	if n > 0 {
		lines = append(lines, fmt.Sprintf("removed the logs of %s older than %s", printable.Count(n, "run"), p.KeepRuns))
	}
	n, roomErr := h.files.DropLargeLogs(p, time.Now())
	if n > 0 {
		lines = append(lines,
			fmt.Sprintf("removed the logs of the %s that ended first: all together took more than %s (limits.logs_total)",
				printable.Count(n, "run"), p.MaxLogsTotal))
	}
	return lines, errors.Join(err, logErr, roomErr)
}

// maxStep is how far the clock may differ from the time that has passed.
const maxStep = time.Hour

// clockWasSet tells whether the clock was set by more than maxStep since this
// host was started, or the machine was asleep: ages are not to be believed then.
func (h upkeep) clockWasSet(now time.Time) bool {
	return now.Round(0).Sub(h.since.Round(0))-now.Sub(h.since) > maxStep
}
