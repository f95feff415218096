package notify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

func (w *world) forge(kind string) Config {
	w.t.Helper()
	return Config{URL: "https://ci", Names: named(w), Statuses: []Status{{Repo: "app", Kind: kind, API: w.receiver.URL +
		"/", Project: "team/app", TokenFile: w.secret("hush")}}}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct{ path, head, state string }{
		"gitea":  {"/repos/team/app/statuses/", "Authorization: token hush", "failure"},
		"github": {"/repos/team/app/statuses/", "Authorization: Bearer hush", "failure"},
		"gitlab": {"/projects/team%2Fapp/statuses/", "PRIVATE-TOKEN: hush", "failed"},
	} {
		w := newWorld(t)
		teller := w.teller(w.forge(kind))
		w.work(teller, w.say(teller, w.ended("post-receive", 0)))
		name, value, _ := strings.Cut(want.head, ": ")
		if len(w.got) != 1 || w.got[0].path != want.path+w.commit || w.got[0].head.Get(name) != value {
			t.Errorf("%s: got %+v", kind, w.got)
			continue
		}
		var body map[string]string
		if err := json.Unmarshal(w.got[0].body, &body); err != nil {
			t.Fatal(err)
		}
		for key, text := range map[string]string{"state": want.state, "context": "pushlane/post-receive",
			"description": "run #1: 1 of 2 lanes passed; not: test", "target_url": "https://ci/r/app/runs/1"} {
			if body[key] != text {
				t.Errorf("%s: %s is %q, want %q", kind, key, body[key], text)
			}
		}
	}
}

// A push that is not in yet has commits that no forge knows, and perhaps never
// will; a developer's gate has commits that are the developer's.
func TestStatusOnlyOfWhatTheForgeHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(w.forge("gitea"))
	for _, c := range []struct {
		gate string
		exit int
		want int
	}{{"pre-receive", 1, 0}, {"pre-receive", 3, 0}, {"pre-receive", 0, 1}, {"post-receive", 1, 3}, {"schedule", 3, 3},
		{"manual", 0, 3}, {"pre-push", 0, 0}, {"pre-commit", 0, 0}} {
		waiting := w.begin(c.gate)
		if err := teller.Queued(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
		if err := teller.Started(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
		run := w.say(teller, w.end(waiting, c.exit, store.Passed, store.Failed))
		all, err := w.st.Outbox().Of(t.Context(), run.ID)
		if err != nil || len(all) != c.want {
			t.Errorf("%s, exit %d: %d statuses, want %d (%v)", c.gate, c.exit, len(all), c.want, err)
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[store.State][3]string{
		store.Queued: {"pending", "pending", "pending"}, store.Running: {"pending", "pending", "running"},
		store.Passed: {"success", "success", "success"},
		store.Failed: {"failure", "failure", "failed"}, store.Broken: {"error", "error", "failed"},
		store.Cancelled: {"error", "error", "canceled"},
	} {
		for i, kind := range []string{"gitea", "github", "gitlab"} {
			if got := stateAt(kind, string(state)); got != want[i] {
				t.Errorf("%s at %s: got %q, want %q", state, kind, got, want[i])
			}
		}
	}
}

func TestDescriptions(t *testing.T) {
	t.Parallel()
	passed := []store.LaneRun{{Lane: "a", State: store.Failed, Attempt: 1}, {Lane: "a", State: store.Passed, Attempt: 2}}
	var many []store.LaneRun
	for i := range 99 {
		many = append(many, store.LaneRun{Lane: fmt.Sprint("prüfung-", i), State: store.Broken})
	}
	for want, run := range map[string]store.Run{
		"run #1 is queued":                 {Number: 1, State: store.Queued},
		"run #1 is running: 1 lane":        {Number: 1, State: store.Running, Lanes: passed},
		"run #1: 1 of 1 lane passed":       {Number: 1, State: store.Passed, Lanes: passed},
		"run #1: nothing to judge":         {Number: 1, State: store.Passed, Message: "nothing to judge"},
		"run #1: 0 of 99 lanes passed; no": {Number: 1, State: store.Broken, Lanes: many},
	} {
		got := runjson.Short(describe(run), maxDescription)
		if !strings.HasPrefix(got, want) || len(run.Lanes) < 9 && got != want ||
			utf8.RuneCountInString(got) > maxDescription || !utf8.ValidString(got) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Forges that do not have the commit yet are asked again, for an hour. One that
// has the state already is told.
func TestForgesAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, body string
		code       int
		state      string
		many       bool
	}{
		{"gitea", "", 404, "failed", true},
		{"github", `{"message":"No commit found for SHA: 1"}`, 422, "failed", true},
		{"github", `{"message":"Validation Failed"}`, 422, "failed", false},
		{"gitlab", `{"message":"404 Commit Not Found"}`, 404, "failed", true},
		{"gitlab", `{"message":"Cannot transition status via :run from :running (Reason(s): Status cannot transition via ` +
			`\"run\")"}`, 400, "done", false},
		{"gitlab", `{"message":"state does not have a valid value"}`, 400, "failed", false},
		{"gitea", "", 401, "failed", false},
	} {
		w := newWorld(t)
		w.answer = func(_ int, rw http.ResponseWriter) {
			rw.WriteHeader(c.code)
			fmt.Fprint(rw, c.body)
		}
		teller := w.teller(w.forge(c.kind))
		run := w.say(teller, w.ended("post-receive", 0))
		began := w.now
		d := w.one(w.work(teller, run))
		if d.State != c.state || (len(w.got) > 1) != c.many || w.now.Sub(began).Hours() > 3 {
			t.Errorf("%s %d %s: got %+v after %d requests", c.kind, c.code, c.body, d, len(w.got))
		}
	}
}

// A status that was held up does not take back what a newer run said.
func TestOldStatusDoesNotCoverANewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = answers(500)
	teller := w.teller(w.forge("gitea"))
	first := w.say(teller, w.ended("post-receive", 0))
	w.step(teller, first)
	w.ended("pre-receive", 1)                                               // of another gate
	w.ended("post-receive", 0, w.update("refs/heads/other", w.commit))      // of another ref
	second := w.end(w.begin("post-receive"), 0, store.Passed, store.Passed) // the same again
	w.work(teller, w.say(teller, second))
	w.work(teller, first)
	if len(w.got) != 2 || !strings.Contains(string(w.got[1].body), `"state":"success"`) {
		t.Errorf("%d requests, the last %s", len(w.got), w.got[len(w.got)-1].body)
	}
}

// A tag's status is on its commit, a deleted ref has none, and one commit under
// many refs has one.
func TestStatusOfTagsAndDeletions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.git("tag", "-a", "-m", "v", "v1", w.commit)
	tag := w.git("rev-parse", "refs/tags/v1")
	teller := w.teller(w.forge("gitea"))
	run := w.ended("post-receive", 0, w.update("refs/tags/v1", tag), w.update("refs/heads/a", w.commit),
		w.update("refs/heads/b", w.commit),
		w.update("refs/heads/gone", strings.Repeat("0", 40)))
	all := w.work(teller, w.say(teller, run))
	if len(all) != 2 || len(w.got) != 2 {
		t.Fatalf("%d deliveries, %d requests", len(all), len(w.got))
	}
	for _, got := range w.got {
		if !strings.HasSuffix(got.path, w.commit) {
			t.Errorf("got %s, want the commit %s", got.path, w.commit)
		}
	}
}

// A mirror's push of very many refs does not become as many requests.
func TestStatusesAreBounded(t *testing.T) {
	t.Parallel()
	run := store.Run{}
	for i := range 10000 {
		run.Updates = append(run.Updates, store.Update{New: fmt.Sprintf("%040x", i+1)})
	}
	if n := len(heads(run)); n != maxStatuses {
		t.Errorf("%d statuses", n)
	}
}

// named is the configured name of the world's repository.
func named(w *world) map[string]string { return map[string]string{w.repo: "app"} }

func TestARepositoryIsKnownByPathOrConfiguredName(t *testing.T) {
	t.Parallel()
	c := Config{Names: map[string]string{"/srv/team/app.git": "app"}}
	for _, test := range []struct{ repo, project, key, want string }{
		{"app", "team/app", "/srv/team/app.git", "team/app"},
		{"app", "team/app", "/srv/alice/app.git", ""},
		{"app.git", "team/app", "/srv/alice/app.git", ""},
		{"/srv/team/app.git", "team/app", "/srv/team/app.git", "team/app"},
		{"/srv/team/app.git/", "team/app", "/srv/team/app.git", "team/app"},
		{"/srv/team/app.git", "team/app", "/srv/team/app.git/../../alice/app.git", ""},
		{"*", "team/app", "/srv/alice/app.git", "team/app"},
		{"*", "team/*", "/srv/team/app.git", "team/app"},
		{"*", "team/*", "/srv/alice/app.git", ""},
		{"/srv/*.git", "*", "/srv/team/app.git", "team/app"},
		{"/srv/*.git", "*", "/srv/alice/app.git", "alice/app"},
		{"/srv/team/*.git", "team/*", "/srv/alice/app.git", ""},
		{"/srv/team/*.git", "team/*", "/srv/team/.git", ""},
	} {
		got, ok := Status{Repo: test.repo, Project: test.project}.project(c, store.Run{RepoKey: test.key, RepoName: "app"})
		if got != test.want || ok != (test.want != "") {
			t.Errorf("repo %q, project %q, of %s: %q, %v", test.repo, test.project, test.key, got, ok)
		}
	}
	c.Statuses = []Status{{Repo: "app"}, {Repo: "*"}, {Repo: "/srv/x.git"}, {Repo: "lib"}}
	want := `[[status]] repo = "lib" is neither a full path nor the name of a [[repository]]: it has no statuses`
	if got := c.Unknown(); len(got) != 1 || got[0] != want {
		t.Errorf("got %q", got)
	}
}

func TestProjectOfEveryRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.forge("gitea")
	c.Statuses[0].Repo, c.Statuses[0].Project = "*", "team/*"
	teller := w.teller(c)
	w.work(teller, w.say(teller, w.ended("post-receive", 0)))
	if len(w.got) != 1 || w.got[0].path != "/repos/team/app/statuses/"+w.commit {
		t.Errorf("got %+v", w.got)
	}
	s := Status{Kind: "gitea", API: "https://a", Project: "team/*"}
	if got, want := s.address("team/../x?y", "1"), "https://a/repos/team/..%2Fx%3Fy/statuses/1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The verdict of a branch's own lanes has a separate context, and is never good
// where a protected ref has refused the commit.
func TestStatusesOfABranchAreKeptApart(t *testing.T) {
	t.Parallel()
	old, good, bad := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)
	main := store.Update{Ref: "refs/heads/main", New: good, Protected: true, LanesRev: old}
	branch := store.Update{Ref: "refs/heads/topic", New: good, LanesRev: old}
	first := store.Update{Ref: "refs/heads/main", New: bad, Protected: true, LanesRev: bad}
	run := store.Run{Gate: "pre-receive", State: store.Failed, Updates: []store.Update{main, branch, first},
		Lanes: []store.LaneRun{
			{Update: 0, Lane: "test", Required: true, State: store.Passed}, {Update: 1, Lane: "test", Required: true,
				State: store.Failed},
			{Update: 2, Lane: "test", Required: true, State: store.Broken}}}
	var got []string
	for _, u := range heads(run) {
		got = append(got, fmt.Sprintf("%s %s %s", u.New[:1], contextOf(run, u), stateOf(run, u)))
	}
	want := []string{"b pushlane/pre-receive passed", "b pushlane/unprotected failed", "c pushlane/unprotected broken"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	nightly := store.Run{Gate: "schedule", State: store.Passed,
		Updates: []store.Update{{New: bad, Protected: true, LanesRev: bad}}}
	if got := contextOf(nightly, nightly.Updates[0]); got != "pushlane/schedule" {
		t.Errorf("a nightly run has the context %s", got)
	}
}
