package store

import (
	"context"
	"slices"
	"testing"
	"time"
)

// TestOldVerdicts: those of before a time are listed page by page, and one that
// was replaced since it was listed stays.
func TestOldVerdicts(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for i, ref := range []string{"a", "b", "c", "young"} {
			judged(t, s, "/r", "pre-receive", i, 0, []string{ref + " 0 1"})
		}
		judged(t, s, "/other", "pre-receive", 0, 0, []string{"a 0 1"})
		if _, err := s.DropRuns(ctx, day.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		list := func() (names []string, all []OldVerdict) {
			t.Helper()
			for last := (OldVerdict{}); ; last = all[len(all)-1] {
				some, err := s.Verdicts().Old(ctx, day.Add(3*time.Minute), last, 2)
				if err != nil {
					t.Fatal(err)
				}
				if len(some) == 0 {
					return names, all
				}
				for _, v := range some {
					names, all = append(names, v.RepoKey+" "+v.Ref), append(all, v)
				}
			}
		}
		names, all := list()
		if want := []string{"/r a", "/r b", "/r c", "/other a"}; !slices.Equal(names, want) {
			t.Fatalf("got %q, want %q", names, want)
		}
		judged(t, s, "/r", "pre-receive", 2, 1, []string{"b 1 2"})
		if _, err := s.DropRuns(ctx, day.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.Verdicts().Drop(ctx, all); err != nil {
			t.Fatal(err)
		}
		if names, _ = list(); !slices.Equal(names, []string{"/r b"}) {
			t.Errorf("left %q", names)
		}
	})
}
