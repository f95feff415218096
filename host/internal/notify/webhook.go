package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Message is the body of a webhook. Its lists and texts are bounded, with the
// true number next to a list that was cut.
type Message struct {
	Event      string    `json:"event"`
	Repository string    `json:"repository"`
	Run        int64     `json:"run"`
	RerunOf    int64     `json:"rerun_of,omitempty"`
	URL        string    `json:"url,omitempty"`
	Gate       string    `json:"gate"`
	State      string    `json:"state"`
	Exit       int       `json:"exit"`
	Message    string    `json:"message,omitempty"`
	Pusher     string    `json:"pusher,omitempty"`
	Queued     time.Time `json:"queued"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	Updates    []Update  `json:"updates"`
	Lanes      []Lane    `json:"lanes"`
	Findings   []Finding `json:"findings"`
	Counts     Counts    `json:"counts"`
}

// Update is one ref of the run.
type Update struct {
	Ref string `json:"ref"`
	Old string `json:"old"`
	New string `json:"new"`

	Protected bool   `json:"protected"` // judged by protected lanes, for a protected ref
	LanesRev  string `json:"lanes_rev"` // commit whose lanes file judged it; "" the host's own
}

// Lane is the newest attempt of one lane.
type Lane struct {
	Lane     string `json:"lane"`
	State    string `json:"state"`
	Required bool   `json:"required"`
	Attempt  int    `json:"attempt"`
	Message  string `json:"message,omitempty"`
	Digest   string `json:"plugin_digest,omitempty"`
	Image    string `json:"image,omitempty"`
	Millis   int64  `json:"millis"`

	id      int64
	update  int
	started time.Time
}

// Finding is one message of a lane at a place in the tree.
type Finding struct {
	Lane    string `json:"lane"`
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Level   string `json:"level"`
	Rule    string `json:"rule,omitempty"`
	Message string `json:"message"`
}

// Counts are of all that there is, also of what the lists leave out.
type Counts struct {
	Updates  int `json:"updates"`
	Lanes    int `json:"lanes"`
	Findings int `json:"findings"`
}

const (
	maxListed = 200 // updates and lanes
	maxFound  = 50
	maxText   = 1000 // characters of a message, a path or a ref
)

// webhooks are the messages of one event.
func (t *Teller) webhooks(ctx context.Context, run store.Run, link, event string) ([]store.Delivery, error) {
	var list []store.Delivery
	var body []byte
	for _, w := range t.config.Webhooks {
		if len(w.Events) > 0 && !slices.Contains(w.Events, event) {
			continue
		}
		if body == nil {
			found, err := t.store.Findings(ctx, run.ID)
			if err != nil {
				return nil, err
			}
			body = mustJSON(message(link, event, run, found))
		}
		list = append(list, store.Delivery{Target: w.target(), Kind: event, Body: body})
	}
	return list, nil
}

func message(link, event string, run store.Run, found []store.Finding) Message {
	m := Message{Event: event, Repository: run.RepoName, Run: run.Number, RerunOf: run.RerunOf, URL: link, Gate: run.Gate,
		State: string(run.State), Exit: run.Exit, Message: short(run.Message, maxText), Pusher: short(run.Pusher, maxText),
		Queued: utc(run.Queued), Started: utc(run.Started), Ended: utc(run.Ended), Updates: []Update{}, Lanes: latest(run)}
	m.Findings = findings(m.Lanes, found)
	m.Counts = Counts{len(run.Updates), len(m.Lanes), len(found)}
	m.Lanes = m.Lanes[:min(len(m.Lanes), maxListed)]
	for _, u := range run.Updates[:min(len(run.Updates), maxListed)] {
		m.Updates = append(m.Updates, Update{Ref: short(u.Ref, maxText), Old: u.Old, New: u.New,
			Protected: protected(run, u), LanesRev: u.LanesRev})
	}
	return m
}

// utc keeps the zero time zero.
func utc(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return at.UTC()
}

// latest is the newest attempt of every lane run.
func latest(run store.Run) []Lane {
	list := []Lane{}
	type place struct {
		update int
		lane   string
	}
	at := map[place]int{}
	for _, l := range run.Lanes {
		one := Lane{Lane: l.Lane, State: string(l.State), Required: l.Required, Attempt: l.Attempt,
			Message: short(l.Message, maxText),
			Digest:  l.Digest, Image: l.Image, id: l.ID, update: l.Update, started: l.Started}
		if !l.Started.IsZero() && !l.Ended.IsZero() {
			one.Millis = max(0, l.Ended.Sub(l.Started).Milliseconds())
		}
		key := place{l.Update, l.Lane}
		if i, again := at[key]; again {
			list[i] = one
			continue
		}
		at[key] = len(list)
		list = append(list, one)
	}
	return list
}

// findings are the first of the newest attempts.
func findings(lanes []Lane, found []store.Finding) []Finding {
	list := []Finding{}
	of := map[int64]string{}
	for _, l := range lanes {
		of[l.id] = l.Lane
	}
	for _, f := range found {
		if lane, newest := of[f.LaneRun]; newest && len(list) < maxFound {
			list = append(list, Finding{Lane: lane, Path: short(f.Path, maxText), Line: f.Line, Level: f.Level,
				Rule: short(f.Rule, maxText), Message: short(f.Message, maxText)})
		}
	}
	return list
}

// runURL is the page of a run, "" where the policy names no page. Of
// repositories with the same name it names the one.
func (t *Teller) runURL(ctx context.Context, run store.Run) (string, error) {
	if t.config.URL == "" {
		return "", nil
	}
	address, err := t.store.Address(ctx, run.RepoKey)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/r/%s/runs/%d", strings.TrimSuffix(t.config.URL, "/"), url.PathEscape(address), run.Number), nil
}

// target names a webhook where its path, which is often a secret, is not to be
// seen.
func (w Webhook) target() string {
	host := ""
	if u, err := url.Parse(w.URL); err == nil {
		host = u.Host
	}
	sum := sha256.Sum256([]byte(w.URL + "\n" + w.SecretFile))
	return "webhook " + host + "#" + hex.EncodeToString(sum[:4])
}

func (t *Teller) sendWebhook(ctx context.Context, d store.Delivery) error {
	i := slices.IndexFunc(t.config.Webhooks, func(w Webhook) bool { return w.target() == d.Target })
	if i < 0 {
		return permanentError{fmt.Errorf("%s is in the policy no more", d.Target)}
	}
	req, err := t.config.Webhooks[i].request(ctx, d, t.now())
	if err != nil {
		return err
	}
	a, err := t.post(req)
	if err != nil {
		return err
	}
	return a.verdict(req.URL.Host)
}
