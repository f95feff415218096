package notify

import (
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, empty := w.secret("x"), w.write("empty", "\n", 0o600)
	status := func(change func(*Status)) Config {
		s := Status{Kind: "gitea", Repo: "app", API: "https://a", Project: "o/n", TokenFile: good}
		change(&s)
		return Config{Statuses: []Status{s}}
	}
	none := w.dir + "/none"
	for want, c := range map[string]Config{
		`cannot use webhook http://far.example/: "http://far.example/" is not an https address`: {
			Webhooks: []Webhook{{URL: "http://far.example/"}}},
		`cannot use webhook http://localhost.evil: "http://localhost.evil" is not an https address`: {
			Webhooks: []Webhook{{URL: "http://localhost.evil"}}},
		`cannot use webhook https:///x: "https:///x" is not an https address`: {
			Webhooks: []Webhook{{URL: "https:///x"}}},
		`cannot use webhook https://a: unknown event "run", want one of run.queued, run.started, run.ended`: {
			Webhooks: []Webhook{{URL: "https://a", Events: []string{"run"}}}},
		`cannot use webhook https://a: ` + empty + ` is empty`: {
			Webhooks: []Webhook{{URL: "https://a", SecretFile: empty}}},
		`cannot send statuses to https://a: kind is "svn", want gitea, github or gitlab`: status(
			func(s *Status) { s.Kind = "svn" }),
		`cannot send statuses to https://a: project is empty`: status(
			func(s *Status) { s.Project = "" }),
		`cannot send statuses to https://a: project is "app", want owner/name`: status(
			func(s *Status) { s.Project = "app" }),
		`cannot send statuses to https://a: repo is empty, want a repository's name or "*"`: status(
			func(s *Status) { s.Repo = "" }),
		"cannot send statuses to https://a: open " + none +
			": no such file or directory": status(func(s *Status) { s.TokenFile = none }),
		`cannot send statuses to http://a: "http://a" is not an https address`: status(
			func(s *Status) { s.API = "http://a" }),
		`cannot send spans: "ftp://x" is not an https address`:            {OTLP: "ftp://x"},
		"cannot sign notes: stat " + none + ": no such file or directory": {NotesKey: none},
	} {
		if _, err := New(c, w.st, logrus.New()); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	for _, address := range []string{"http://127.0.0.1:1/x", "http://127.8.8.8", "http://[::1]:4", "http://localhost",
		"https://far.example"} {
		if err := checkURL(address); err != nil {
			t.Error(err)
		}
	}
	if _, err := New(Config{NotesKey: good}, w.st, nil); err == nil ||
		!strings.Contains(err.Error(), "is not a private key without a passphrase") {
		t.Errorf("got %v", err)
	}
}
