package tell

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/pushlane/pushlane/host/internal/store"
)

// world is a real store, a real repository and a receiver of messages.
type world struct {
	t      *testing.T
	st     *store.Store
	dir    string
	repo   string
	commit string

	mu       sync.Mutex
	got      []received
	answer   func(n int) int // status of the n-th answer, from 0
	receiver *httptest.Server
}

type received struct {
	path string
	head http.Header
	body []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), answer: func(int) int { return http.StatusOK }}
	w.repo = filepath.Join(w.dir, "app.git")
	w.run("git", "init", "-q", "--bare", w.repo)
	tree := w.run("git", "--git-dir="+w.repo, "mktree")
	w.commit = w.run("git", "--git-dir="+w.repo, "commit-tree", "-m", "x", tree)
	w.run("git", "--git-dir="+w.repo, "update-ref", "refs/heads/main", w.commit)
	var err error
	if w.st, err = store.Open(t.Context(), filepath.Join(w.dir, "db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.st.Close() })
	w.receiver = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		rw.WriteHeader(w.answer(len(w.got)))
		w.got = append(w.got, received{r.URL.EscapedPath(), r.Header, body})
	}))
	t.Cleanup(w.receiver.Close)
	return w
}

func (w *world) run(name string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) secret(text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// ended is a run with one lane that passed and one that did not.
func (w *world) ended(gate string, exit int) store.Run {
	w.t.Helper()
	ctx := w.t.Context()
	run, err := w.st.Begin(ctx, store.NewRun{RepoKey: w.repo, RepoName: "app", Gate: gate, Pusher: "ann", At: time.Now().Add(-3 * time.Second),
		Updates: []store.Update{{Ref: "refs/heads/main", Old: strings.Repeat("0", 40), New: w.commit, Base: strings.Repeat("0", 40)}},
		Lanes:   []store.NewLane{{Lane: "lint", Title: "lint", Picked: true, Plugin: "files"}, {Lane: "test", Title: "test", Picked: true, Plugin: "shell"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	var changes []store.Change
	for i, state := range []store.State{store.Passed, store.Failed} {
		id := run.Lanes[i].ID
		changes = append(changes, store.Move{LaneRun: id, From: store.Queued, To: store.Starting}, store.Move{LaneRun: id, From: store.Starting, To: store.Running},
			store.Result{LaneRun: id, State: state, Message: "so"})
	}
	if err := w.st.Record(ctx, run.ID, append(changes, store.End{State: store.Failed, Exit: exit})...); err != nil {
		w.t.Fatal(err)
	}
	if run, err = w.st.RunByID(ctx, run.ID); err != nil {
		w.t.Fatal(err)
	}
	return run
}

func (w *world) teller(c Config) *Teller {
	w.t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	teller, err := New(c, w.st, log)
	if err != nil {
		w.t.Fatal(err)
	}
	return teller
}

// work delivers all that is due now, and what becomes due, until the outbox is
// as wanted.
func (w *world) work(t *Teller, run store.Run, done func([]store.Delivery) bool) []store.Delivery {
	w.t.Helper()
	for range 200 {
		d, ok, err := w.st.ClaimDelivery(w.t.Context(), time.Now().Add(48*time.Hour), time.Millisecond)
		if err != nil {
			w.t.Fatal(err)
		}
		if ok {
			t.deliver(w.t.Context(), d)
		}
		all, err := w.st.DeliveriesOf(w.t.Context(), run.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		if done(all) {
			return all
		}
	}
	w.t.Fatal("the outbox never came to its end")
	return nil
}

func settled(all []store.Delivery) bool {
	for _, d := range all {
		if d.State == "waiting" {
			return false
		}
	}
	return len(all) > 0
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = func(n int) int { return []int{500, 429, 200, 200}[n] }
	teller := w.teller(Config{URL: "https://ci.example.org", Webhooks: []Webhook{{URL: w.receiver.URL + "/hook", SecretFile: w.secret("hush"), Events: []string{"run.ended"}}}})
	run := w.ended("pre-receive", 1)
	for _, tell := range []func(context.Context, store.Run) error{teller.Queued, teller.Started, teller.Ended} {
		if err := tell(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	all := w.work(teller, run, settled)
	if len(all) != 1 || all[0].State != "done" || all[0].Attempts != 3 || len(w.got) != 3 {
		t.Fatalf("got %+v after %d requests", all, len(w.got))
	}
	got := w.got[2]
	var m Message
	if err := json.Unmarshal(got.body, &m); err != nil {
		t.Fatal(err)
	}
	if m.Event != "run.ended" || m.Repository != "app" || m.State != "failed" || m.URL != "https://ci.example.org/r/app/runs/1" || len(m.Lanes) != 2 || m.Lanes[1].State != "failed" || m.Updates[0].New != w.commit {
		t.Errorf("got %+v", m)
	}
	if want := "sha256=" + Sign("hush", got.head.Get("X-Pushlane-Timestamp"), got.body); got.head.Get("X-Pushlane-Signature-256") != want || got.head.Get("X-Pushlane-Event") != "run.ended" {
		t.Errorf("got %v, want the signature %s", got.head, want)
	}
	if Sign("hush", "1", got.body) == Sign("hush", "2", got.body) {
		t.Error("an old message can be sent again under a new time")
	}
}

// What another attempt cannot change is not tried again; a redirect is not
// followed.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusGone, http.StatusFound} {
		w := newWorld(t)
		w.answer = func(int) int { return status }
		teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}})
		run := w.ended("post-receive", 1)
		if err := teller.Ended(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		all := w.work(teller, run, settled)
		if len(w.got) != 1 || all[0].State != "failed" || !strings.Contains(all[0].Error, fmt.Sprint(status)) {
			t.Errorf("%d: got %+v after %d requests", status, all, len(w.got))
		}
	}
	if retryAfter(1) == 0 || retryAfter(40) != 0 || retryAfter(2) > time.Minute {
		t.Errorf("got %s, %s and %s", retryAfter(1), retryAfter(2), retryAfter(40))
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct{ path, head, state string }{
		"gitea":  {"/repos/team/app/statuses/", "Authorization: token hush", `"state":"failure"`},
		"github": {"/repos/team/app/statuses/", "Authorization: Bearer hush", `"state":"failure"`},
		"gitlab": {"/projects/team%2Fapp/statuses/", "PRIVATE-TOKEN: hush", `"state":"failed"`},
	} {
		w := newWorld(t)
		teller := w.teller(Config{URL: "https://ci", Statuses: []Status{{Repo: "app", Kind: kind, API: w.receiver.URL, Project: "team/app", TokenFile: w.secret("hush")}}})
		refused := w.ended("pre-receive", 1)
		if err := teller.Ended(t.Context(), refused); err != nil {
			t.Fatal(err)
		}
		if all, err := w.st.DeliveriesOf(t.Context(), refused.ID); err != nil || len(all) != 0 {
			t.Errorf("%s is told of a commit it does not have: %v, %v", kind, all, err)
		}
		run := w.ended("post-receive", 0)
		if err := teller.Ended(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		w.work(teller, run, settled)
		name, value, _ := strings.Cut(want.head, ": ")
		if len(w.got) != 1 || w.got[0].path != want.path+w.commit || w.got[0].head.Get(name) != value {
			t.Errorf("%s: got %+v", kind, w.got)
			continue
		}
		for _, text := range []string{want.state, `"context":"pushlane/post-receive"`, `"description":"run #2: 1 of 2 lanes passed; not: test"`, `"target_url":"https://ci/r/app/runs/2"`} {
			if !strings.Contains(string(w.got[0].body), text) {
				t.Errorf("%s: no %s in %s", kind, text, w.got[0].body)
			}
		}
	}
}

// Notes of runs that end at once lose nothing, the same run told twice is
// there once, and each line's signature holds.
func TestNotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := filepath.Join(w.dir, "key")
	w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pushlane", "-f", key)
	teller := w.teller(Config{Notes: true, NotesKey: key})
	const n = 12
	var wg sync.WaitGroup
	for range n {
		run := w.ended("post-receive", 0)
		wg.Go(func() {
			for range 2 {
				if err := teller.writeNotes(t.Context(), run.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	text := w.run("git", "--git-dir="+w.repo, "notes", "--ref=pushlane", "show", w.commit)
	lines := strings.Split(text, "\n")
	if len(lines) != 2*n {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), 2*n, text)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	allowed := filepath.Join(w.dir, "allowed")
	if err := os.WriteFile(allowed, append([]byte("host "), public...), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		if err := w.verify(line, allowed); err != nil {
			t.Errorf("line %d: %v", i, err)
		}
	}
	if err := w.verify(strings.Replace(lines[0], `"verdict":"`, `"verdict":"not `, 1), allowed); err == nil {
		t.Error("a changed verdict has a good signature")
	}
	if refs := w.run("git", "--git-dir="+w.repo, "for-each-ref"); strings.Contains(refs, "pushlane-notes-") {
		t.Errorf("left behind:\n%s", refs)
	}
}

// verify checks a note's signature as its README says.
func (w *world) verify(line, allowed string) error {
	var n Note
	if err := json.Unmarshal([]byte(line), &n); err != nil {
		return err
	}
	sig, err := base64.StdEncoding.DecodeString(n.Sig)
	if err != nil || len(sig) == 0 {
		return errors.Join(err, errors.New("no signature"))
	}
	n.Sig = ""
	f, err := os.CreateTemp(w.dir, "sig")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(sig); err != nil {
		return err
	}
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-n", "pushlane-note", "-I", "host", "-f", allowed, "-s", f.Name())
	cmd.Stdin = bytes.NewReader(mustJSON(n))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func TestNotesOfACommitThatIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := addNote(t.Context(), w.repo, strings.Repeat("1", 40), []string{"{}"})
	if !errors.As(err, new(permanentError)) || !strings.Contains(err.Error(), "is not in the repository") {
		t.Errorf("got %v", err)
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = func(n int) int { return []int{503, 200}[n] }
	teller := w.teller(Config{OTLP: w.receiver.URL})
	run := w.ended("post-receive", 0)
	if err := teller.Ended(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	all := w.work(teller, run, settled)
	if all[0].State != "done" || len(w.got) != 2 || w.got[1].path != "/v1/traces" {
		t.Fatalf("got %+v, %d requests", all, len(w.got))
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(w.got[1].body, &request); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	parents := 0
	for _, s := range request.ResourceSpans[0].ScopeSpans[0].Spans {
		for _, a := range s.Attributes {
			seen[s.Name+" "+a.Key] = a.Value.GetStringValue()
		}
		if len(s.ParentSpanId) > 0 {
			parents++
		}
		if s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("%s ends before it begins", s.Name)
		}
	}
	for key, want := range map[string]string{"RUN app post-receive cicd.pipeline.result": "failure", "test cicd.pipeline.task.run.result": "failure",
		"lint cicd.pipeline.task.run.result": "success", "RUN app post-receive vcs.ref.head.revision": w.commit} {
		if seen[key] != want {
			t.Errorf("%s is %q, want %q", key, seen[key], want)
		}
	}
	if parents != 2 {
		t.Errorf("%d spans have a parent, want the two lanes", parents)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{})
	if err := teller.Ended(t.Context(), w.ended("pre-receive", 1)); err != nil {
		t.Fatal(err)
	}
	rw := httptest.NewRecorder()
	teller.Metrics().ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{`pushlane_runs_total{gate="pre-receive",state="failed"} 1`, `pushlane_lane_runs_total{gate="pre-receive",state="passed"} 1`,
		`pushlane_runs_open{state="queued"} 0`, `pushlane_run_seconds_count{gate="pre-receive",state="failed"} 1`, "process_resident_memory_bytes"} {
		if !strings.Contains(rw.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, rw.Body)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.secret("x")
	for want, c := range map[string]Config{
		`cannot tell webhook http://far.example/: "http://far.example/" is not an https address`:          {Webhooks: []Webhook{{URL: "http://far.example/"}}},
		`cannot tell webhook https://a: there is no event "run", only run.queued, run.started, run.ended`: {Webhooks: []Webhook{{URL: "https://a", Events: []string{"run"}}}},
		`cannot tell https://a of statuses: kind is "svn", want gitea, github or gitlab`:                  {Statuses: []Status{{Kind: "svn", API: "https://a", TokenFile: good}}},
		`cannot tell https://a of statuses: project is empty`:                                             {Statuses: []Status{{Kind: "gitea", Repo: "*", API: "https://a", TokenFile: good}}},
		`cannot send spans: "ftp://x" is not an https address`:                                            {OTLP: "ftp://x"},
		"cannot sign notes: stat " + w.dir + "/none: no such file or directory":                           {NotesKey: w.dir + "/none"},
		"cannot tell https://a of statuses: open " + w.dir + "/none: no such file or directory":           {Statuses: []Status{{Kind: "gitea", Repo: "app", API: "https://a", TokenFile: w.dir + "/none"}}},
	} {
		if _, err := New(c, w.st, logrus.New()); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
