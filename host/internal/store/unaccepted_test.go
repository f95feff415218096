package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// judged is a run of a gate at a minute of the day with updates "ref old new",
// which ended with a status and the events "kind message".
func judged(t testing.TB, s *Store, repo, gate string, minute, exit int, updates []string, events ...Event) Run {
	t.Helper()
	n := NewRun{RepoKey: repo, RepoName: "r", Gate: gate, At: day}
	for _, text := range updates {
		var u Update
		fmt.Sscan(text, &u.Ref, &u.Old, &u.New)
		n.Updates = append(n.Updates, u)
	}
	run := begin(t, s, n)
	for _, e := range events {
		record(t, s, run.ID, e)
	}
	state := map[int]State{0: Passed, 1: Failed, 3: Broken}[exit]
	record(t, s, run.ID, End{State: state, Exit: exit, At: day.Add(time.Duration(minute) * time.Minute)})
	return run
}

// TestUnaccepted: what git was let take and no hook told of, with what later
// runs of the same repository say of each update.
func TestUnaccepted(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		one := []string{"x 0 1"}
		judged(t, s, "/r", "pre-receive", 1, 0, one, Event{Kind: "accepted"})
		judged(t, s, "/r", "pre-receive", 1, 0, one, Event{Kind: Settled})
		judged(t, s, "/r", "pre-receive", 1, 1, one)
		judged(t, s, "/r", "post-receive", 1, 0, one)
		judged(t, s, "/r", "pre-receive", 0, 0, one)
		judged(t, s, "/r", "pre-receive", 60, 0, one)
		whole := judged(t, s, "/r", "pre-receive", 1, 0, []string{"a 0 1", "b 0 1", "c 0 1"})
		part := judged(t, s, "/r", "pre-receive", 2, 1, []string{"d 0 1", "e 0 1"}, Event{Kind: LetThrough, Message: "e"})
		judged(t, s, "/other", "pre-receive", 61, 0, []string{"a 0 1", "c 1 2", "e 0 1"})
		judged(t, s, "/r", "post-receive", 61, 0, []string{"b 0 1", "c 1 2"})
		judged(t, s, "/r", "pre-receive", 61, 1, []string{"e 1 2"})
		var got []string
		for above := int64(0); ; {
			some, err := s.Unaccepted(ctx, "pre-receive", day, day.Add(30*time.Minute), above, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(some) == 0 {
				break
			}
			above = some[0].ID
			for _, u := range some[0].Updates {
				got = append(got, fmt.Sprintln(some[0].ID, some[0].RepoKey, u.Ref, u.Told, u.Followed))
			}
		}
		var want []string
		for _, w := range []struct {
			run  int64
			text string
		}{{whole.ID, "a false false"}, {whole.ID, "b true false"}, {whole.ID, "c false false"}, {part.ID, "e false true"}} {
			want = append(want, fmt.Sprintln(w.run, "/r", w.text))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%v\nwant\n%v", got, want)
		}
	})
}

// BenchmarkUnaccepted is one look on a server without post-receive hooks: a
// hundred pushes of the last minutes among ten thousand.
func BenchmarkUnaccepted(b *testing.B) {
	onEachBench(b, func(b *testing.B, s *Store) {
		tenThousandRuns(b, s)
		for _, statement := range []string{`UPDATE updates SET new = run, old = run - 4`, `ANALYZE updates`} {
			if _, err := s.db.write.Exec(statement); err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			all, err := s.Unaccepted(context.Background(), "pre-receive", time.UnixMilli(9900), time.UnixMilli(10000), 0, 100)
			if err != nil || len(all) != 100 || !all[0].Updates[0].Followed || all[99].Updates[0].Followed {
				b.Fatalf("%d, %v", len(all), err)
			}
		}
	})
}
