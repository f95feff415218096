package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pushlane/pushlane/host/internal/store"
)

// request is a delivery as standardwebhooks.com has it: an id that is the same
// for every attempt, the time of this one, and with a secret a signature of
// id, time and body.
func (w Webhook) request(ctx context.Context, d store.Delivery, now time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(d.Body))
	if err != nil {
		return nil, permanentError{err}
	}
	id := messageID(d)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Pushlane-Event", d.Kind)
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if w.SecretFile == "" {
		return req, nil
	}
	signer, err := w.signer()
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(id, now, d.Body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return req, nil
}

// messageID names a message among those of all hosts: receivers leave out what
// they had before, and every host counts from 1.
func messageID(d store.Delivery) string {
	sum := sha256.Sum256(append([]byte(strconv.FormatInt(d.ID, 10)+"\n"+d.Target+"\n"), d.Body...))
	return "msg_" + hex.EncodeToString(sum[:16])
}

const (
	secretPrefix = "whsec_"
	minSecret    = 24 // bytes, as standardwebhooks.com has it
	maxSecret    = 64
)

// signer reads the secret that a webhook's messages are signed with.
func (w Webhook) signer() (*standardwebhooks.Webhook, error) {
	text, err := readSecret(w.SecretFile)
	if err != nil {
		return nil, err
	}
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return nil, secretError{w.SecretFile}
	}
	return standardwebhooks.NewWebhookRaw(key)
}

// secretError is a file that holds another secret than one of a webhook.
type secretError struct{ file string }

func (e secretError) Error() string {
	return fmt.Sprintf("%s is not %s and the base64 of %d to %d bytes", e.file, secretPrefix, minSecret, maxSecret)
}

// Hint is a command that makes a good secret.
func (e secretError) Hint() string {
	return fmt.Sprintf("make one, and give it to the receiver: echo whsec_$(openssl rand -base64 32) > %s", e.file)
}
