package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Begin keeps a new run: its number, updates, a lane run per picked lane, and
// the decision about every lane as an event. All or nothing. With Waiting it
// takes what it supersedes out of older queued runs.
func (s *Store) Begin(ctx context.Context, n NewRun) (Run, error) {
	if n.RepoKey == "" {
		return Run{}, errors.New("cannot begin a run: it has no repository")
	}
	return s.begin(ctx, "begin a run of "+n.RepoName, n)
}

func (s *Store) begin(ctx context.Context, verb string, n NewRun, first ...Event) (Run, error) {
	run := n.run()
	var superseded []int64
	err := s.db.inTx(ctx, func(q *session) (err error) {
		superseded, err = q.insertRun(&run, n.Lanes, n.Retakes, first)
		return err
	})
	if errors.Is(err, ErrKnown) {
		known, err := s.RunByID(ctx, run.ID)
		return known, errors.Join(err, ErrKnown)
	}
	if err != nil {
		return Run{}, s.db.writeError(verb, err)
	}
	if run.Waiting {
		s.db.bell.ring()
	}
	s.db.watch.changed(append(superseded, run.ID)...)
	return run, nil
}

func (n NewRun) run() Run {
	run := Run{
		RepoKey: n.RepoKey, RepoName: n.RepoName, Gate: n.Gate, Remote: n.Remote, Pusher: n.Pusher, Skip: n.Skip,
		Origin: n.Origin, Priority: n.Priority, RerunOf: n.RerunOf, Waiting: n.Waiting,
		State: Running, Queued: orNow(n.At).Truncate(time.Millisecond), Host: n.Host, Updates: n.Updates,
	}
	run.Started = run.Queued
	if n.Waiting {
		run.State, run.Started = Queued, time.Time{}
	}
	if run.Host == (Host{}) {
		run.Host = ThisHost()
	}
	return run
}

// insertRun gives the run its number first. That locks the repository's row,
// so that nothing below races with another Begin.
func (q *session) insertRun(run *Run, lanes []NewLane, retakes bool, first []Event) (superseded []int64, err error) {
	var repo int64
	err = q.row([]any{&repo, &run.Number}, `INSERT INTO repositories (key, name, last_number) VALUES (?, ?, 1)
		ON CONFLICT (key) DO UPDATE SET name = excluded.name, last_number = repositories.last_number + 1
		RETURNING id, last_number`, run.RepoKey, run.RepoName)
	if err == nil && run.Origin != "" {
		err = q.origin(repo, run, retakes)
	}
	if err == nil {
		err = q.value(&run.ID,
			`INSERT INTO runs (repository, number, gate, remote, pusher, state, skip_reason, queued, started,
			host_pid, host_start, host_boot, host_space, waiting, protected, origin, priority, rerun_of)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			repo, run.Number, run.Gate, run.Remote, run.Pusher, string(run.State), run.Skip, millis(run.Queued),
			millis(run.Started),
			run.Host.PID, run.Host.Start, run.Host.Boot, run.Host.Space, run.Waiting, run.Protected(), run.Origin, run.Priority,
			run.RerunOf)
	}
	if err == nil {
		err = q.insertUpdates(run)
	}
	if err == nil {
		err = q.insertLanes(run, lanes, first)
	}
	if err == nil && run.Waiting {
		err = q.tellQueued()
	}
	if err == nil && run.Waiting && run.RerunOf == 0 {
		superseded, err = q.supersede(repo, run, lanes)
	}
	return superseded, err
}

// origin refuses a second run of the same origin, or takes it from the first
// one, and notes when a schedule fired: that must outlive the run.
func (q *session) origin(repo int64, run *Run, retakes bool) error {
	err := q.value(&run.ID, `SELECT id FROM runs WHERE repository = ? AND origin = ? AND origin <> ''`, repo, run.Origin)
	if err == nil && retakes {
		_, err = q.exec(`UPDATE runs SET origin = '' WHERE id = ?`, run.ID)
		return err
	}
	if err == nil {
		return ErrKnown
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	rest, ok := strings.CutPrefix(run.Origin, "schedule:")
	lane, minute, cut := strings.Cut(rest, ":")
	if !ok || !cut {
		return nil
	}
	at, err := time.Parse(time.RFC3339, minute)
	if err != nil {
		return fmt.Errorf("its origin %q names no minute", run.Origin)
	}
	_, err = q.exec(
		`INSERT INTO schedules (repository, lane, fired) VALUES (?, ?, ?) ON CONFLICT (repository, lane) DO UPDATE
		SET fired = CASE WHEN schedules.fired < excluded.fired THEN excluded.fired ELSE schedules.fired END`, repo, lane,
		millis(at))
	return err
}

func (q *session) insertUpdates(run *Run) error {
	for i, u := range run.Updates {
		sum, err := q.keepLanesFile(u.Lanes)
		if err != nil {
			return err
		}
		_, err = q.exec(`INSERT INTO updates (run, position, ref, old, new, base, forced, protected, lanes_rev, lanes_sha)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, run.ID, i, u.Ref, u.Old, u.New, u.Base, u.Forced, u.Protected, u.LanesRev,
			sum)
		if err != nil {
			return err
		}
	}
	return nil
}

// keepLanesFile keeps a text once, however many runs it judges.
func (q *session) keepLanesFile(f LanesFile) (sum string, err error) {
	if f.Source == "" && len(f.Text) == 0 {
		return "", nil
	}
	h := sha256.Sum256([]byte(f.Source + "\x00" + string(f.Text)))
	sum = hex.EncodeToString(h[:])
	_, err = q.exec(`INSERT INTO lanes_files (sha256, source, text) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING`,
		sum, f.Source, append([]byte{}, f.Text...))
	return sum, err
}

func (q *session) insertLanes(run *Run, lanes []NewLane, first []Event) error {
	rec := &recorder{session: q, run: run.ID}
	if run.Skip != "" {
		first = append(first, Event{Kind: "skip", Message: run.Skip})
	}
	for _, e := range first {
		e.At = run.Queued
		if err := rec.event(e); err != nil {
			return err
		}
	}
	for _, n := range lanes {
		if n.Update < -1 || n.Update >= len(run.Updates) {
			return fmt.Errorf("lane %q names update %d of %d", n.Lane, n.Update, len(run.Updates))
		}
		e := Event{Lane: n.Lane, Kind: "not picked", At: run.Queued, Message: n.Reason}
		if n.Picked {
			lane, err := rec.insertLane(laneRun(*run, n))
			if err != nil {
				return err
			}
			run.Lanes = append(run.Lanes, lane)
			e.LaneRun, e.Kind = lane.ID, "picked"
		}
		if err := rec.event(e); err != nil {
			return err
		}
	}
	run.Total = len(run.Lanes)
	return nil
}

func laneRun(run Run, n NewLane) LaneRun {
	return LaneRun{
		Run: run.ID, Update: n.Update, Lane: n.Lane, Title: n.Title, Attempt: 1, Path: n.Path, Glob: n.Glob,
		Reason: n.Reason, Plugin: n.Plugin, State: Queued, Required: n.Required, Queued: run.Queued,
		Supersede: n.Supersede, Group: n.Group,
	}
}
