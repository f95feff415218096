package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/store"
)

// CheckIncus looks at what containers depend on: the daemon, the project, the
// pool, the image (empty: the default one).
func CheckIncus(ctx context.Context, getenv func(string) string, image string) []Check {
	policy, err := LoadPolicy(getenv)
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
	for _, c := range client.Check(ctx, orDefault(image)) {
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
func (h *Host) Collect(ctx context.Context, p Policy) ([]string, error) {
	broken, err := h.endAbandoned(ctx)
	if err != nil {
		return broken, err
	}
	client, err := h.incusClient(ctx, p)
	if err != nil {
		return broken, err
	}
	swept, err := client.Sweep(ctx)
	lines := broken
	for _, s := range swept {
		lines = append(lines, fmt.Sprintf("removed container %s of %s: %s", s.Name, s.Lane, s.Why))
	}
	if err != nil {
		return lines, err
	}
	st, err := h.Store(ctx)
	if err != nil {
		return lines, err
	}
	if p.KeepRuns > 0 {
		if _, err := st.Forget(ctx, time.Now().Add(-p.KeepRuns)); err != nil {
			return lines, err
		}
	}
	n, err := h.dropOldLogs(p.KeepRuns)
	if n > 0 {
		lines = append(lines, fmt.Sprintf("removed the logs of %s older than %s", count(n, "run"), p.KeepRuns))
	}
	return lines, err
}

// dropOldLogs removes the files of runs that ended before the policy's time;
// their verdicts and decisions stay in the store.
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
		err := st.Record(ctx, r.ID, store.End{State: store.Broken, Exit: ExitUndecided, At: time.Now(), Message: "its host process is gone"})
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
