// Package tell tells others what became of runs: commit statuses of forges,
// webhooks, git notes, metrics and spans.
//
// What is to be told is kept in the store's outbox before anybody is asked to
// take it, and tried until it is taken or a day has passed: a host that is
// killed in between tells it twice rather than never.
package tell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Config says whom to tell. The zero value tells nobody.
type Config struct {
	URL      string // of our own page, for links; "" none
	Statuses []Status
	Webhooks []Webhook
	Notes    bool   // refs/notes/pushlane
	NotesKey string // SSH private key file to sign notes with; "" unsigned
	OTLP     string // OTLP/HTTP endpoint for spans, "https://collector:4318"; "" none
}

// Status is a forge that shows commit statuses.
type Status struct {
	Repo      string `koanf:"repo"`       // our name of the repository, "*" for all
	Kind      string `koanf:"kind"`       // gitea (also Forgejo), github or gitlab
	API       string `koanf:"api"`        // "https://gitea.example.org/api/v1"
	Project   string `koanf:"project"`    // "owner/name"; "" is the repository's name where Repo is "*"
	TokenFile string `koanf:"token_file"` // file that holds the token
}

// Webhook is an address that is told of events.
type Webhook struct {
	URL        string   `koanf:"url"`
	SecretFile string   `koanf:"secret_file"` // file that holds the secret that messages are signed with
	Events     []string `koanf:"events"`      // of Events; none: all
}

// Events are the names of what a webhook may be told.
func Events() []string { return []string{"run.queued", "run.started", "run.ended"} }

// Teller writes to the outbox and works it.
type Teller struct {
	config  Config
	store   *store.Store
	log     logrus.FieldLogger
	client  *http.Client
	metrics *metrics
	kick    chan struct{}
}

// New checks a configuration: addresses, events, and that the files it names
// can be read.
func New(c Config, st *store.Store, log logrus.FieldLogger) (*Teller, error) {
	for _, s := range c.Statuses {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("cannot tell %s of statuses: %w", s.API, err)
		}
	}
	for _, w := range c.Webhooks {
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("cannot tell webhook %s: %w", w.URL, err)
		}
	}
	if c.NotesKey != "" {
		if _, err := os.Stat(c.NotesKey); err != nil {
			return nil, fmt.Errorf("cannot sign notes: %w", err)
		}
	}
	if c.OTLP != "" {
		if err := checkURL(c.OTLP); err != nil {
			return nil, fmt.Errorf("cannot send spans: %w", err)
		}
	}
	return &Teller{config: c, store: st, log: log, metrics: newMetrics(), kick: make(chan struct{}, 1), client: &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (s Status) check() error {
	if !slices.Contains([]string{"gitea", "github", "gitlab"}, s.Kind) {
		return fmt.Errorf("kind is %q, want gitea, github or gitlab", s.Kind)
	}
	if s.Project == "" && s.Repo == "*" {
		return errors.New("project is empty")
	}
	if _, err := readSecret(s.TokenFile); err != nil {
		return err
	}
	return checkURL(s.API)
}

func (w Webhook) check() error {
	for _, e := range w.Events {
		if !slices.Contains(Events(), e) {
			return fmt.Errorf("there is no event %q, only %s", e, strings.Join(Events(), ", "))
		}
	}
	if w.SecretFile != "" {
		if _, err := readSecret(w.SecretFile); err != nil {
			return err
		}
	}
	return checkURL(w.URL)
}

// checkURL wants https beyond this machine: what is sent is signed or carries
// a token.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return err
	case u.Scheme == "https" && u.Host != "":
		return nil
	case u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q is not an https address", text)
}

func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if text := strings.TrimSpace(string(data)); err == nil && text == "" {
		return "", fmt.Errorf("%s is empty", path)
	} else if err == nil {
		return text, nil
	}
	return "", err
}

// Queued notes that a run waits.
func (t *Teller) Queued(ctx context.Context, run store.Run) error {
	return t.add(ctx, run, "run.queued", false)
}

// Started notes that a run has begun.
func (t *Teller) Started(ctx context.Context, run store.Run) error {
	return t.add(ctx, run, "run.started", false)
}

// Ended notes a run's end.
func (t *Teller) Ended(ctx context.Context, run store.Run) error {
	t.metrics.ended(run)
	return t.add(ctx, run, "run.ended", true)
}

// add puts what is to be told of one event into the outbox.
func (t *Teller) add(ctx context.Context, run store.Run, event string, ended bool) error {
	var list []store.Delivery
	for _, w := range t.config.Webhooks {
		if len(w.Events) == 0 || slices.Contains(w.Events, event) {
			list = append(list, store.Delivery{Target: "webhook " + w.URL, Kind: event, Body: webhookBody(t.config.URL, event, run)})
		}
	}
	if known := run.Gate != "pre-receive" || run.Exit == 0; known && run.Gate != "pre-push" { // a refused push's commit is nobody's
		for _, s := range t.config.Statuses {
			if s.Repo == "*" || s.Repo == run.RepoName {
				list = append(list, statuses(t.config.URL, s, run)...)
			}
		}
		if ended && t.config.Notes {
			list = append(list, store.Delivery{Target: "notes", Kind: event})
		}
	}
	if ended && t.config.OTLP != "" {
		list = append(list, store.Delivery{Target: "spans", Kind: event})
	}
	for i := range list {
		list[i].Run, list[i].Next = run.ID, time.Now()
	}
	if len(list) == 0 {
		return nil
	}
	defer t.wake()
	return t.store.AddDeliveries(ctx, list)
}

func (t *Teller) wake() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

const (
	deliveryLease = 2 * time.Minute
	lookEvery     = 2 * time.Second
	giveUpAfter   = 24 * time.Hour
)

// Run works the outbox until ctx ends.
func (t *Teller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		d, ok, err := t.store.ClaimDelivery(ctx, time.Now(), deliveryLease)
		if err != nil && ctx.Err() == nil {
			t.log.WithError(err).Warn("outbox")
		}
		if ok {
			t.deliver(ctx, d)
			continue
		}
		select {
		case <-ctx.Done():
		case <-t.kick:
		case <-time.After(lookEvery):
		}
	}
}

// permanentError will not go away by trying again.
type permanentError struct{ error }

func (t *Teller) deliver(ctx context.Context, d store.Delivery) {
	err := t.send(ctx, d)
	after := context.WithoutCancel(ctx)
	switch {
	case err == nil:
		t.metrics.delivered("done")
		err = t.store.DeliveryDone(after, d.ID)
	case ctx.Err() != nil:
		return // its lease ends, and it is tried again
	default:
		giveUp := errors.As(err, new(permanentError)) || retryAfter(d.Attempts) == 0
		t.metrics.delivered(map[bool]string{true: "failed", false: "retried"}[giveUp])
		t.log.WithError(err).WithField("to", d.Target).Warn("not told")
		err = t.store.DeliveryFailed(after, d.ID, time.Now().Add(retryAfter(d.Attempts)), err.Error(), giveUp)
	}
	if err != nil {
		t.log.WithError(err).Warn("outbox")
	}
}

// retryAfter is the wait after so many attempts: 5 s, doubled each time up to
// an hour, with a part left to chance; 0 once a day of it has passed.
func retryAfter(attempts int) time.Duration {
	total, next := time.Duration(0), 5*time.Second
	for range attempts - 1 {
		total += next
		next = min(2*next, time.Hour)
	}
	if total > giveUpAfter {
		return 0
	}
	return next/2 + rand.N(next/2)
}

func (t *Teller) send(ctx context.Context, d store.Delivery) error {
	kind, target, _ := strings.Cut(d.Target, " ")
	switch kind {
	case "webhook":
		return t.sendWebhook(ctx, target, d)
	case "status":
		return t.sendStatus(ctx, target, d)
	case "notes":
		return t.writeNotes(ctx, d.Run)
	case "spans":
		return t.sendSpans(ctx, d.Run)
	}
	return permanentError{fmt.Errorf("nobody is known as %q any more", d.Target)}
}

// post sends a body and wants a 2xx answer. Answers that another attempt
// cannot change are permanent.
func (t *Teller) post(req *http.Request) error {
	req.Header.Set("User-Agent", "pushlane")
	resp, err := t.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	code := resp.StatusCode
	if code/100 == 2 {
		return nil
	}
	err = fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	if code/100 == 3 || code/100 == 4 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests && code != http.StatusNotFound {
		return permanentError{err} // not found: the push may not be in yet
	}
	return err
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return data
}
