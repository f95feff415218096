package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Repository is what is known of one repository.
type Repository struct {
	Key, Name string
	Served    bool // this server guards it
	Runs      int
	Newest    *Run // without its lane runs; nil: none
}

// Repositories are those of the store, with what is decided and done once for
// each: its trust root and its schedules.
type Repositories struct{ db *database }

// Repositories are the repositories that runs are of.
func (s *Store) Repositories() *Repositories { return &Repositories{s.db} }

// Register says that this server guards a repository, also before its first
// run.
func (s *Repositories) Register(ctx context.Context, repoKey, name string) error {
	return s.db.tell(ctx, "register "+name, `INSERT INTO repositories (key, name, served) VALUES (?, ?, TRUE)
		ON CONFLICT (key) DO UPDATE SET name = excluded.name, served = TRUE
		WHERE repositories.name <> excluded.name OR NOT repositories.served`, repoKey, name)
}

// Unregister says that it does so no more; its runs stay.
func (s *Repositories) Unregister(ctx context.Context, repoKey string) error {
	return s.db.tell(ctx, "unregister "+repoKey, `UPDATE repositories SET served = FALSE WHERE key = ?`, repoKey)
}

// List lists all repositories by name, with their newest runs.
func (s *Repositories) List(ctx context.Context) ([]Repository, error) {
	q := s.db.reading(ctx)
	found, err := q.rows(`SELECT p.key, p.name, p.served, (SELECT count(*) FROM runs r WHERE r.repository = p.id)
		FROM repositories p ORDER BY p.name, p.id`)
	all, err := collect(found, err, func(row *rows) (r Repository, err error) {
		err = row.Scan(&r.Key, &r.Name, &r.Served, &r.Runs)
		return r, err
	})
	var newest []Run
	if err == nil {
		newest, err = q.runs(runQuery + ` WHERE r.id IN (SELECT (SELECT r.id FROM runs r WHERE r.repository = p.id
			ORDER BY r.number DESC LIMIT 1) FROM repositories p)`)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list repositories: %w", err)
	}
	at := map[string]*Run{}
	for i := range newest {
		at[newest[i].RepoKey] = &newest[i]
	}
	for i := range all {
		all[i].Newest = at[all[i].Key]
	}
	return all, nil
}

// Fired is the newest minute for which a run of a schedule's lane was begun,
// with Origin "schedule:<lane>:<minute, RFC 3339>"; zero: none. It is known
// also after the run was dropped, and does not go back with the clock.
func (s *Repositories) Fired(ctx context.Context, repoKey, lane string) (time.Time, error) {
	var at time.Time
	err := s.db.reading(ctx).value(stamp{&at}, `SELECT s.fired FROM schedules s JOIN repositories p ON p.id = s.repository
		WHERE p.key = ? AND s.lane = ?`, repoKey, lane)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("cannot read when %s last ran its schedules: %w", lane, err)
	}
	return at, err
}
