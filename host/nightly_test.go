package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

func TestLastDue(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		when, err := time.Parse("2006-01-02 15:04:05", text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	daily, err := lanes.ParseSchedule("0 8 * * *")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ last, now, want string }{
		{"2026-03-01 08:00:00", "2026-03-01 23:59:59", ""},
		{"2026-03-01 08:00:00", "2026-03-02 07:59:59", ""},
		{"2026-03-01 08:00:00", "2026-03-02 08:00:00", "2026-03-02 08:00:00"},
		{"2026-03-01 08:00:00", "2026-03-02 08:00:59", "2026-03-02 08:00:00"},
		{"2026-03-01 08:00:00", "2026-03-04 12:00:00", "2026-03-04 08:00:00"}, // three missed: one run
		{"2026-03-05 08:00:00", "2026-03-04 12:00:00", ""},                    // the clock went back
		{"2025-03-05 08:00:00", "2026-03-04 07:00:00", "2026-03-03 08:00:00"},
	} {
		got, ok := lastDue(daily, at(c.last), at(c.now))
		if ok != (c.want != "") || ok && !got.Equal(at(c.want)) {
			t.Errorf("last %s, now %s: got %s, %t, want %s", c.last, c.now, got, ok, c.want)
		}
	}
}

// guarded is a host that guards a bare repository with one lanes file.
func guarded(t *testing.T, text string) (*Host, *store.Store) {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir, "GIT_AUTHOR_NAME=T",
			"GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main", "work")
	if err := os.WriteFile(filepath.Join(dir, "work", "lanes.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	git("-C", "work", "add", "-A")
	git("-C", "work", "commit", "-qm", "lanes")
	git("clone", "-q", "--bare", "work", "app.git")
	getenv := func(key string) string {
		return map[string]string{"PUSHLANE_CONFIG": "/dev/null", "HOME": dir, "PUSHLANE_STATE": filepath.Join(dir, "state"),
			"PATH": os.Getenv("PATH")}[key]
	}
	policy, err := config.LoadServer(getenv)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(context.Background()) })
	if _, err := h.Guard(t.Context(), hooks.Env{Dir: filepath.Join(dir, "app.git"), Getenv: getenv}); err != nil {
		t.Fatal(err)
	}
	st, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h, st
}

// A minute that a schedule names is run once: however often it is looked at,
// whatever the clock does, and once for all that was missed.
func TestNightly(t *testing.T) {
	t.Parallel()
	h, st := guarded(t,
		"version = 1\n[[lane]]\nid = \"night\"\nplugin = \"files\"\non = [\"schedule\"]\nschedule = \"0 8 * * *\"\n"+
			"[[lane]]\nid = \"day\"\nplugin = \"files\"\n")
	start := time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)
	h.since = start
	for _, c := range []struct {
		now  time.Time
		runs int
	}{
		{start, 0},
		{start.Add(time.Hour), 1},
		{start.Add(time.Hour + 20*time.Second), 1},
		{start.Add(-30 * time.Minute), 1},   // back
		{start.Add(time.Hour), 1},           // and there again
		{start.Add(3 * 24 * time.Hour), 2},  // two mornings missed are one run
		{start.Add(99 * 24 * time.Hour), 3}, // far ahead
		{start.Add(4*24*time.Hour + time.Hour), 4},
		{start.Add(4*24*time.Hour + time.Hour), 4},
	} {
		if err := (schedules{h}).runSchedules(t.Context(), c.now); err != nil {
			t.Fatal(err)
		}
		runs, err := st.Runs(t.Context(), store.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) != c.runs {
			t.Fatalf("at %s there are %d runs, want %d", c.now, len(runs), c.runs)
		}
	}
	run, err := st.Run(t.Context(), mustRepo(t, st), 1)
	if err != nil {
		t.Fatal(err)
	}
	if run.Gate != "schedule" || run.State != store.Queued || len(run.Lanes) != 1 || run.Lanes[0].Lane != "night" ||
		run.Lanes[0].Reason != "due at 2026-03-01 08:00 UTC" || run.Updates[0].Ref != "refs/heads/main" {
		t.Errorf("got %+v", run)
	}
}

func mustRepo(t *testing.T, st *store.Store) string {
	t.Helper()
	repos, err := st.Repositories().List(t.Context())
	if err != nil || len(repos) != 1 {
		t.Fatalf("got %v, %v", repos, err)
	}
	return repos[0].Key
}
