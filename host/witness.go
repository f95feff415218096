package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
)

// The highest run that was recorded is noted outside of the database: one that
// was emptied, set back or restored has fewer runs than that, which it does not
// know itself. Numbers of runs name folders, and are not given again.

func (h *Host) witnessPath() string { return filepath.Join(h.state, "last-run") }

// lossPath says what the database has lost, until its owner removes it.
func (h *Host) lossPath() string { return filepath.Join(h.state, "store.lost") }

// noteRun notes that a run is recorded. This is only a note: a crash may
// lose it.
func (h *Host) noteRun(st *store.Store, run int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if where, last := h.noted(); where == st.Path() && last >= run {
		return
	}
	_ = os.WriteFile(h.witnessPath(), fmt.Appendf(nil, "%d %s\n", run, st.Path()), 0o600)
}

// noted is the database and run of the note; 0: there is none.
func (h *Host) noted() (where string, last int64) {
	data, _ := os.ReadFile(h.witnessPath())
	number, where, _ := strings.Cut(strings.TrimSuffix(string(data), "\n"), " ")
	last, _ = strconv.ParseInt(number, 10, 64)
	return where, last
}

// compareStore looks whether the database has all runs that were noted. Where
// it has not, that is written down and their numbers are skipped.
func (h *Host) compareStore(ctx context.Context, st *store.Store) error {
	where, noted := h.noted()
	if where == "" { // a state folder of before there was a note
		where, noted = st.Path(), h.highestFolder()
	}
	if where != st.Path() || noted == 0 {
		return nil
	}
	last, err := st.LastRun(ctx)
	if err != nil || last >= noted {
		return err
	}
	text := fmt.Sprintf("%s: the database %s knows runs up to %d, and runs up to %d were recorded\n",
		time.Now().UTC().Format(time.RFC3339), st.Path(), last, noted)
	if err := writeDurably(h.lossPath(), []byte(text)); err != nil {
		return fmt.Errorf("cannot record that runs are lost: %w", err)
	}
	return st.SkipTo(ctx, noted)
}

// highestFolder is the highest run with a folder.
func (h *Host) highestFolder() (highest int64) {
	folders, _ := os.ReadDir(filepath.Join(h.state, "runs"))
	for _, f := range folders {
		if n, err := strconv.ParseInt(f.Name(), 10, 64); err == nil {
			highest = max(highest, n)
		}
	}
	return highest
}

// StoreLoss is what the database has lost; nil: nothing, or its owner knows.
func (h *Host) StoreLoss() error {
	data, err := os.ReadFile(h.lossPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return problem.WithHint(fmt.Errorf("runs are lost: %s", printable.Clean(strings.TrimSpace(string(data)))),
		"restore a backup (host/SERVER.md, Backup), or continue without them: rm "+h.lossPath())
}
