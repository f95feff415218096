package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/runjson/runjsontest"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/web/api"
)

func get(t *testing.T, h http.Handler, path string, head ...string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(h, http.MethodGet, path, "", head...)
}

func ask(h http.Handler, method, path, body string, head ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:7331"
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(head); i += 2 {
		if r.Header.Set(head[i], head[i+1]); head[i] == "Host" {
			r.Host = head[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("pre-receive")
	f.say(run, "--- prepare", "one", "+++ tests", "\x1b[1;31mred\x1b[0m "+evil)
	f.end(run, store.Failed)
	h := f.handler()
	for path, want := range map[string][]string{
		"/":      {`<a href="/r/app">`, "run #1", "0 of 1 lanes passed"},
		"/r/app": {"run #1</a>", `class="state failed">failed</span>`, "refused", "feature/new"},
		"/r/app/runs/1": {"run #1 failed · 0 passed · queued", "picked: <code>prices.txt</code> matches <code>*.txt</code>",
			"docs</strong> no changed path matches docs/**",
			`<tr class="add"><td class="n"></td><td class="n">1</td><td>&#43;price = 2</td></tr>`, "too dear", "not in the diff",
			"about nothing in particular", "Rerun failed lanes",
			"judged by the lanes of", `<a href="/r/app/runs/1/artifacts/1/out/report.html">`},
		"/r/app/runs/1/test": {`id="L4"`, `<span class="f2 bo">red</span>`, "<summary>prepare</summary>",
			"<details open><summary>tests</summary>", "&lt;script&gt;"},
		"/r/app/branches/feature/new": {"<dt>State</dt><dd>open</dd>", "Walk-through: 2 steps", "Raise the price",
			"It was one for a long time.", "Say more", "more.txt", "price = 2"},
		"/r/app/branches/merged": {"<dt>State</dt><dd>merged</dd>", f.commit["merge"], "To be merged",
			"Walk-through: 1 step<"},
		"/r/app/branches/main":            {"the default branch"},
		"/r/app?branch=feature/new":       {"run #1</a>", `branch feature/new</a>`},
		"/r/app?state=passed":             {"No matching runs."},
		"/api/v1/repositories/app/runs/1": {`"state":"failed"`, `"lanes_rev":"` + f.commit["base"]},
	} {
		got := get(t, h, path)
		if got.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, got.Code)
		}
		for _, text := range want {
			if !strings.Contains(got.Body.String(), text) {
				t.Errorf("%s has no %s\n%s", path, text, got.Body)
			}
		}
		for _, text := range []string{"<script>window", "<img", "\x1b", "\u202e", "\u2028"} {
			if strings.Contains(got.Body.String(), text) && !strings.HasPrefix(path, "/api/") {
				t.Errorf("%s holds %q", path, text)
			}
		}
	}
	for _, path := range []string{"/r/none", "/r/app/runs/2", "/r/app/runs/x", "/r/app/runs/1/none",
		"/r/app/branches/none", "/r/app/runs/1/artifacts/1/../../../etc/passwd", "/api/v1/nothing", "/nothing"} {
		if got := get(t, h, path); got.Code != http.StatusNotFound && got.Code != http.StatusMovedPermanently &&
			got.Code != http.StatusTemporaryRedirect {
			t.Errorf("%s: status %d", path, got.Code)
		}
	}
	got := get(t, h, "/r/app/runs/1/artifacts/1/out/report.html")
	if got.Header().Get("Content-Type") != "application/octet-stream" ||
		!strings.HasPrefix(got.Header().Get("Content-Disposition"), "attachment;") ||
		got.Header().Get("Content-Security-Policy") != "sandbox" {
		t.Errorf("an artifact is shown: %v", got.Header())
	}
}

// A live log is complete even if it is opened late, goes on after a lost
// connection where it was, and says when it has ended.
func TestLiveLog(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("post-receive")
	f.say(run, "one", "two")
	server := f.server()
	read := func(lastID string) (ids []string, text string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/r/app/runs/1/test/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		if lastID != "" {
			req.Header.Set("Last-Event-ID", lastID)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				ids = append(ids, strings.TrimSpace(id))
			}
		}
		return ids, string(data)
	}
	go func() {
		f.say(run, "three "+evil)
		f.end(run, store.Passed)
	}()
	ids, text := read("")
	if len(ids) != 3 || strings.Contains(text, "<script>") || !strings.Contains(text, "event: end") {
		t.Errorf("got %v\n%s", ids, text)
	}
	if again, text := read(ids[0]); len(again) != 2 || strings.Contains(text, ">one<") ||
		!strings.Contains(text, `"n":2`) {
		t.Errorf("going on after the first line: %v\n%s", again, text)
	}
}

// A client that never reads holds nothing but its own connection: others are
// served, and it is dropped.
func TestClientThatNeverReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("post-receive")
	for range 2000 {
		f.say(run, strings.Repeat("x", 4000))
	}
	server := f.server()
	resp, err := server.Client().Get(server.URL + "/r/app/runs/1/test/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // and nothing is read from it
	if got, err := server.Client().Get(server.URL + "/r/app/runs/1"); err != nil || got.StatusCode != http.StatusOK {
		t.Errorf("others are not served: %v", err)
	} else {
		got.Body.Close()
	}
	f.say(run, "a writer is not held up")
	f.end(run, store.Passed)
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("post-receive")
	f.opts.Loopback = false
	h := f.handler()
	tokens := map[string]string{}
	for _, scope := range Scopes() {
		tokens[scope] = NewToken()
		if err := f.st.Tokens().Add(t.Context(), store.Token{Name: scope, Scope: scope,
			Hash: HashToken(tokens[scope])}); err != nil {
			t.Fatal(err)
		}
	}
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	if got := get(t, h, "/r/app"); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/login" {
		t.Errorf("without a token: %d", got.Code)
	}
	if got := get(t, h, "/api/v1/repositories"); got.Code != http.StatusUnauthorized ||
		got.Body.String() != `{"error":"a token is required"}`+"\n" {
		t.Errorf("without a token: %d %s", got.Code, got.Body)
	}
	if got := get(t, h, "/r/app", bearer("pl_wrong")...); got.Code != http.StatusSeeOther {
		t.Errorf("a wrong token: %d", got.Code)
	}
	if got := get(t, h, "/r/app", bearer(tokens["read"])...); got.Code != http.StatusOK ||
		strings.Contains(got.Body.String(), "<button id=") {
		t.Errorf("scope read: %d", got.Code)
	}
	if got := ask(h, http.MethodPost, "/r/app/runs/1/cancel", "x=1",
		bearer(tokens["read"])...); got.Code != http.StatusForbidden {
		t.Errorf("scope read cancels: %d", got.Code)
	}
	if got := ask(h, http.MethodPost, "/r/app/runs/1/cancel", "x=1",
		bearer(tokens["run"])...); got.Code != http.StatusSeeOther {
		t.Errorf("scope run: %d %s", got.Code, got.Body)
	}
	if r, err := f.st.RunByID(t.Context(), run.ID); err != nil || r.CancelBy != "run" {
		t.Errorf("cancelled by %q, %v", r.CancelBy, err)
	}
	f.checkLogin(t, h, tokens["run"])
}

// checkLogin logs in with the form, and tries to rerun with and without what
// the session's forms bring back.
func (f *fixture) checkLogin(t *testing.T, h http.Handler, token string) {
	t.Helper()
	if got := ask(h, http.MethodPost, "/login", "token=pl_wrong"); got.Code != http.StatusUnauthorized ||
		!strings.Contains(got.Body.String(), "Unknown token.") {
		t.Errorf("a wrong log-in: %d", got.Code)
	}
	in := ask(h, http.MethodPost, "/login", "token="+url.QueryEscape(token))
	cookies := in.Result().Cookies()
	if in.Code != http.StatusSeeOther || len(cookies) != 1 || !cookies[0].HttpOnly ||
		cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("log-in: %d %v", in.Code, cookies)
	}
	cookie := []string{"Cookie", cookies[0].Name + "=" + cookies[0].Value}
	page := get(t, h, "/r/app/runs/1", cookie...).Body.String()
	_, after, _ := strings.Cut(page, `name="form" value="`)
	form, _, _ := strings.Cut(after, `"`)
	if form == "" {
		t.Fatalf("no form in\n%s", page)
	}
	if got := ask(h, http.MethodPost, "/r/app/runs/1/rerun", "what=all", cookie...); got.Code != http.StatusForbidden {
		t.Errorf("a forged form: %d", got.Code)
	}
	if got := ask(h, http.MethodPost, "/r/app/runs/1/rerun", "form="+form,
		append(cookie, "Sec-Fetch-Site", "cross-site")...); got.Code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", got.Code)
	}
	// it runs still
	if got := ask(h, http.MethodPost, "/r/app/runs/1/rerun", "form="+form,
		append(cookie, "Sec-Fetch-Site", "same-origin")...); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("our own form: %d %s", got.Code, got.Body)
	}
	ask(h, http.MethodPost, "/logout", "x=1", cookie...)
	if got := get(t, h, "/r/app", cookie...); got.Code != http.StatusSeeOther {
		t.Errorf("after logging out: %d", got.Code)
	}
}

func TestLoopbackAnswersToItsOwnNameAlone(t *testing.T) {
	t.Parallel()
	h := newFixture(t).handler()
	for host, want := range map[string]int{"localhost:7331": 200, "127.0.0.1:7331": 200, "[::1]:7331": 200,
		"evil.example:7331": 421, "127.0.0.1.evil.example": 421, "": 421} {
		if got := get(t, h, "/", "Host", host); got.Code != want {
			t.Errorf("%q: status %d, want %d", host, got.Code, want)
		}
	}
	for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"} {
		if get(t, h, "/").Header().Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
	if got := ask(h, http.MethodPost, "/r/app/runs/1/rerun", "x=1", "Origin",
		"https://evil.example"); got.Code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", got.Code)
	}
}

func TestColored(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                            "plain",
		"\x1b[31mred\x1b[0m off":           `<span class="f2">red</span> off`,
		"\x1b[1;92;44mx\x1b[22;39my":       `<span class="f11 b5 bo">x</span><span class="b5">y</span>`,
		"\x1b[38;5;196mx\x1b[48;2;1;2;3my": "xy",
		"\x1b[mx\x1b[;4my":                 `x<span class="un">y</span>`,
		"<b>&\"'":                          "&lt;b&gt;&amp;&#34;&#39;",
		"\x1b[31":                          "[31",
		"\x1b]8;;http://x\x1b\\t":          `]8;;http://x\t`,
		"a\x00b\u202ec\x9b31m":             "abc\ufffd31m",
		"\x1b[99999999999999999999mx":      "x",
	} {
		if got := string(colored(in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func FuzzColored(f *testing.F) {
	f.Add("\x1b[1;31mx\x1b]8;;\x07")
	f.Fuzz(func(t *testing.T, in string) {
		got := string(colored(in))
		plain := strings.NewReplacer("</span>", "").Replace(got)
		for strings.Contains(plain, `<span class="`) {
			a, b, _ := strings.Cut(plain, `<span class="`)
			_, b, _ = strings.Cut(b, `">`)
			plain = a + b
		}
		if strings.ContainsAny(plain, "<>\x1b") {
			t.Errorf("%q becomes %q", in, got)
		}
	})
}

// The client reads what the API says, and every answer is what the
// description says.
func TestAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("post-receive")
	f.say(run, "\x1b[31mone\x1b[0m")
	f.end(run, store.Failed)
	server := f.server()
	c := api.Client{URL: server.URL}
	ctx := t.Context()
	var repos []api.Repository
	res, err := http.Get(server.URL + "/api/v1/repositories")
	if err == nil {
		err = json.NewDecoder(res.Body).Decode(&repos)
		res.Body.Close()
	}
	if err != nil || len(repos) != 1 || repos[0].Name != "app" || !repos[0].Served {
		t.Errorf("got %+v, %v", repos, err)
	}
	runs, err := c.Runs(ctx, "app", "feature/new", "failed", 0)
	if err != nil || len(runs) != 1 || runs[0].Number != 1 || runs[0].Counts.Lanes != 1 || runs[0].QueuedMS == nil {
		t.Errorf("got %+v, %v", runs, err)
	}
	one, err := c.Run(ctx, "app", 1)
	if err != nil || len(one.LaneRuns) != 1 || len(one.LaneRuns[0].Findings) != 3 || len(one.Events) == 0 {
		t.Errorf("got %+v, %v", one, err)
	}
	var log strings.Builder
	if err := c.Log(ctx, "app", 1, "test", &log); err != nil || log.String() != "one\n" {
		t.Errorf("got %q, %v", log.String(), err)
	}
	var file, other strings.Builder
	stored := one.LaneRuns[0].Stored()
	if err := c.Artifact(ctx, "app", 1, stored[0], &other); err == nil || err.Error() != "unexpected EOF" {
		t.Errorf("less than is recorded: %v", err)
	}
	stored[0].Size--
	if err := c.Artifact(ctx, "app", 1, stored[0], &file); err != nil || int64(file.Len()) != stored[0].Size {
		t.Errorf("got %q of %+v, %v", file.String(), stored, err)
	}
	stored[0].Size--
	if err := c.Artifact(ctx, "app", 1, stored[0], &other); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("more than is recorded: %v", err)
	}
	stored[0].Name = "../report.html"
	if err := c.Artifact(ctx, "app", 1, stored[0], &other); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("an artifact that is not stored: %v", err)
	}
	again, err := c.Rerun(ctx, "app", 1, true)
	if err != nil || again.Number != 2 || again.RerunOf != 1 || again.State != "queued" {
		t.Errorf("got %+v, %v", again, err)
	}
	ended, err := c.Cancel(ctx, "app", 2)
	if err != nil || ended.State != "cancelled" {
		t.Errorf("got %+v, %v", ended, err)
	}
	if _, err := c.Cancel(ctx, "app", 2); err == nil || !strings.HasPrefix(err.Error(), "the host responded with 409: ") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Run(ctx, "app", 99); err == nil || err.Error() != "the host responded with 404: Not found." {
		t.Errorf("got %v", err)
	}
	f.checkDescription(t, server.URL)
}

// checkDescription compares real answers with what the description says: every
// operation has an id of its own, every answer only what is described.
func (f *fixture) checkDescription(t *testing.T, base string) {
	t.Helper()
	var doc struct {
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
		Components struct {
			Schemas map[string]struct {
				Ref        string `json:"$ref"`
				Properties map[string]any
				Required   []string
			}
		}
	}
	fetchJSON(t, base+"/api/v1/openapi.json", &doc)
	var ids []string
	for _, operations := range doc.Paths {
		for _, o := range operations {
			ids = append(ids, o.OperationID)
		}
	}
	slices.Sort(ids)
	if want := []string{"cancelRun", "getLaneArtifact", "getLaneLog", "getRun", "listRepositories", "listRuns",
		"rerunRun"}; !slices.Equal(ids, want) || len(doc.Servers) != 1 || doc.Servers[0].URL != "/" {
		t.Errorf("operations %q at %v, want %q", ids, doc.Servers, want)
	}
	if ref := doc.Components.Schemas["Run"].Ref; ref != "run.schema.json" {
		t.Errorf("a run is described by %q", ref)
	}
	if schema := fetch(t, base+"/api/v1/run.schema.json"); string(schema) != string(runjson.Schema) {
		t.Errorf("the schema of a run is %s", schema)
	}
	for number := range 2 {
		runjsontest.Check(t, fetch(t, fmt.Sprint(base, "/api/v1/repositories/app/runs/", number+1)))
	}
	runjsontest.CheckList(t, fetch(t, base+"/api/v1/repositories/app/runs"))
	var repos []map[string]any
	fetchJSON(t, base+"/api/v1/repositories", &repos)
	described := doc.Components.Schemas["Repository"]
	for _, key := range described.Required {
		if _, there := repos[0][key]; !there {
			t.Errorf("a repository has no %s", key)
		}
	}
	for key := range repos[0] {
		if _, known := described.Properties[key]; !known {
			t.Errorf("%s of a repository is not described", key)
		}
	}
}

func fetch(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func fetchJSON(t *testing.T, address string, into any) {
	t.Helper()
	if err := json.Unmarshal(fetch(t, address), into); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkPages reports the time to the first byte with 10,000 runs of 10
// lanes.
//
//	go test -run '^$' -bench Pages ./host/internal/web
func BenchmarkPages(b *testing.B) {
	f := newFixture(b)
	f.fill(10_000, 10)
	server := f.server()
	for name, path := range map[string]string{"repositories": "/", "runs": "/r/app", "branch-runs": "/r/app?branch=b7",
		"old-runs": "/r/app?before=5000", "run": "/r/app/runs/9000", "lane": "/r/app/runs/9000/lane-3"} {
		b.Run(name, func(b *testing.B) {
			var total time.Duration
			for b.Loop() {
				began := time.Now()
				resp, err := server.Client().Get(server.URL + path)
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(resp, err)
				}
				total += time.Since(began)
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "ms/first-byte")
		})
	}
}

func (f *fixture) fill(runs, lanes int) {
	f.t.Helper()
	for i := range runs {
		n := store.NewRun{RepoKey: f.key, RepoName: "app", Gate: "pre-receive", Pusher: "ann",
			Updates: []store.Update{{Ref: fmt.Sprint("refs/heads/b", i%100), Old: f.commit["base"], New: f.commit["two"],
				Base: f.commit["base"], Protected: true}}}
		for k := range lanes {
			n.Lanes = append(n.Lanes, store.NewLane{Lane: fmt.Sprint("lane-", k), Title: fmt.Sprint("lane-", k), Picked: true,
				Reason: "no paths", Plugin: "files", Required: true})
		}
		run, err := f.st.Begin(context.Background(), n)
		if err != nil {
			f.t.Fatal(err)
		}
		var changes []store.Change
		for _, l := range run.Lanes {
			changes = append(changes, store.Move{LaneRun: l.ID, From: store.Queued, To: store.Starting},
				store.Move{LaneRun: l.ID, From: store.Starting, To: store.Running},
				store.Result{LaneRun: l.ID, State: store.Passed})
		}
		f.record(run, append(changes, store.End{State: store.Passed})...)
	}
}
