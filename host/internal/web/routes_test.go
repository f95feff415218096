package web

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// access is a request of one route with the status that each visitor gets: no
// token and a wrong one, scope read, scopes run and admin, and every scope
// where the token is for another repository. {run} is a run under way, {ended}
// one that failed, {lane} the id of its lane run.
type access struct {
	request                    string
	none, read, run, elsewhere int
}

const v1 = "/api/v1/repositories"

var accesses = map[string]access{
	"GET /static/": {"GET /static/page.js", 200, 200, 200, 200},
	"GET /login":   {"GET /login", 200, 200, 200, 200},
	"POST /login":  {"POST /login", 401, 401, 401, 401},
	"POST /logout": {"POST /logout", 303, 303, 303, 303},
	"GET /metrics": {"GET /metrics", 303, 200, 200, 403},
	"GET /healthz": {"GET /healthz", 200, 200, 200, 200},
	"GET /{$}":     {"GET /", 303, 200, 200, 200},
	"GET /changes": {"GET /changes", 303, 200, 200, 200},

	"GET /r/{repo}":                    {"GET /r/REPO", 303, 200, 200, 404},
	"GET /r/{repo}/branches/{ref...}":  {"GET /r/REPO/branches/main", 303, 200, 200, 404},
	"GET /r/{repo}/runs/{run}":         {"GET /r/REPO/runs/{run}", 303, 200, 200, 404},
	"POST /r/{repo}/runs/{run}/cancel": {"POST /r/REPO/runs/{run}/cancel", 303, 403, 303, 404},
	"POST /r/{repo}/runs/{run}/rerun":  {"POST /r/REPO/runs/{ended}/rerun", 303, 403, 303, 404},
	"GET /r/{repo}/runs/{run}/artifacts/{lane}/{name...}": {
		"GET /r/REPO/runs/{ended}/artifacts/{lane}/out/report.html", 303, 200, 200, 404,
	},
	"GET /r/{repo}/runs/{run}/{lane}":        {"GET /r/REPO/runs/{ended}/test", 303, 200, 200, 404},
	"GET /r/{repo}/runs/{run}/{lane}/events": {"GET /r/REPO/runs/{ended}/test/events", 303, 200, 200, 404},
	"GET /api/v1/openapi.json":               {"GET /api/v1/openapi.json", 200, 200, 200, 200},
	"GET /api/v1/run.schema.json":            {"GET /api/v1/run.schema.json", 200, 200, 200, 200},
	"GET /api/v1/repositories":               {"GET /api/v1/repositories", 401, 200, 200, 200},
	"GET " + v1 + "/{repo}/runs":             {"GET " + v1 + "/REPO/runs", 401, 200, 200, 404},
	"GET " + v1 + "/{repo}/runs/{run}":       {"GET " + v1 + "/REPO/runs/{run}", 401, 200, 200, 404},
	"GET " + v1 + "/{repo}/runs/{run}/lanes/{lane}/log": {"GET " + v1 + "/REPO/runs/{ended}/lanes/test/log", 401, 200,
		200, 404},
	"GET " + v1 + "/{repo}/runs/{run}/lanes/{lane}/artifact": {
		"GET " + v1 + "/REPO/runs/{ended}/lanes/test/artifact?name=out/report.html", 401, 200, 200, 404},
	"POST " + v1 + "/{repo}/runs/{run}/cancel": {"POST " + v1 + "/REPO/runs/{run}/cancel", 401, 403, 200, 404},
	"POST " + v1 + "/{repo}/runs/{run}/rerun":  {"POST " + v1 + "/REPO/runs/{ended}/rerun", 401, 403, 200, 404},
	"/api/": {"GET /api/v1/nothing", 404, 404, 404, 404},
}

// elsewhere adds a repository with a run, without a folder.
func (f *fixture) elsewhere(key, name string) store.Run {
	f.t.Helper()
	run, err := f.st.Begin(context.Background(), store.NewRun{RepoKey: key, RepoName: name, Gate: "post-receive",
		Updates: []store.Update{{Ref: "refs/heads/main", New: f.commit["two"]}},
		Lanes:   []store.NewLane{{Lane: "test", Picked: true, Plugin: "shell"}}})
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

// once is a response whose client leaves after the first bytes.
type once struct {
	*httptest.ResponseRecorder
	leave context.CancelFunc
}

func (o once) Write(p []byte) (int, error) {
	n, err := o.ResponseRecorder.Write(p)
	if strings.Contains(string(p), "data: changed") {
		o.leave()
	}
	return n, err
}

// visit requests what one of accesses names, of a repository by its address.
func (f *fixture) visit(h http.Handler, request, repo, bearer string) *httptest.ResponseRecorder {
	f.t.Helper()
	under, ended := f.begin("post-receive"), f.begin("post-receive")
	f.say(ended, "line")
	f.end(ended, store.Failed)
	request = strings.NewReplacer("REPO", repo, "{run}", strconv.FormatInt(under.Number, 10),
		"{ended}", strconv.FormatInt(ended.Number, 10),
		"{lane}", strconv.FormatInt(ended.Lanes[0].ID, 10)).Replace(request)
	method, path, _ := strings.Cut(request, " ")
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, nil)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	out := once{httptest.NewRecorder(), cancel}
	h.ServeHTTP(out, r)
	return out.ResponseRecorder
}

// Every route of the site, tried by every kind of visitor. A route that is not
// in the table fails.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.elsewhere("/srv/other.git", "other")
	f.opts.Loopback = false
	f.opts.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "pushlane_runs 1") })
	h := f.handler()
	tokens := map[string]string{"wrong": NewToken(), "none": ""}
	for _, scope := range Scopes() {
		tokens[scope] = f.token(store.Token{Name: scope, Scope: scope})
		tokens["elsewhere "+scope] = f.token(store.Token{Name: "elsewhere " + scope, Scope: scope,
			Repositories: []string{"/srv/other.git"}})
	}
	var patterns []string
	for _, r := range newSite(Options{}, nil).routes(http.NotFoundHandler()) {
		patterns = append(patterns, r.pattern)
		want, known := accesses[r.pattern]
		if !known {
			t.Errorf("route %s is not in the table: who may use it?", r.pattern)
			continue
		}
		for who, token := range tokens {
			f.checkAccess(h, want, who, token)
		}
	}
	for pattern := range accesses {
		if !slices.Contains(patterns, pattern) {
			t.Errorf("%s is in the table and is not a route", pattern)
		}
	}
}

func (f *fixture) checkAccess(h http.Handler, want access, who, token string) {
	f.t.Helper()
	status := map[string]int{"none": want.none, "wrong": want.none, "read": want.read, "run": want.run, "admin": want.run,
		"elsewhere read": want.elsewhere, "elsewhere run": want.elsewhere, "elsewhere admin": want.elsewhere}[who]
	if who == "elsewhere read" && want.read == http.StatusForbidden {
		status = http.StatusForbidden
	}
	got := f.visit(h, want.request, "app", token)
	if got.Code != status {
		f.t.Errorf("%s by %s: status %d, want %d: %s", want.request, who, got.Code, status, got.Body)
	}
	if !strings.HasPrefix(who, "elsewhere") || !strings.Contains(want.request, "REPO") {
		return
	}
	none := f.visit(h, want.request, "none", token)
	if none.Code != got.Code || none.Body.String() != got.Body.String() ||
		fmt.Sprint(none.Header()) != fmt.Sprint(got.Header()) {
		f.t.Errorf("%s by %s differs from what does not exist:\n%s\n%s", want.request, who, got.Body, none.Body)
	}
}

// Lists show the repositories of the token, and paths to admins alone.
func TestListsOfATokensRepositories(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.elsewhere("/srv/other.git", "other")
	f.begin("post-receive")
	f.opts.Loopback = false
	h := f.handler()
	for _, test := range []struct {
		token      store.Token
		app, other bool
		path       bool
	}{
		{store.Token{Name: "all", Scope: "run"}, true, true, false},
		{store.Token{Name: "app", Scope: "run", Repositories: []string{f.key}}, true, false, false},
		{store.Token{Name: "both", Scope: "read", Repositories: []string{f.key, "/srv/other.git"}}, true, true, false},
		{store.Token{Name: "gone", Scope: "read", Repositories: []string{"/srv/gone.git"}}, false, false, false},
		{store.Token{Name: "root", Scope: "admin"}, true, true, true},
		{store.Token{Name: "its", Scope: "admin", Repositories: []string{"/srv/other.git"}}, false, true, true},
	} {
		bearer := "Bearer " + f.token(test.token)
		page := get(t, h, "/", "Authorization", bearer).Body.String()
		list := get(t, h, "/api/v1/repositories", "Authorization", bearer).Body.String()
		if strings.Contains(page, `href="/r/app"`) != test.app || strings.Contains(page, `href="/r/other"`) != test.other {
			t.Errorf("%s: %s", test.token.Name, page)
		}
		if strings.Contains(list, `"name":"app"`) != test.app || strings.Contains(list, `"name":"other"`) != test.other ||
			strings.Contains(list, `"path"`) != test.path || strings.Contains(page, "/srv/") {
			t.Errorf("%s: %s", test.token.Name, list)
		}
	}
}

// The changes feed tells nothing about runs of other repositories, whether
// this process changes them or another one.
func TestChangesOfATokensRepositories(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		run := f.begin("post-receive")
		other := f.elsewhere("/srv/other.git", "other")
		f.opts.Loopback = false
		h := f.handler()
		token := f.token(store.Token{Name: "ann", Scope: "admin", Repositories: []string{f.key}})
		out := lines{httptest.NewRecorder(), make(chan string, 100)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/changes", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			h.ServeHTTP(out, r)
		}()
		time.Sleep(3 * time.Second)
		for len(out.sent) > 0 {
			<-out.sent
		}
		f.record(other, store.Move{LaneRun: other.Lanes[0].ID, From: store.Queued, To: store.Starting})
		f.elsewhere("/srv/third.git", "third")
		time.Sleep(5 * time.Second)
		if len(out.sent) > 0 {
			t.Errorf("another repository's run: %q", <-out.sent)
		}
		f.end(run, store.Passed)
		time.Sleep(2 * time.Second)
		if len(out.sent) == 0 {
			t.Error("nothing about its own run")
		}
		cancel()
		<-done
	})
}

// Repositories that share a folder's name have addresses of their own, and
// none answers for another.
func TestNamesakes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin("post-receive")
	h := f.handler()
	if got := get(t, h, "/r/app/runs/1"); got.Code != http.StatusOK {
		t.Fatalf("alone: %d", got.Code)
	}
	f.elsewhere("/srv/alice/app.git", "app")
	ours := filepath.Base(f.dir) + "/app"
	index := get(t, h, "/").Body.String()
	for _, address := range []string{ours, "alice/app"} {
		escaped := strings.ReplaceAll(address, "/", "%2F")
		if !strings.Contains(index, `<a href="/r/`+escaped+`"><strong>`+address+"</strong>") {
			t.Errorf("no link to %s in\n%s", address, index)
		}
		link := `href="/r/` + escaped + `/runs/1"`
		if got := get(t, h, "/r/"+escaped); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), link) {
			t.Errorf("%s: %d %s", address, got.Code, got.Body)
		}
		got := get(t, h, "/api/v1/repositories/"+escaped+"/runs")
		if strings.Contains(got.Body.String(), "feature/new") != (address == ours) {
			t.Errorf("%s: %s", address, got.Body)
		}
	}
	want := fmt.Sprintf(`{"error":"More than one repository is called \"app\". Use one of: %s, alice/app."}`, ours)
	got := get(t, h, "/api/v1/repositories/app/runs")
	if got.Code != http.StatusNotFound || strings.TrimSpace(got.Body.String()) != want {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	f.opts.Loopback = false
	alices := store.Token{Name: "ann", Scope: "read", Repositories: []string{"/srv/alice/app.git"}}
	bearer := []string{"Authorization", "Bearer " + f.token(alices)}
	for path, want := range map[string]int{"/r/app": 200, "/r/alice%2Fapp": 200, "/r/srv%2Falice%2Fapp": 200,
		"/r/" + strings.ReplaceAll(ours, "/", "%2F"): 404, "/r/app/runs/1/test?raw=1": 404} {
		got := get(t, f.handler(), path, bearer...)
		if got.Code != want || strings.Contains(got.Body.String(), ours) ||
			strings.Contains(got.Body.String(), "feature/new") {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}

// Names of artifacts and branches are data: every byte of them leads where the
// link says.
func TestLinksToOddNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("post-receive")
	var files []store.File
	names := []string{"100%.txt", "a%41b", "%2e%2e/x", "q?x=1#y", "a b/c+d&e;f", `"<i>`, "é%C3%A9"}
	for i, name := range names {
		path := filepath.Join(f.dir, fmt.Sprint("file", i))
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, store.File{Name: name, Path: path, Size: int64(len(name))})
	}
	f.record(run, store.Result{LaneRun: run.Lanes[0].ID, State: store.Passed, Artifacts: files},
		store.End{State: store.Passed})
	h := f.handler()
	page := get(t, h, "/r/app/runs/1").Body.String()
	var got []string
	for link := range strings.SplitSeq(page, `href="`) {
		link, _, _ = strings.Cut(link, `"`)
		if strings.Contains(link, "/artifacts/") {
			got = append(got, get(t, h, html.UnescapeString(link)).Body.String())
		}
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("\n got %q\nwant %q", got, names)
	}
	f.git(f.key, "branch", "100%41#x", "main")
	list := get(t, h, "/r/app?branch=100%2541%23x").Body.String()
	_, link, _ := strings.Cut(list, `href="/r/app/branches/`)
	link, _, _ = strings.Cut(link, `"`)
	branch := get(t, h, "/r/app/branches/"+link)
	if branch.Code != http.StatusOK || !strings.Contains(branch.Body.String(), "<h1>100%41#x</h1>") {
		t.Errorf("branch %q: %d", link, branch.Code)
	}
}
