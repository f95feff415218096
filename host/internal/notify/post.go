package notify

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/runjson"
)

// newClient follows no one, so that a token goes only where the policy says,
// and neither waits nor reads for long.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxIdleConnsPerHost = workers
	return &http.Client{
		Transport:     transport,
		Timeout:       15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is the part of the response that is used.
type answer struct {
	code int
	head http.Header
	text string // how the body begins
}

// post sends a body. An error is the network's; answer.verdict interprets the
// response.
func (t *Teller) post(req *http.Request) (answer, error) {
	req.Header.Set("User-Agent", "pushlane")
	resp, err := t.client.Do(req)
	if err != nil {
		return answer{}, unaddressed(req.URL.Host, err)
	}
	defer resp.Body.Close()
	text, _ := bounded.Head(resp.Body, 4<<10) // shown to people; the status code decides
	return answer{resp.StatusCode, resp.Header, string(text)}, nil
}

// unaddressed leaves a request's address out of its error: with webhooks the
// path is often the secret.
func unaddressed(host string, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("cannot reach %s: %w", host, err)
}

// verdict is nil for a 2xx. Answers that another attempt cannot change are
// permanent.
func (a answer) verdict(host string) error {
	if a.code/100 == 2 {
		return nil
	}
	err := fmt.Errorf("%s responded with %d %s%s", host, a.code, http.StatusText(a.code), a.excerpt())
	after, asked := a.retryAfter()
	switch {
	case a.code >= 500, a.code == http.StatusRequestTimeout, a.code == http.StatusTooManyRequests,
		a.code == http.StatusForbidden && asked:
		return busyError{err, after} // forges say 403 where others say 429
	case a.code/100 == 3, a.code/100 == 4:
		return permanentError{err}
	}
	return err
}

// retryAfter is the wait that a busy answer asks for, which is heeded up to an
// hour.
func (a answer) retryAfter() (after time.Duration, asked bool) {
	seconds, err := strconv.Atoi(a.head.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0, false
	}
	return time.Duration(min(seconds, int(longestRetry/time.Second))) * time.Second, true
}

// excerpt is the beginning of the body as one harmless line.
func (a answer) excerpt() string {
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(a.text, " "))
	line = strings.Join(strings.Fields(line), " ")
	if line == "" {
		return ""
	}
	return ": " + runjson.Short(line, 200)
}
