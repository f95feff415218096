package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// maxCatchUp is how far back a schedule is checked: what was due while the host
// was down is run once, not what was due before that.
const maxCatchUp = 7 * 24 * time.Hour

// runSchedules begins a run of every lane of every guarded repository whose
// schedule named a minute since it last ran. A minute is run once, whatever
// the clock does and however many hosts look.
func (h schedules) runSchedules(ctx context.Context, now time.Time) error {
	st, err := h.Store(ctx)
	if err != nil {
		return err
	}
	repos, err := st.Repositories().List(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range repos {
		if !r.Served {
			continue
		}
		if err := h.runSchedulesOf(ctx, st, r.Key, now); err != nil {
			errs = append(errs, fmt.Errorf("%s: cannot read its schedules: %w", r.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (h schedules) runSchedulesOf(ctx context.Context, st *store.Store, key string, now time.Time) error {
	repo, release, err := h.repo(ctx, ownCall("schedule", key))
	if err != nil {
		return err
	}
	defer release()
	root, err := gate.ScheduledUpdate(ctx, repo, h.policy, st.Repositories())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, l := range root.Set.Lanes {
		if l.Schedule == "" || !slices.Contains(l.On, "schedule") {
			continue
		}
		if err := h.trigger(ctx, st, repo, root, l, now); err != nil {
			return err
		}
	}
	return nil
}

// trigger begins the run of one lane when it is due.
func (h schedules) trigger(ctx context.Context, st *store.Store, repo *hooks.Repo, u gate.Update, l lanes.Lane,
	now time.Time) error {
	schedule, err := lanes.ParseSchedule(l.Schedule)
	if err != nil {
		return err
	}
	last, err := st.Repositories().Fired(ctx, repo.CommonDir(), l.ID)
	if err != nil {
		return err
	}
	switch {
	case last.IsZero() || now.Sub(last) > maxCatchUp:
		last = h.since
	case last.After(now): // the clock was ahead once: do not wait for it
		last = now.Add(-2 * time.Minute)
	}
	due, ok := lastDue(schedule, last, now)
	if !ok {
		return nil
	}
	j := gate.Run{Repo: h.policy.RepositoryTitle(repo), GitDir: repo.CommonDir(), Gate: "schedule", Started: now,
		Policy: h.policy}
	picked := lanes.Picked{Lane: l, Picked: true, Reason: "due at " + due.UTC().Format("2006-01-02 15:04") + " UTC"}
	u.Picked = []lanes.Picked{picked}
	j.Updates = []gate.Update{u}
	j.Plan(func(int, lanes.Lane) bool { return false })
	n := record.New(repo, &j)
	n.Waiting, n.Origin = true, fmt.Sprintf("schedule:%s:%s", l.ID, due.UTC().Format(time.RFC3339))
	run, err := st.Begin(ctx, n)
	if errors.Is(err, store.ErrKnown) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.tell(ctx, run.ID, Observer.Queued)
}

// lastDue is the newest minute after last, up to now, that a schedule names.
func lastDue(s lanes.Schedule, last, now time.Time) (time.Time, bool) {
	last = last.UTC().Truncate(time.Minute)
	for t := now.UTC().Truncate(time.Minute); t.After(last) && now.Sub(t) <= maxCatchUp; t = t.Add(-time.Minute) {
		if s.Matches(t) {
			return t, true
		}
	}
	return time.Time{}, false
}
