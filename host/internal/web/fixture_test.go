package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/lanelog"
	"github.com/pushlane/pushlane/host/internal/store"
)

// evil is text that tries to break out of a page in every way we know.
const evil = `<script>window.broken=1</script><img src=x onerror="window.broken=1">"'` +
	"\x1b]8;;javascript:window.broken=1\x1b\\link\x1b]8;;\x1b\\\x1b[2J\x1b]0;title\x07\u202eafter\u2028"

// fixture is a site over a real store and a real repository.
type fixture struct {
	t      testing.TB
	st     *store.Store
	dir    string
	key    string
	commit map[string]string // by name
	opts   Options
}

// storeActions are the actions as the store itself has them.
type storeActions struct {
	st   *store.Store
	repo func(context.Context, string) (*hooks.Repo, func(), error)
}

func (a storeActions) Cancel(ctx context.Context, run int64, by string) error {
	return a.st.Cancel(ctx, run, by, "")
}

func (a storeActions) Rerun(ctx context.Context, run int64, failedOnly bool, by string) (int64, error) {
	again, err := a.st.Rerun(ctx, run, failedOnly, by)
	return again.Number, err
}

// Rerunnable: a run is repeated where the repository has what it judged.
func (a storeActions) Rerunnable(ctx context.Context, run store.Run) error {
	repo, release, err := a.repo(ctx, run.RepoKey)
	if err != nil {
		return err
	}
	defer release()
	_, err = repo.Resolve(ctx, run.Updates[0].New)
	return err
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), commit: map[string]string{}}
	f.key = filepath.Join(f.dir, "app.git")
	f.makeRepo()
	var err error
	if f.st, err = store.Open(context.Background(), filepath.Join(f.dir, "db", "pushlane.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.st.Close() })
	if err := f.st.Repositories().Register(context.Background(), f.key, "app"); err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(os.Stderr)
	f.opts = Options{Store: f.st, Loopback: true, Log: log,
		Patches: func(int64) (map[string]hooks.FilePatch, error) { return nil, os.ErrNotExist },
		Repo: func(ctx context.Context, key string) (*hooks.Repo, func(), error) {
			r, err := hooks.Open(ctx, hooks.Env{Dir: key, Getenv: func(name string) string {
				return map[string]string{"GIT_DIR": key, "PATH": os.Getenv("PATH"), "HOME": f.dir}[name]
			}})
			return r, func() { r.Close() }, err
		}}
	f.opts.Actions = storeActions{f.st, f.opts.Repo}
	return f
}

func (f *fixture) makeRepo() {
	f.t.Helper()
	work := filepath.Join(f.dir, "work")
	f.git(f.dir, "init", "-q", "-b", "main", work)
	f.step(work, "base", "prices.txt", "price = 1\n", "Prices")
	f.git(work, "checkout", "-q", "-b", "feature/new")
	f.step(work, "one", "prices.txt", "price = 2\nother = 3\n",
		"Raise the price\n\nIt was one for a long time. "+strings.ReplaceAll(evil, "\x1b", ""))
	f.step(work, "two", "more.txt", "a\nb\n", "Say more")
	f.git(work, "checkout", "-q", "main")
	f.step(work, "on", "note", "x\n", "Go on")
	f.git(work, "checkout", "-q", "-b", "merged")
	f.step(work, "m1", "m", "x\n", "To be merged")
	f.git(work, "checkout", "-q", "main")
	f.git(work, "merge", "-q", "--no-ff", "-m", "Merge it", "merged")
	f.commit["merge"] = f.git(work, "rev-parse", "HEAD")
	f.git(f.dir, "clone", "-q", "--bare", work, f.key)
}

func (f *fixture) step(work, name, file, text, message string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(work, file), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	f.git(work, "add", "-A")
	f.git(work, "commit", "-q", "--cleanup=verbatim", "-m", message)
	f.commit[name] = f.git(work, "rev-parse", "HEAD")
}

func (f *fixture) git(dir string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+f.dir, "GIT_AUTHOR_NAME=Ann",
		"GIT_AUTHOR_EMAIL=ann@example.org",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// begin makes a run of feature/new with a lane that runs, and one not picked.
func (f *fixture) begin(gate string) store.Run {
	f.t.Helper()
	run, err := f.st.Begin(context.Background(), store.NewRun{RepoKey: f.key, RepoName: "app", Gate: gate, Pusher: evil,
		At: time.Now().Add(-5 * time.Second),
		Updates: []store.Update{{Ref: "refs/heads/feature/new", Old: hooks.ZeroID, New: f.commit["two"],
			Base: f.commit["base"], Protected: true, LanesRev: f.commit["base"]}},
		Lanes: []store.NewLane{{Lane: "test", Title: "Tests " + evil, Picked: true, Path: "prices.txt", Glob: "*.txt",
			Reason: "matches *.txt", Plugin: "shell", Required: true},
			{Lane: "docs", Reason: "no changed path matches docs/**"}}})
	if err != nil {
		f.t.Fatal(err)
	}
	path := f.logPath(run)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	id := run.Lanes[0].ID
	f.record(run, store.Move{LaneRun: id, From: store.Queued, To: store.Starting}, store.Facts{LaneRun: id, Log: path},
		store.Move{LaneRun: id, From: store.Starting, To: store.Running})
	return run
}

func (f *fixture) record(run store.Run, changes ...store.Change) {
	f.t.Helper()
	if err := f.st.Record(context.Background(), run.ID, changes...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) logPath(run store.Run) string {
	return filepath.Join(f.dir, "runs", fmt.Sprint(run.ID), "test.log")
}

// say adds lines to the run's log, as the host does.
func (f *fixture) say(run store.Run, lines ...string) {
	f.t.Helper()
	f.sayAs(run, 'o', lines...)
}

func (f *fixture) sayAs(run store.Run, stream byte, lines ...string) {
	f.t.Helper()
	file, err := os.OpenFile(f.logPath(run), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	for _, text := range lines {
		file.Write(lanelog.Line{At: time.Now(), Stream: stream, Text: text}.Append(nil))
	}
}

// end ends the run with some findings when it fails.
func (f *fixture) end(run store.Run, state store.State) {
	f.t.Helper()
	res := store.Result{LaneRun: run.Lanes[0].ID, State: state, Message: "3 errors", Log: store.File{Path: f.logPath(run)}}
	exit := 0
	if state != store.Passed {
		exit = 1
		artifact := filepath.Join(f.dir, "report.html")
		if err := os.WriteFile(artifact, []byte("<script>window.broken=1</script>"), 0o600); err != nil {
			f.t.Fatal(err)
		}
		res.Artifacts = []store.File{{Name: "out/report.html", Path: artifact, Size: 33}}
		res.Findings = []store.Finding{{Path: "prices.txt", Line: 1, Level: "error", Rule: "dear",
			Message: "too dear " + evil},
			{Path: "gone.txt", Line: 7, Level: "warning", Message: "not in the diff"},
			{Level: "note", Message: "about nothing in particular"}}
	}
	f.record(run, res, store.End{State: state, Exit: exit})
}

func (f *fixture) handler() http.Handler {
	f.t.Helper()
	h, err := New(f.opts)
	if err != nil {
		f.t.Fatal(err)
	}
	return h
}

func (f *fixture) server() *httptest.Server {
	f.t.Helper()
	s := httptest.NewServer(f.handler())
	f.t.Cleanup(s.Close)
	return s
}
