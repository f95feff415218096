package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
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
			var err error
			if body, err = t.body(ctx, run, link, event); err != nil {
				return nil, err
			}
		}
		list = append(list, store.Delivery{Target: w.target(), Kind: event, Body: body})
	}
	return list, nil
}

// body is the run as every other interface gives it, bounded, with the event.
func (t *Teller) body(ctx context.Context, run store.Run, link, event string) ([]byte, error) {
	details, err := t.store.Details(ctx, []store.Run{run}, runjson.MaxListed)
	if err != nil {
		return nil, err
	}
	message := runjson.Of(details[0]).Bounded()
	message.URL, message.Event = link, event
	return mustJSON(message), nil
}

// runURL is the page of a run, "" where the policy names no page. Of
// repositories with the same name it names the one.
func (t *Teller) runURL(ctx context.Context, run store.Run) (string, error) {
	if t.config.URL == "" {
		return "", nil
	}
	address, err := t.store.Repositories().Address(ctx, run.RepoKey)
	if err != nil {
		return "", err
	}
	return runjson.Page(t.config.URL, address, run.Number, ""), nil
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
		return permanentError{fmt.Errorf("%s is no longer in the policy", d.Target)}
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
