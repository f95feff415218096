package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// onEachBench measures both databases.
func onEachBench(b *testing.B, bench func(b *testing.B, s *Store)) {
	for _, on := range []backend{sqliteBackend, postgresBackend} {
		b.Run(string(on), func(b *testing.B) { bench(b, on.fresh(b)) })
	}
}

// tenThousandRuns are of ten lanes each, every tenth of which was tried twice,
// in 4 repositories.
func tenThousandRuns(b *testing.B, s *Store) {
	b.Helper()
	for i := range 4 {
		begin(b, s, newRun(fmt.Sprint("/r", i), 1))
	}
	const series = `WITH RECURSIVE n (i) AS (SELECT 5 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) `
	for _, statement := range []string{
		series + `INSERT INTO runs (id, repository, number, gate, remote, pusher, state, queued, started, ended,
			host_pid, host_start, host_boot, host_space)
			SELECT i, 1 + i % 4, i, 'pre-receive', 'origin', 'me', 'passed', i, i, i, 1, '', '', '' FROM n`,
		series + `INSERT INTO updates (run, position, ref, old, new, base, forced, protected, lanes_rev, lanes_sha)
			SELECT i, 0, 'refs/heads/main', '0a', '0b', '0c', FALSE, TRUE, '', '' FROM n`,
		`UPDATE repositories SET last_number = 10000`,
		series + `, l (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM l WHERE k < 10)
			INSERT INTO lane_runs (run, position, lane, title, attempt, path, glob, reason, plugin, state, required, queued)
			SELECT i, 0, 'lane-' || (k % 10), 't', 1 + k / 10, 'p', 'g', 'because', 'shell', 'passed', TRUE, i FROM n, l`,
	} {
		if _, err := s.db.write.Exec(statement); err != nil {
			b.Fatal(err)
		}
	}
	if s.db.dialect.postgres {
		if _, err := s.db.write.Exec(`SELECT setval(pg_get_serial_sequence('runs', 'id'), 10000)`); err != nil {
			b.Fatal(err)
		}
		if _, err := s.db.write.Exec(`ANALYZE`); err != nil { // as the server does on its own; SQLite is never asked to
			b.Fatal(err)
		}
	}
	runs, err := s.Runs(context.Background(), Filter{Limit: 2})
	if err != nil || runs[0].ID != 10000 || runs[0].Passed != 10 || runs[0].Total != 10 {
		b.Fatalf("%+v %v", runs, err)
	}
}

func BenchmarkList(b *testing.B) {
	for name, f := range map[string]Filter{"all": {}, "of a repository": {RepoKey: "/r1"},
		"before":   {RepoKey: "/r1", Before: 3000},
		"of a ref": {RepoKey: "/r1", Ref: "refs/heads/main"}, "none of a ref": {RepoKey: "/r1", Ref: "refs/heads/none"},
		"none of a state": {State: "failed"}} {
		b.Run(name, func(b *testing.B) {
			onEachBench(b, func(b *testing.B, s *Store) {
				tenThousandRuns(b, s)
				for b.Loop() {
					if _, err := s.Runs(context.Background(), f); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkOverview(b *testing.B) {
	onEachBench(b, func(b *testing.B, s *Store) {
		tenThousandRuns(b, s)
		b.Run("repositories", func(b *testing.B) {
			for b.Loop() {
				if all, err := s.Repositories().List(context.Background()); err != nil || all[0].Newest.Number < 9990 {
					b.Fatal(err)
				}
			}
		})
		b.Run("stats", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Stats(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkBegin(b *testing.B) {
	onEachBench(b, func(b *testing.B, s *Store) {
		tenThousandRuns(b, s)
		for b.Loop() {
			begin(b, s, waiting("/r1", 10))
		}
	})
}

func BenchmarkClaim(b *testing.B) {
	onEachBench(b, func(b *testing.B, s *Store) {
		tenThousandRuns(b, s)
		begin(b, s, waiting("/r1", 10))
		for b.Loop() {
			run := claimed(b, s, time.Hour)
			b.StopTimer()
			if err := s.Queue().Requeue(context.Background(), run.ID, "x"); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// BenchmarkClaimNothing is what an idle host does.
func BenchmarkClaimNothing(b *testing.B) {
	onEachBench(b, func(b *testing.B, s *Store) {
		tenThousandRuns(b, s)
		for b.Loop() {
			if _, ok, err := s.Queue().Claim(context.Background(), ThisHost(), time.Hour); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

func BenchmarkRenew(b *testing.B) {
	onEachBench(b, func(b *testing.B, s *Store) {
		tenThousandRuns(b, s)
		begin(b, s, waiting("/r1", 10))
		run := claimed(b, s, time.Hour)
		for b.Loop() {
			if _, err := s.Queue().Renew(context.Background(), run.ID, run.Fence, time.Hour); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTenLaneRun(b *testing.B) {
	ctx, s := context.Background(), sqliteBackend.fresh(b)
	for b.Loop() {
		run := begin(b, s, newRun("/r", 10))
		var changes []Change
		for _, l := range run.Lanes {
			changes = append(changes, Move{LaneRun: l.ID, From: Queued, To: Starting},
				Move{LaneRun: l.ID, From: Starting, To: Running},
				Result{LaneRun: l.ID, State: Passed, Log: File{Path: "/x", Size: 1, SHA256: "y"}})
		}
		if err := s.Record(ctx, run.ID, append(changes, End{State: Passed})...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenWarm(b *testing.B) {
	path := filepath.Join(b.TempDir(), "runs.db")
	open(b, path)
	for b.Loop() {
		s, err := Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkOpenNew(b *testing.B) {
	dir, i := b.TempDir(), 0
	for b.Loop() {
		i++
		s, err := Open(context.Background(), filepath.Join(dir, fmt.Sprint(i), "runs.db"))
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
		os.RemoveAll(filepath.Join(dir, fmt.Sprint(i)))
	}
}

// BenchmarkWake is from before Begin to after Claim by a host that waits: of
// the same process, and of another.
func BenchmarkWake(b *testing.B) {
	for _, on := range []backend{sqliteBackend, postgresBackend} {
		for _, who := range []string{"same process", "another process"} {
			b.Run(string(on)+"/"+who, func(b *testing.B) {
				ctx, where := b.Context(), on.where(b)
				host := open(b, where)
				from := host
				if who != "same process" {
					from = open(b, where)
				}
				claims, stopped := make(chan bool), make(chan bool)
				stoppable, stop := context.WithCancel(ctx)
				go func() {
					defer close(stopped)
					for stoppable.Err() == nil {
						if _, ok, _ := host.Queue().Claim(stoppable, ThisHost(), time.Hour); ok {
							claims <- true
							continue
						}
						host.Queue().Wait(stoppable, time.Hour)
					}
				}()
				for b.Loop() {
					begin(b, from, waiting("/r", 1))
					<-claims
				}
				stop()
				<-stopped
			})
		}
	}
}
