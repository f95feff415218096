package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/runjson/runjsontest"
)

// hooked is a receiver of webhooks that keeps their bodies.
type hooked struct {
	sync.Mutex
	bodies [][]byte
}

func (h *hooked) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.Lock()
	defer h.Unlock()
	h.bodies = append(h.bodies, body)
}

// ended is the message about the end of a run, once it has come.
func (h *hooked) ended(t *testing.T, number int64) (found runjson.Run) {
	waitUntil(t, fmt.Sprintf("a webhook tells the end of run #%d", number), func() bool {
		h.Lock()
		defer h.Unlock()
		for _, body := range h.bodies {
			if run := runjsontest.Check(t, body); run.Number == number && run.Event == "run.ended" {
				found = run
			}
		}
		return found.Number != 0
	})
	return found
}

// same compares runs but for what depends on who is told: the webhook's event, the
// client's rights and the folders of this machine.
func same(t *testing.T, where string, got, want runjson.Run) {
	t.Helper()
	for _, r := range []*runjson.Run{&got, &want} {
		r.URL, r.Event, r.Rerunnable = "", "", false
		for i := range r.LaneRuns {
			if r.LaneRuns[i].Log != nil {
				r.LaneRuns[i].Log.Path = ""
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n%+v\nwant\n%+v", where, got, want)
	}
}

// A run is the same object everywhere, as run.schema.json describes it: printed
// by run, show and runs, answered by the API, sent by a webhook.
func TestOneRunEverywhere(t *testing.T) {
	t.Parallel()
	receiver := &hooked{}
	hook := httptest.NewServer(receiver)
	defer hook.Close()
	s := newServer(t, fmt.Sprintf("[[webhook]]\nurl = %q\n", hook.URL+"/"))
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	policy, err := os.ReadFile(s.policy)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.policy, strings.Replace(string(policy), `listen = ""`, fmt.Sprintf("listen = %q", address), 1))
	s.url = s.repo
	s.serve(t)
	c := s.newClient(t, filesLane)
	c.git("push", "-q", "origin", "main")
	c.commit("file", conflict)
	if out, err := try(c.dir, s.env, "git", "push", "-q", "origin", "main"); err == nil {
		t.Fatalf("a conflict marker was accepted:\n%s", out)
	}
	env := []string{"PUSHLANE_STATE=" + s.state}
	shown := runjsontest.Check(t, []byte(must(t, s.repo, env, pushlaneBin(), "show", "last", "--json")))
	if shown.Gate != "pre-receive" || shown.State != "failed" || shown.Exit != 1 || shown.Counts != (runjson.Counts{
		Updates: 1, Lanes: 1, LaneRuns: 1, Findings: len(shown.LaneRuns[0].Findings), Events: len(shown.Events)}) {
		t.Errorf("got %+v", shown)
	}
	l := shown.LaneRuns[0]
	want := runjson.Finding{Path: "file", Line: 1, Level: "error", Rule: "conflict-marker", Message: l.Findings[0].Message}
	if !l.Required || l.Reason != "no paths given: runs on every push" || l.Findings[0] != want ||
		!shown.Updates[0].Protected || shown.Started.IsZero() || *shown.DurationMS < *l.DurationMS {
		t.Errorf("got %+v of %+v", l, shown)
	}
	list := runjsontest.CheckList(t, []byte(must(t, s.repo, env, pushlaneBin(), "runs", "--json")))
	same(t, "runs --json", list[0], shown)
	resp, err := http.Get(fmt.Sprintf("http://%s/api/v1/repositories/app/runs/%d", address, shown.Number))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the API", runjsontest.Check(t, body), shown)
	same(t, "the webhook", receiver.ended(t, shown.Number), shown)
	there := must(t, s.repo, nil, pushlaneBin(), "show", "last", "--json", "--url", "http://"+address, "--repo", "app")
	same(t, "show --url", runjsontest.Check(t, []byte(there)), shown)

	local := []string{"PUSHLANE_STATE=" + filepath.Join(t.TempDir(), "state")}
	out, err := try(c.dir, local, pushlaneBin(), "run", "--range", "HEAD~1..HEAD", "--json")
	if err == nil {
		t.Fatalf("a conflict marker was accepted:\n%s", out)
	}
	ran := runjsontest.Check(t, []byte(out))
	same(t, "run --json", ran, runjsontest.Check(t, []byte(must(t, c.dir, local, pushlaneBin(), "show", "--json"))))
	c.git("reset", "-q", "--hard", "origin/main")
	nothing := must(t, c.dir, local, pushlaneBin(), "run", "--json")
	if run := runjsontest.Check(t, []byte(nothing)); run.Number != 0 || run.Repository != "work" || run.State != "passed" {
		t.Errorf("got %+v", run)
	}
}
