package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func BenchmarkTenLaneRun(b *testing.B) {
	ctx, s := context.Background(), sqliteBackend.fresh(b)
	for b.Loop() {
		run := begin(b, s, newRun("/r", 10))
		var changes []Change
		for _, l := range run.Lanes {
			changes = append(changes, Move{LaneRun: l.ID, From: Queued, To: Starting}, Move{LaneRun: l.ID, From: Starting, To: Running},
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
