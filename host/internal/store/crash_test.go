package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// writeUntilKilled begins and ends runs, and prints a run's number only after
// the store has said that it is kept.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path)
	for err == nil {
		var run Run
		if run, err = s.Begin(ctx, newRun("/r", 3)); err == nil {
			fmt.Println("begun", run.Number)
			err = s.Record(ctx, run.ID, End{State: Cancelled, Message: "end of " + strconv.FormatInt(run.Number, 10)})
		}
		if err == nil {
			fmt.Println("ended", run.Number)
		}
	}
	return err
}

// TestNothingAcknowledgedIsLost kills two writers at once, several times, and
// looks for every run that either was told is kept.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		path := on.where(t)
		acked := map[string]bool{}
		for round := range 4 {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 2 {
				wg.Go(func() {
					lines := killedWriter(t, path, 60+round*17)
					mu.Lock()
					defer mu.Unlock()
					for _, l := range lines {
						acked[l] = true
					}
				})
			}
			wg.Wait()
		}
		if len(acked) < 400 {
			t.Fatalf("only %d lines came", len(acked))
		}
		s := open(t, path)
		checkAcked(t, s, acked)
		gone, err := s.Queue().Abandoned(context.Background())
		if err != nil || len(gone) > 8 {
			t.Errorf("%d abandoned runs of 8 writers, %v", len(gone), err)
		}
		if on != sqliteBackend {
			return
		}
		var verdict string
		if err := s.db.read.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Errorf("integrity: %s %v", verdict, err)
		}
	})
}

// killedWriter returns the whole lines that a writer printed before it was
// killed in the middle of its work, after so many of them.
func killedWriter(t *testing.T, path string, after int) []string {
	cmd := again("write", path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	var lines []string
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			break
		}
		if strings.HasPrefix(line, "error") {
			t.Error(line)
		}
		if lines = append(lines, strings.TrimSpace(line)); len(lines) == after {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	return lines
}

func checkAcked(t *testing.T, s *Store, acked map[string]bool) {
	t.Helper()
	for line := range acked {
		what, text, _ := strings.Cut(line, " ")
		number, _ := strconv.ParseInt(text, 10, 64)
		run, err := s.Run(context.Background(), "/r", number)
		switch {
		case err != nil || len(run.Lanes) != 3:
			t.Fatalf("%s: %v, %d lanes", line, err, len(run.Lanes))
		case what == "ended" && (run.State != Cancelled || run.Message != "end of "+text || run.Lanes[2].State != Cancelled):
			t.Fatalf("%s: %+v", line, run)
		}
	}
}

// TestHammer has several stores on one file, as several processes would, each
// with writers and readers at once.
func TestHammer(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		const stores, writers, runs = 4, 3, 15
		ctx, path := context.Background(), on.where(t)
		var wg sync.WaitGroup
		for range stores {
			wg.Go(func() { // the first open of all, at once
				s, err := Open(ctx, path)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				var inner sync.WaitGroup
				for range writers {
					inner.Go(func() { hammer(t, s, runs) })
				}
				inner.Go(func() {
					for range 30 {
						if _, err := s.Runs(ctx, Filter{}); err != nil {
							t.Error(err)
						}
					}
				})
				inner.Wait()
			})
		}
		wg.Wait()
		s := open(t, path)
		all, err := s.Runs(ctx, Filter{Limit: 10_000})
		if err != nil || len(all) != stores*writers*runs {
			t.Fatalf("%d runs, %v", len(all), err)
		}
		for i, r := range all {
			if r.Number != int64(len(all)-i) || r.State != Passed {
				t.Fatalf("run %d: number %d, %s", i, r.Number, r.State)
			}
		}
	})
}

func hammer(t *testing.T, s *Store, runs int) {
	ctx := context.Background()
	for range runs {
		run, err := s.Begin(ctx, newRun("/r", 2))
		for _, l := range run.Lanes {
			if err == nil {
				err = s.Record(ctx, run.ID, Move{LaneRun: l.ID, From: Queued, To: Starting},
					Move{LaneRun: l.ID, From: Starting, To: Running})
			}
			if err == nil {
				err = s.Record(ctx, run.ID, Result{LaneRun: l.ID, State: Passed})
			}
		}
		if err == nil {
			err = s.Record(ctx, run.ID, End{State: Passed})
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// TestOneOfManyWins races for the same move: one gets it, the others are told
// that they were late.
func TestOneOfManyWins(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, path := context.Background(), on.where(t)
		run := begin(t, open(t, path), newRun("/r", 1))
		won, late := make(chan bool, 8), make(chan bool, 8)
		var wg sync.WaitGroup
		for range 8 {
			s := open(t, path)
			wg.Go(func() {
				err := s.Record(ctx, run.ID, Move{LaneRun: run.Lanes[0].ID, From: Queued, To: Starting})
				switch {
				case err == nil:
					won <- true
				case errors.As(err, new(*ConflictError)):
					late <- true
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 || len(late) != 7 {
			t.Errorf("%d won, %d were late", len(won), len(late))
		}
	})
}

func TestAWriterWaitsForTheLock(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "runs.db")
	one, two := open(t, path), open(t, path)
	tx, err := one.db.write.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { _, err := two.Begin(ctx, newRun("/r", 1)); done <- err }()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if _, err := two.Runs(ctx, Filter{}); err != nil {
		t.Errorf("a reader is blocked: %v", err)
	}
	tx.Rollback()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestModesKeepOthersOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	s := open(t, filepath.Join(dir, "runs.db"))
	begin(t, s, newRun("/r", 1))
	for name, want := range map[string]fs.FileMode{"": 0o700, "runs.db": 0o600, "runs.db-wal": 0o600, "runs.db-shm": 0o600,
		"runs.db.lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	s.Close()
	if err := os.Chmod(filepath.Join(dir, "runs.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, filepath.Join(dir, "runs.db"))
	if info, _ := os.Stat(filepath.Join(dir, "runs.db")); info.Mode().Perm() != 0o600 {
		t.Errorf("a file that others may read stays so: %v", info.Mode())
	}
}

func TestPathsWithOddBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%41&e=\xff", "runs.db")
	run := begin(t, open(t, path), newRun("/r", 1))
	if _, err := os.Stat(path); err != nil || run.Number != 1 {
		t.Errorf("%v", err)
	}
}

func TestOpenTells(t *testing.T) {
	tests := map[string]struct {
		prepare    func(t *testing.T, dir string)
		want, hint string // with DIR for the folder
	}{
		"a newer schema": {func(t *testing.T, dir string) {
			if _, err := open(t, filepath.Join(dir, "runs.db")).db.write.Exec("PRAGMA user_version = 9"); err != nil {
				t.Fatal(err)
			}
		}, "cannot open DIR/runs.db: its schema has version 9, and this pushlane knows up to 7",
			"a newer pushlane has written there: install that version, or name another state folder"},
		"a file that is not a database": {func(t *testing.T,
			dir string) {
			write(t, dir, strings.Repeat("not a database ", 99))
		},
			"cannot open DIR/runs.db: file is not a database (26)",
			"the file is damaged: stop pushlane and put a backup in its place (host/SERVER.md, Backup), " +
				"or start a new one without its runs: mv DIR/runs.db DIR/runs.db.damaged"},
		"a folder in its place": {func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "runs.db"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "cannot open DIR/runs.db: open DIR/runs.db: is a directory", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test.prepare(t, dir)
			_, err := Open(context.Background(), filepath.Join(dir, "runs.db"))
			checkError(t, err, strings.ReplaceAll(test.want, "DIR", dir), strings.ReplaceAll(test.hint, "DIR", dir))
		})
	}
}

func write(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "runs.db"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func checkError(t *testing.T, err error, want, hint string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() != hint {
		t.Errorf("hint of %v, want %s", err, hint)
	}
}

// TestHintsByCause covers what a test cannot bring about as root.
func TestHintsByCause(t *testing.T) {
	tests := map[string]error{
		"the disk of /s is full: make room, or name another state folder":                            syscall.ENOSPC,
		"pushlane must be able to write in /s: fix its owner and mode, or name another state folder": fs.ErrPermission,
	}
	for want, cause := range tests {
		err := (&database{path: "/s/runs.db"}).openError(fmt.Errorf("open: %w", cause))
		checkError(t, err, "cannot open /s/runs.db: open: "+cause.Error(), want)
	}
}

// TestWritesThatCannotBe lets SQLite itself say that the disk is full and
// that the file may not be written.
func TestWritesThatCannotBe(t *testing.T) {
	tests := map[string]struct{ pragma, want, hint string }{
		"a full disk": {"PRAGMA max_page_count = 1", "cannot begin a run of web: database or disk is full (13)",
			"the disk of DIR is full: make room, or name another state folder"},
		"a file that is read-only": {"PRAGMA query_only = 1",
			"cannot begin a run of web: attempt to write a readonly database (8)",
			"pushlane must be able to write in DIR: fix its owner and mode, or name another state folder"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := sqliteBackend.fresh(t)
			if _, err := s.db.write.Exec(test.pragma); err != nil {
				t.Fatal(err)
			}
			n := newRun("/r", 1)
			n.Lanes[1].Reason = strings.Repeat("long ", 10_000)
			_, err := s.Begin(context.Background(), n)
			checkError(t, err, test.want, strings.ReplaceAll(test.hint, "DIR", filepath.Dir(s.Path())))
			if runs, err := s.Runs(context.Background(), Filter{}); err != nil || len(runs) != 0 {
				t.Errorf("%d runs are kept, %v", len(runs), err)
			}
		})
	}
}

func TestALockThatStays(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "runs.db")
	one, two := open(t, path), open(t, path)
	if _, err := two.db.write.Exec("PRAGMA busy_timeout = 1"); err != nil { // in place of the thirty seconds
		t.Fatal(err)
	}
	tx, err := one.db.write.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = two.Begin(ctx, newRun("/r", 1))
	checkError(t, err, "cannot begin a run of web: database is locked (5) (SQLITE_BUSY)",
		"another process has locked the database for 30 seconds: try again")
}

func TestOpenHearsOfTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	lock, err := lockFile(context.Background(), path+".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a first open while another lays the tables: %v", err)
	}
}
