package notify

import (
	"context"
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

	"github.com/pushlane/pushlane/host/internal/store"
)

func TestMain(m *testing.M) {
	if address := os.Getenv("TELL_TEST_CHILD"); address != "" {
		if err := workForever(os.Getenv("TELL_TEST_STORE"), address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// workForever is a host that works an outbox until it is killed.
func workForever(path, address string) error {
	st, err := store.Open(context.Background(), path)
	if err != nil {
		return err
	}
	teller, err := New(Config{Webhooks: []Webhook{{URL: address}}}, st, logrus.New())
	if err != nil {
		return err
	}
	teller.Run(context.Background())
	return nil
}

// world is a real store, a real repository and a receiver of messages.
type world struct {
	t      *testing.T
	st     *store.Store
	dir    string
	repo   string
	commit string
	now    time.Time // of the tellers, which work moves on

	mu       sync.Mutex
	got      []received
	answer   func(n int, rw http.ResponseWriter) // the n-th answer, from 0
	receiver *httptest.Server
}

type received struct {
	path string
	head http.Header
	body []byte
}

func newWorld(t *testing.T) *world { return newWorldOf(t, "sha1") }

func newWorldOf(t *testing.T, hash string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Now(), answer: answers()}
	w.repo = filepath.Join(w.dir, "app.git")
	w.run("git", "init", "-q", "--bare", "-b", "main", "--object-format="+hash, w.repo)
	tree := w.git("mktree")
	w.commit = w.git("commit-tree", "-m", "x", tree)
	w.git("update-ref", "refs/heads/main", w.commit)
	var err error
	if w.st, err = store.Open(t.Context(), filepath.Join(w.dir, "db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.st.Close() })
	w.receiver = httptest.NewServer(w)
	t.Cleanup(w.receiver.Close)
	return w
}

// ServeHTTP keeps what comes.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	n := len(w.got)
	w.got = append(w.got, received{r.URL.EscapedPath(), r.Header, body})
	w.mu.Unlock()
	w.answer(n, rw)
}

// answers is with one status after the other, then with 200.
func answers(list ...int) func(int, http.ResponseWriter) {
	return func(n int, rw http.ResponseWriter) {
		if n < len(list) {
			rw.Header().Set("Location", "/elsewhere")
			rw.WriteHeader(list[n])
		}
	}
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	return w.run("git", append([]string{"--git-dir=" + w.repo}, args...)...)
}

func (w *world) run(name string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T",
		"GIT_COMMITTER_EMAIL=t@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) write(name, text string, mode os.FileMode) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) secret(text string) string { return w.write("secret", text+"\n", 0o600) }

// begin is a run of two lanes that waits.
func (w *world) begin(gate string, updates ...store.Update) store.Run {
	w.t.Helper()
	if updates == nil {
		updates = []store.Update{w.update("refs/heads/main", w.commit)}
	}
	run, err := w.st.Begin(w.t.Context(), store.NewRun{RepoKey: w.repo, RepoName: "app", Gate: gate, Pusher: "ann",
		At: w.now.Add(-3 * time.Second), Updates: updates,
		Lanes: []store.NewLane{{Lane: "lint", Title: "lint", Picked: true, Plugin: "files"},
			{Lane: "test", Title: "test", Picked: true, Plugin: "shell"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func (w *world) update(ref, object string) store.Update {
	zero := strings.Repeat("0", len(w.commit))
	return store.Update{Ref: ref, Old: zero, New: object, Base: zero, Protected: true}
}

// ended is a run with one lane that passed and one that did not.
func (w *world) ended(gate string, exit int, updates ...store.Update) store.Run {
	w.t.Helper()
	return w.end(w.begin(gate, updates...), exit, store.Passed, store.Failed)
}

func (w *world) end(run store.Run, exit int, lanes ...store.State) store.Run {
	w.t.Helper()
	var changes []store.Change
	for i, state := range lanes {
		id := run.Lanes[i].ID
		changes = append(changes, store.Move{LaneRun: id, From: store.Queued, To: store.Starting},
			store.Move{LaneRun: id, From: store.Starting, To: store.Running},
			store.Result{LaneRun: id, State: state, Message: "so",
				Findings: []store.Finding{{Path: "a.go", Line: 7, Level: "error", Message: "bad"}}})
	}
	last := lanes[len(lanes)-1]
	if err := w.st.Record(w.t.Context(), run.ID, append(changes,
		store.End{State: last, Exit: exit, Message: "over"})...); err != nil {
		w.t.Fatal(err)
	}
	run, err := w.st.RunByID(w.t.Context(), run.ID)
	if err != nil {
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
	teller.now = func() time.Time { return w.now }
	return teller
}

// say ends a run for a teller.
func (w *world) say(t *Teller, run store.Run) store.Run {
	w.t.Helper()
	if err := t.Ended(w.t.Context(), run); err != nil {
		w.t.Fatal(err)
	}
	return run
}

// step lets ten minutes pass and delivers all that is due.
func (w *world) step(t *Teller, run store.Run) []store.Delivery {
	w.t.Helper()
	w.now = w.now.Add(10 * time.Minute)
	for {
		d, ok, err := w.st.Outbox().Claim(w.t.Context(), w.now, deliveryLease)
		if err != nil {
			w.t.Fatal(err)
		}
		if !ok {
			break
		}
		t.deliver(w.t.Context(), d)
	}
	all, err := w.st.Outbox().Of(w.t.Context(), run.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// work steps until nothing waits.
func (w *world) work(t *Teller, run store.Run) []store.Delivery {
	w.t.Helper()
	for range 1000 {
		all := w.step(t, run)
		waits := false
		for _, d := range all {
			waits = waits || d.State == store.DeliveryWaiting
		}
		if !waits {
			return all
		}
	}
	w.t.Fatal("the outbox never came to its end")
	return nil
}

// one wants a single delivery.
func (w *world) one(all []store.Delivery) store.Delivery {
	w.t.Helper()
	if len(all) != 1 {
		w.t.Fatalf("%d deliveries, want 1: %+v", len(all), all)
	}
	return all[0]
}
