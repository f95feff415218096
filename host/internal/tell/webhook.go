package tell

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Message is the body of a webhook.
type Message struct {
	Event      string    `json:"event"`
	Repository string    `json:"repository"`
	Run        int64     `json:"run"`
	URL        string    `json:"url,omitempty"`
	Gate       string    `json:"gate"`
	State      string    `json:"state"`
	Exit       int       `json:"exit"`
	Pusher     string    `json:"pusher,omitempty"`
	Queued     time.Time `json:"queued"`
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	Updates    []Update  `json:"updates"`
	Lanes      []Lane    `json:"lanes"`
}

// Update is one ref of the run.
type Update struct {
	Ref string `json:"ref"`
	Old string `json:"old"`
	New string `json:"new"`
}

// Lane is the newest attempt of one lane.
type Lane struct {
	Lane    string `json:"lane"`
	State   string `json:"state"`
	Attempt int    `json:"attempt"`
	Message string `json:"message,omitempty"`
	Digest  string `json:"plugin_digest,omitempty"`
	Image   string `json:"image,omitempty"`
	Millis  int64  `json:"millis"`
	update  int
}

func webhookBody(page, event string, run store.Run) []byte {
	m := Message{Event: event, Repository: run.RepoName, Run: run.Number, URL: runURL(page, run), Gate: run.Gate, State: string(run.State),
		Exit: run.Exit, Pusher: run.Pusher, Queued: run.Queued.UTC(), Updates: []Update{}, Lanes: latest(run)}
	if !run.Started.IsZero() {
		m.Started = run.Started.UTC()
	}
	if !run.Ended.IsZero() {
		m.Ended = run.Ended.UTC()
	}
	for _, u := range run.Updates {
		m.Updates = append(m.Updates, Update{Ref: u.Ref, Old: u.Old, New: u.New})
	}
	return mustJSON(m)
}

// latest is the newest attempt of every lane run.
func latest(run store.Run) []Lane {
	list := []Lane{}
	at := map[string]int{}
	for _, l := range run.Lanes {
		one := Lane{Lane: l.Lane, State: string(l.State), Attempt: l.Attempt, Message: l.Message, Digest: l.Digest, Image: l.Image,
			Millis: max(0, l.Ended.Sub(l.Started).Milliseconds()), update: l.Update}
		if l.Started.IsZero() || l.Ended.IsZero() {
			one.Millis = 0
		}
		key := fmt.Sprint(l.Update, " ", l.Lane)
		if i, again := at[key]; again {
			list[i] = one
			continue
		}
		at[key] = len(list)
		list = append(list, one)
	}
	return list
}

func runURL(page string, run store.Run) string {
	if page == "" {
		return ""
	}
	return fmt.Sprintf("%s/r/%s/runs/%d", strings.TrimSuffix(page, "/"), url.PathEscape(run.RepoName), run.Number)
}

func (t *Teller) sendWebhook(ctx context.Context, address string, d store.Delivery) error {
	for _, w := range t.config.Webhooks {
		if w.URL != address {
			continue
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(d.Body))
		if err != nil {
			return permanentError{err}
		}
		now := strconv.FormatInt(time.Now().Unix(), 10)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Pushlane-Event", d.Kind)
		req.Header.Set("X-Pushlane-Delivery", strconv.FormatInt(d.ID, 10))
		req.Header.Set("X-Pushlane-Timestamp", now)
		if w.SecretFile != "" {
			secret, err := readSecret(w.SecretFile)
			if err != nil {
				return err
			}
			req.Header.Set("X-Pushlane-Signature-256", "sha256="+Sign(secret, now, d.Body))
		}
		return t.post(req)
	}
	return permanentError{fmt.Errorf("webhook %s is not in the policy any more", address)}
}

// Sign is the signature of a webhook: HMAC-SHA256, in hex, over the timestamp,
// a dot and the body.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
