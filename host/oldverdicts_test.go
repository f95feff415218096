package host

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// TestVerdictsOfBranchesThatAreGone go once retention has passed; those of
// branches that are there stay, and so do those of a guarded repository that
// cannot be seen.
func TestVerdictsOfBranchesThatAreGone(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), openHost(t, t.TempDir())
	st := openStore(t, h)
	dir := filepath.Join(t.TempDir(), "r.git")
	git(t, "", nil, "init", "-q", "--bare", "-b", "main", dir)
	tree := git(t, dir, nil, "mktree")
	commit := git(t, dir, nil, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit-tree", "-m", "one",
		tree)
	git(t, dir, nil, "update-ref", "refs/heads/there", commit)
	away, unguarded := filepath.Join(t.TempDir(), "away.git"), filepath.Join(t.TempDir(), "removed.git")
	if err := st.Repositories().Register(ctx, away, "away"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, of := range []struct {
		key, ref string
		age      time.Duration
	}{{dir, "there", 9 * time.Hour}, {dir, "gone", 9 * time.Hour}, {dir, "young", time.Hour}, {away, "x",
		9 * time.Hour},
		{unguarded, "x", 9 * time.Hour}} {
		run, err := st.Begin(ctx, store.NewRun{RepoKey: of.key, RepoName: "r", Gate: "pre-receive",
			Updates: []store.Update{{Ref: "refs/heads/" + of.ref, New: commit}}})
		if err == nil {
			err = st.Record(ctx, run.ID, store.End{State: store.Passed, At: now.Add(-of.age)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	known := func() (all []string) {
		for _, key := range []string{dir, away, unguarded} {
			for _, ref := range []string{"there", "gone", "young", "x"} {
				if _, known, _ := st.Verdicts().Of(ctx, key, "refs/heads/"+ref, commit); known {
					all = append(all, filepath.Base(key)+" "+ref)
				}
			}
		}
		return all
	}
	p := h.policy
	p.KeepRuns = 5 * time.Hour
	if _, err := (upkeep{h}).dropOld(ctx, p); err != nil {
		t.Fatal(err)
	}
	want := []string{"r.git there", "r.git young", "away.git x"}
	if got := known(); !slices.Equal(got, want) {
		t.Errorf("known are %q, want %q", got, want)
	}
	git(t, dir, nil, "update-ref", "-d", "refs/heads/there")
	if err := (upkeep{h}).dropVerdicts(ctx, st, now, now.Add(time.Minute)); err != nil || !slices.Equal(known(),
		want) {
		t.Errorf("looked again within the hour: %q, %v", known(), err)
	}
	if err := (upkeep{h}).dropVerdicts(ctx, st, now, now.Add(2*time.Hour)); err != nil || !slices.Equal(known(),
		want[1:]) {
		t.Errorf("after the branch was deleted: %q, %v", known(), err)
	}
}
