package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"
)

// released are the digests of schema files that lie in other people's
// databases: such a file is never changed, a new one is added.
var released = map[string]string{
	"sqlite/00001_runs.sql": "f5a17fc0824a1ff7efec604ec5b600cf65a9ed0ef73fe0f4e5f148acf0a0b947",
}

func TestReleasedSchemasStay(t *testing.T) {
	for name, want := range released {
		text, err := schema.ReadFile("schema/" + name)
		if got := fmt.Sprintf("%x", sha256.Sum256(text)); err != nil || got != want {
			t.Errorf("%s has sha256 %s, %v", name, got, err)
		}
	}
}

// versionOne is a database as version 1 left it: a run that ended with a lane
// run, a finding, an artifact and events, and one whose process is gone.
func versionOne(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files, _ := fs.Sub(schema, "schema/sqlite")
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	if err == nil {
		_, err = p.UpTo(context.Background(), 1)
	}
	if err == nil {
		_, err = db.Exec(`
			INSERT INTO repositories VALUES (7, '/r', 'web', 41);
			INSERT INTO runs VALUES (90, 7, 40, 'pre-push', 'origin', 'me', 'failed', 1, 'refused', 'demo',
				1000, 1000, 3000, 1, 's', 'b', 'p'),
				(91, 7, 41, 'pre-push', 'origin', 'me', 'running', 0, '', '', 4000, 4000, 0, 1, 's', 'b', 'p');
			INSERT INTO updates VALUES (90, 0, 'refs/heads/main', '0a', 'abc1234def', '0b', 1);
			INSERT INTO lane_runs VALUES (500, 90, 0, 'lint', 'Lint', 1, 'a.go', '*.go', 'because', 'shell',
				'd', 'i', 'broken', 1, 1000, 1000, 2000, 'm', '/l', 3, 'x'),
				(501, 90, 0, 'lint', 'Lint', 2, 'a.go', '*.go', 'because', 'shell',
				'd', 'i', 'passed', 1, 2000, 2000, 3000, '', '/m', 3, 'x');
			INSERT INTO findings VALUES (500, 0, 'error', 'a.go', 1, 2, 'r', 'm');
			INSERT INTO artifacts VALUES (500, 'a', '/a', 1, 'x');
			INSERT INTO events VALUES (90, 1, 0, '', 'skip', 1000, 'demo')`)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAVersionOneFileIsBroughtUpToDate(t *testing.T) {
	ctx, path := context.Background(), sqliteBackend.where(t)
	versionOne(t, path)
	var wg sync.WaitGroup
	for range 4 { // all at once
		wg.Go(func() {
			s, err := Open(ctx, path)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
	s := open(t, path)
	run, err := s.Run(ctx, "/r", 40)
	if err != nil || run.State != Failed || run.Skip != "demo" || run.Waiting || run.Passed != 1 || run.Total != 1 ||
		len(run.Updates) != 1 || !run.Updates[0].Forced || !run.Updates[0].Protected || run.Updates[0].Lanes.Source != "" ||
		len(run.Lanes) != 2 || run.Lanes[0].Log.Path != "/l" || run.Lanes[1].Attempt != 2 {
		t.Errorf("%+v %v", run, err)
	}
	findings, _ := s.Findings(ctx, 90)
	artifacts, _ := s.Artifacts(ctx, 500)
	events, _ := s.Events(ctx, 90)
	if len(findings) != 1 || len(artifacts) != 1 || len(events) != 1 {
		t.Errorf("%v %v %v", findings, artifacts, events)
	}
	gone, err := s.Queue().Abandoned(ctx)
	if err != nil || len(gone) != 1 || gone[0].Number != 41 {
		t.Errorf("%+v %v", gone, err)
	}
	if again := begin(t, s, newRun("/r", 1)); again.Number != 42 || again.ID != 92 {
		t.Errorf("the next run is %d, #%d", again.ID, again.Number)
	}
}

// TestManyLayTheTablesAtOnce opens a new database from several stores at once.
func TestManyLayTheTablesAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, where := context.Background(), on.where(t)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				s, err := Open(ctx, where)
				if err == nil {
					_, err = s.Begin(ctx, newRun("/r", 1))
					s.Close()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if runs, err := open(t, where).Runs(ctx, Filter{}); err != nil || len(runs) != 6 || runs[0].Number != 6 {
			t.Errorf("%d runs, %v", len(runs), err)
		}
	})
}
