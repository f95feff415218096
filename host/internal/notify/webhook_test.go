package notify

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/runjson/runjsontest"
	"github.com/pushlane/pushlane/host/internal/store"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = answers(500, 429)
	teller := w.teller(Config{URL: "https://ci.example.org/",
		Webhooks: []Webhook{{URL: w.receiver.URL + "/hook", SecretFile: w.secret("hush"), Events: []string{"run.ended"}}}})
	run := w.ended("pre-receive", 1)
	for _, tell := range []func(context.Context, store.Run) error{teller.Queued, teller.Started, teller.Ended} {
		if err := tell(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.got) != 0 {
		t.Fatal("telling waits for the network")
	}
	if d := w.one(w.work(teller, run)); d.State != "done" || d.Attempts != 3 || len(w.got) != 3 {
		t.Fatalf("got %+v after %d requests", d, len(w.got))
	}
	got := w.got[2]
	m := runjsontest.Check(t, got.body)
	if m.Event != "run.ended" || m.Repository != "app" || m.State != "failed" ||
		m.URL != "https://ci.example.org/r/app/runs/1" || len(m.LaneRuns) != 2 ||
		m.LaneRuns[1].State != "failed" || m.Updates[0].New != w.commit || m.Ended.IsZero() {
		t.Errorf("got %+v", m)
	}
	if found := m.LaneRuns[1].Findings; m.Counts.Findings != 2 || len(found) != 1 ||
		found[0] != (runjson.Finding{Path: "a.go", Line: 7, Level: "error", Message: "bad"}) {
		t.Errorf("got %+v of %+v", found, m.Counts)
	}
	if want := "sha256=" + Sign("hush", got.head.Get("X-Pushlane-Timestamp"),
		got.body); got.head.Get("X-Pushlane-Signature-256") != want || got.head.Get("X-Pushlane-Event") != "run.ended" {
		t.Errorf("got %v, want the signature %s", got.head, want)
	}
	if w.got[0].head.Get("X-Pushlane-Delivery") != got.head.Get("X-Pushlane-Delivery") {
		t.Error("two attempts cannot be told to be of one message")
	}
	if Sign("hush", "1", got.body) == Sign("hush", "2", got.body) {
		t.Error("an old message can be sent again under a new time")
	}
}

// What another attempt cannot change is not tried again.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusFound} {
		w := newWorld(t)
		w.answer = answers(status)
		teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}})
		run := w.say(teller, w.ended("post-receive", 1))
		if d := w.one(w.work(teller, run)); len(w.got) != 1 || d.State != "failed" ||
			!strings.Contains(d.Error, fmt.Sprint(status)) {
			t.Errorf("%d: got %+v after %d requests", status, d, len(w.got))
		}
	}
}

// A webhook's address is often its secret: no message, no error and no log has
// more than its host.
func TestSecretAddressIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := strings.Replace(w.receiver.URL, "http:", "https:", 1) + "/sesame" // which the receiver does not speak
	teller := w.teller(Config{Webhooks: []Webhook{{URL: address, SecretFile: w.secret("hush")}}})
	run := w.say(teller, w.ended("post-receive", 1))
	d := w.one(w.step(teller, run))
	if d.State != "waiting" || d.Error == "" || strings.Contains(d.Error+d.Target, "sesame") {
		t.Errorf("got %+v", d)
	}
}

// Two webhooks at one address are two: each has its secret and its events.
func TestTwoWebhooksAtOneAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL},
		{URL: w.receiver.URL, SecretFile: w.secret("hush")}}})
	w.work(teller, w.say(teller, w.ended("post-receive", 1)))
	signed := 0
	for _, got := range w.got {
		if got.head.Get("X-Pushlane-Signature-256") != "" {
			signed++
		}
	}
	if len(w.got) != 2 || signed != 1 {
		t.Errorf("%d messages, %d of them signed", len(w.got), signed)
	}
}

// A message whose receiver was taken out of the policy goes nowhere.
func TestReceiverIsInThePolicyNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := w.say(w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}}), w.ended("post-receive", 1))
	if d := w.one(w.work(w.teller(Config{}), run)); d.State != "failed" ||
		!strings.HasSuffix(d.Error, "is no longer in the policy") || len(w.got) != 0 {
		t.Errorf("got %+v", d)
	}
}

// The README's ways to check a signature take a good one, and refuse a changed
// body, an old time and a signature of another length.
func TestSignatureAsTheReadmeChecksIt(t *testing.T) {
	t.Parallel()
	now := fmt.Sprint(time.Now().Unix())
	good := "sha256=" + Sign("hush", now, []byte("{}"))
	old := "100"
	for _, language := range []string{"python", "go", "js"} {
		t.Run(language, func(t *testing.T) {
			check := checker(t, language)
			for name, c := range map[string]struct {
				time, body, signature string
				want                  string
			}{
				"good": {now, "{}", good, "true"}, "other body": {now, "{ }", good, "false"},
				"other length": {now, "{}", "sha256=1", "false"},
				"old":          {old, "{}", "sha256=" + Sign("hush", old, []byte("{}")), "false"},
			} {
				if got := check(c.time, c.body, c.signature); got != c.want {
					t.Errorf("%s: got %q, want %s", name, got, c.want)
				}
			}
		})
	}
}

// checker makes a program of a README's snippet, which is given timestamp,
// body and signature.
func checker(t *testing.T, language string) func(timestamp, body, signature string) string {
	t.Helper()
	text := fenced(t, language)
	w := &world{t: t, dir: t.TempDir()}
	var command []string
	switch language {
	case "python":
		w.write("check.py",
			"import hmac, sys, time\nsecret = b'hush'\ntimestamp, body, signature = sys.argv[1].encode(), "+
				"sys.argv[2].encode(), sys.argv[3]\n"+text+"\nprint(str(ok).lower())\n", 0o600)
		command = []string{"python3", "check.py"}
	case "js":
		w.write("check.js",
			"const crypto = require('crypto'); const secret = 'hush'; const [timestamp, body, signature] = "+
				"process.argv.slice(2);\n"+text+"\nconsole.log(ok);\n", 0o600)
		command = []string{"node", "check.js"}
	case "go":
		w.write("check.go",
			"package main\nimport (\"crypto/hmac\"; \"crypto/sha256\"; \"encoding/hex\"; \"fmt\"; \"os\"; \"strconv\"; "+
				"\"time\")\nfunc main() {\nsecret, timestamp, body, signature := []byte(\"hush\"), os.Args[1], "+
				"[]byte(os.Args[2]), os.Args[3]\n"+text+"\nfmt.Println(ok)\n}\n", 0o600)
		w.run("go", "build", "-o", "check", "check.go")
		command = []string{w.dir + "/check"}
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skipf("no %s here", command[0])
	}
	return func(timestamp, body, signature string) string {
		return w.run(command[0], append(command[1:len(command):len(command)], timestamp, body, signature)...)
	}
}

// fenced is the README's block of a language.
func fenced(t *testing.T, language string) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(readme), "```"+language+"\n")
	if !ok {
		t.Fatalf("the README has no %s", language)
	}
	text, _, _ = strings.Cut(text, "```")
	return text
}

// A link names the repository of the run, also where another has its name.
func TestLinksOfNamesakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{URL: "https://ci.example.org/"})
	run := w.begin("pre-receive")
	if err := w.st.Register(t.Context(), "/srv/alice/app.git", "app"); err != nil {
		t.Fatal(err)
	}
	want := "https://ci.example.org/r/" + filepath.Base(w.dir) + "%2Fapp/runs/1"
	if got, err := teller.runURL(t.Context(), run); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
