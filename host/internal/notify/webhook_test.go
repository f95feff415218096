package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/runjson/runjsontest"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pushlane/pushlane/host/internal/store"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = answers(500, 429)
	teller := w.teller(Config{URL: "https://ci.example.org/",
		Webhooks: []Webhook{{URL: w.receiver.URL + "/hook", SecretFile: w.secret(hookSecret),
			Events: []string{"run.ended"}}}})
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
	if got.head.Get("X-Pushlane-Event") != "run.ended" {
		t.Errorf("got %v", got.head)
	}
	checkSigned(t, got.head, got.body)
	if first := w.got[0].head.Get("webhook-id"); first == "" || first != got.head.Get("webhook-id") {
		t.Error("two attempts cannot be told to be of one message")
	}
}

// hookSecret is base64 of 0123456789abcdefghijklmnopqrstuv.
const hookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="

// checkSigned has the library of the receiver's side verify a message, and
// refuse it when any signed part was changed.
func checkSigned(t *testing.T, head http.Header, body []byte) {
	t.Helper()
	receiver, err := standardwebhooks.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.VerifyIgnoringTimestamp(body, head); err != nil {
		t.Errorf("%v: %v", head, err)
	}
	if receiver.VerifyIgnoringTimestamp(append([]byte(" "), body...), head) == nil {
		t.Error("another body is taken")
	}
	for _, name := range []string{"webhook-id", "webhook-timestamp"} {
		changed := head.Clone()
		changed.Set(name, head.Get(name)+"0")
		if receiver.VerifyIgnoringTimestamp(body, changed) == nil {
			t.Errorf("another %s is taken", name)
		}
	}
}

// Messages of one number, of two hosts or of two receivers, are two.
func TestMessageID(t *testing.T) {
	t.Parallel()
	d := store.Delivery{ID: 1, Target: "webhook a#1", Kind: "run.ended", Body: []byte(`{"run":1}`)}
	id, again := messageID(d), d
	again.Attempts = 3
	if !regexp.MustCompile(`^msg_[0-9a-f]{32}$`).MatchString(id) || messageID(again) != id {
		t.Errorf("got %s, then %s", id, messageID(again))
	}
	for _, other := range []store.Delivery{{ID: 2, Target: d.Target, Body: d.Body}, {ID: 1, Target: "webhook b#1",
		Body: d.Body}, {ID: 1, Target: d.Target, Body: []byte(`{"run":2}`)}} {
		if messageID(other) == id {
			t.Errorf("%+v has the same id", other)
		}
	}
}

func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	encoded := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for text, good := range map[string]bool{
		hookSecret: true, encoded(24): true, encoded(64): true,
		"hush": false, strings.TrimPrefix(hookSecret, "whsec_"): false, "whsec_hush!": false, "whsec_": false,
		encoded(23): false, encoded(65): false, hookSecret + "x": false,
	} {
		file := w.secret(text)
		_, err := Webhook{SecretFile: file}.signer()
		if good {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err == nil || err.Error() != file+" is not whsec_ and the base64 of 24 to 64 bytes" {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// The command of the hint makes a secret that is taken.
func TestHintMakesASecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := w.secret("hush")
	_, err := Webhook{SecretFile: file}.signer()
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) {
		t.Fatalf("got %v, want a hint", err)
	}
	_, command, _ := strings.Cut(hinted.Hint(), ": ")
	w.run("sh", "-c", command)
	if _, err := (Webhook{SecretFile: file}).signer(); err != nil {
		t.Error(err)
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
	teller := w.teller(Config{Webhooks: []Webhook{{URL: address, SecretFile: w.secret(hookSecret)}}})
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
		{URL: w.receiver.URL, SecretFile: w.secret(hookSecret)}}})
	w.work(teller, w.say(teller, w.ended("post-receive", 1)))
	signed := 0
	for _, got := range w.got {
		if got.head.Get("webhook-signature") != "" {
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
// body, another id, an old time and a signature of another length.
func TestSignatureAsTheReadmeChecksIt(t *testing.T) {
	t.Parallel()
	signer, err := standardwebhooks.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(at time.Time) string {
		signature, err := signer.Sign("msg_1", at, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	now, old := time.Now(), time.Unix(100, 0)
	at := fmt.Sprint(now.Unix())
	for _, language := range []string{"python", "go", "js"} {
		t.Run(language, func(t *testing.T) {
			check := checker(t, language)
			for name, c := range map[string]struct{ id, time, body, signature, want string }{
				"good":                   {"msg_1", at, "{}", sign(now), "true"},
				"good, after another":    {"msg_1", at, "{}", "v1,eA== " + sign(now), "true"},
				"another body":           {"msg_1", at, "{ }", sign(now), "false"},
				"another id":             {"msg_2", at, "{}", sign(now), "false"},
				"another version":        {"msg_1", at, "{}", strings.Replace(sign(now), "v1,", "v2,", 1), "false"},
				"another length":         {"msg_1", at, "{}", "v1,eA==", "false"},
				"old":                    {"msg_1", "100", "{}", sign(old), "false"},
				"old, under a new time":  {"msg_1", at, "{}", sign(old), "false"},
				"not a signature at all": {"msg_1", at, "{}", "good", "false"},
			} {
				if got := check(c.id, c.time, c.body, c.signature); got != c.want {
					t.Errorf("%s: got %q, want %s", name, got, c.want)
				}
			}
		})
	}
}

// checker makes a program of a README's snippet, which is given id, timestamp,
// body and signature.
func checker(t *testing.T, language string) func(words ...string) string {
	t.Helper()
	text := fenced(t, language)
	w := &world{t: t, dir: t.TempDir()}
	var command []string
	switch language {
	case "python":
		w.write("check.py", "import base64, hmac, sys, time\nsecret = '"+hookSecret+"'\nid, timestamp, body, signature = "+
			"sys.argv[1], sys.argv[2], sys.argv[3].encode(), sys.argv[4]\n"+text+"\nprint(str(ok).lower())\n", 0o600)
		command = []string{"python3", "check.py"}
	case "js":
		w.write("check.js", "const crypto = require('crypto'); const secret = '"+hookSecret+"';\n"+
			"const [id, timestamp, body, signature] = process.argv.slice(2);\n"+text+"\nconsole.log(ok);\n", 0o600)
		command = []string{"node", "check.js"}
	case "go":
		command = []string{goChecker(t, w, text)}
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skipf("no %s here", command[0])
	}
	return func(words ...string) string {
		return w.run(command[0], append(command[1:len(command):len(command)], words...)...)
	}
}

// goChecker builds the snippet within this module, whose go.mod has the
// library that it imports.
func goChecker(t *testing.T, w *world, text string) string {
	t.Helper()
	w.write("check.go", "package main\nimport (\"fmt\"; \"net/http\"; \"os\"\n"+
		"standardwebhooks \"github.com/standard-webhooks/standard-webhooks/libraries/go\")\n"+
		"func main() {\nsecret, body, header := \""+hookSecret+"\", []byte(os.Args[3]), http.Header{}\n"+
		"for i, name := range []string{\"id\", \"timestamp\", \"\", \"signature\"} {\n"+
		"header.Set(\"webhook-\"+name, os.Args[i+1])\n}\n"+text+"\nfmt.Println(ok)\n}\n", 0o600)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", w.dir+"/check", w.dir+"/check.go")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return w.dir + "/check"
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
	if err := w.st.Repositories().Register(t.Context(), "/srv/alice/app.git", "app"); err != nil {
		t.Fatal(err)
	}
	want := "https://ci.example.org/r/" + filepath.Base(w.dir) + "%2Fapp/runs/1"
	if got, err := teller.runURL(t.Context(), run); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
